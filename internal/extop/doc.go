// Package extop is the core of package lroext: extended operations by the
// annotations of their messages, as a service of package lro, without the client
// runtime of Google's generated clients. The lro command needs no more.
package extop
