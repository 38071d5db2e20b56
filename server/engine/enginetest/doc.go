// Package enginetest is the one suite that every engine passes: each promise
// of package engine as a test.
//
// An engine's own test calls it with a [Factory], which says how to open the
// engine and how to have its process die:
//
//	func TestEngine(t *testing.T) {
//		enginetest.Run(t, enginetest.Factory{New: newStore})
//	}
//
// What an engine does otherwise than the rest is declared in [Traits] and
// tested as declared, so that no difference goes unnoticed.
//
// While you write an engine, run one group at a time, with a short timeout. Tests
// wait for attempts without a limit of their own, so an attempt that does not
// begin, or a context that does not end, shows as a hang; the goroutine dump at
// the timeout names the test:
//
//	go test -run 'TestEngine/Start$' -timeout 20s ./server/engine/yours
//
// [Run] lists the groups.
//
// Tests wait for events and never for time to pass. Those that are about time
// run in a bubble of testing/synctest where the engine allows it.
package enginetest
