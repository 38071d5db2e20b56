// Package leak fails a test binary that leaves goroutines behind.
//
// Every goroutine of this project has an owner that waits for it. A package
// that starts any proves it with one line in its tests:
//
//	func TestMain(m *testing.M) { leak.Main(m) }
//
// Once all tests have passed, goroutines that were not there before them get a
// few seconds to end. What still stands then is printed with its stack, and the
// binary exits with status 1.
//
// Not counted are goroutines that were running before the first test (those of
// package initialization), the runtime's own, and the one that os/signal keeps
// for the life of the process. Nothing is checked after a failed test, because a
// test that stops half-way rightly leaves things standing; in a process that the
// test binary started as a copy of itself, because its parent decides how that
// one ends; and while fuzzing, where the engine's own goroutines would count.
//
// Only tests may import this package; the architecture test sees to it.
package leak
