// Package gopeer is what the Go programs of the benchmarks share, so that each
// of them shows little more than how its library is used.
//
// A peer, in whatever language, has these flags:
//
//	-target     address of the scripted service
//	-client     variant of the client, if the program has several
//	-mode       what to do, see below
//	-n          for how many operations
//	-spec       mode wait: what to start, "&index=I" appended
//	-spread     mode wait: starts are spread evenly over this many seconds
//	-names      mode hold: name of an operation, with {} for its number
//	-deadline   seconds after which waiting is given up; 0 for never
//
// Mode wait starts operations and waits for each. Mode hold begins to wait for
// operations that do not end. Mode poll measures what asking once costs.
//
// It prints JSON, an object a line: {"ready": N} when all operations were
// started, or are waited for; for each wait that returned its operation's name,
// the time on the clock of [scripted.Now] and either response or error; and for
// mode poll {"stub": [...], "poll": [...], "control": [...]}, nanoseconds for
// one call, each the mean of a round, the three taken in turns. It ends when it
// is done or its standard input is closed.
package gopeer
