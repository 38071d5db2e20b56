// Package oracle is the model of an operation by which histories are judged: of
// calls and of what happened to attempts and processes, as their callers saw it.
// It knows what is allowed, and so also what may happen without a trace: an
// operation is claimed, its lease ends, it expires, a call without an answer was
// executed or was not.
//
// The suite of package enginetest and the programs of package simulation share
// it. What is about time or about several operations is not its subject.
package oracle
