// Package faulttest has tests only: what becomes of operations when a worker, a
// connection or the Temporal service fails under them. All are real processes on
// this machine: Temporal from temporal/devserver, and servers and workers, which
// are copies of the test binary that run the command lro-temporal.
//
// The tests are skipped unless they are asked for; see package testserver.
package faulttest
