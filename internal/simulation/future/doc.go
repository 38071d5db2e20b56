// Package future has the simulation of the future, in its tests: programs from
// seeds, of services that answer anything at any time and of callers that come
// and go, in virtual time, and an oracle that knows the calls, the callers and
// the observer's events alone.
//
//	make simulate ENGINE=future SEEDS=1-1000
package future
