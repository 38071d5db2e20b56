// Package faulttest has tests only: what becomes of operations when a worker, the
// server or a connection fails under them. All are real processes on this
// machine: PostgreSQL, from package pgtest, and workers, which are copies of the
// test binary. The test itself starts operations and waits for them.
//
// Handlers write rows in the transactions that save their checkpoints and end
// their operations, so that the test can count effects.
//
// The tests are skipped unless -fault-rounds is given; make test-postgres gives it.
package faulttest
