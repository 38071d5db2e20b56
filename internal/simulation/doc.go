// Package simulation is the proof by seeds: from a seed it makes a program of
// calls and faults, runs it against an engine with its server and the client, and
// has an oracle judge the history of all that was called, answered and done.
//
// An engine's own test calls [Run] with a [Factory], which says how its store is
// opened and what can happen to it. All else comes from here: the program, the
// network, the processes that die and come back, the handlers and the oracle.
// With Run, everything happens in a bubble of testing/synctest, in virtual time,
// and one actor acts at a time: no two wake at the same instant. So a seed leads to
// the same history in nearly all runs, but not in all: what one action sets off in
// the engine runs on goroutines, in the order of Go's scheduler. Therefore a
// history can be kept, and judged again.
//
// [Clusters] run the same programs in real time, on several processes that share a
// store. The processes are copies of the test's binary, whose TestMain calls
// [Member]. [Other] has the seeds and reports for programs of another sort, such as
// those of the client, and [Load] only puts callers on an engine.
//
// The oracle has two halves. A model of one operation, with all that may happen
// to it unseen, must explain the events of each operation in some order that
// fits their times (porcupine looks for it). What is about time, and about many
// operations at once, is checked by rules: waiters are woken, attempts hear of
// a cancel, nothing expires early or stays, lists are whole and in order, and in
// the end everything has ended once.
package simulation
