// Package term is what the command knows of its terminal: the streams it reads
// and writes, whether people watch them, how wide they are, and how to show
// text that came from elsewhere without letting it take the terminal over.
//
// [IO] is handed to every verb, so that a test runs it with buffers. A [Meter]
// shows how far something is: a bar in one line on a terminal, calm lines
// elsewhere. The bar is our own: it is a hundred lines, while the libraries
// bring frames, themes and goroutines for many bars, and none of them turns
// into lines without a terminal.
package term
