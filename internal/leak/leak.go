package leak

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// grace is how long goroutines may take to end after the last test. Only a
// binary that does leak waits for all of it; the length is for a busy machine
// under the race detector.
const grace = 5 * time.Second

// binaryEnv tells copies of a test binary that they are copies. Its value is the
// path of the binary, so that another test binary started by a test (by
// "go test", say) is checked like any other.
const binaryEnv = "LRO_LEAK_TEST_BINARY"

// Main runs the tests of m, checks for leaked goroutines and ends the process:
// with the status of the tests if it is not 0, with 1 after a leak, else with 0.
// It is meant for TestMain, whose [testing.M] has the one method it needs.
func Main(m interface{ Run() int }) {
	os.Exit(run(m, os.Stderr, grace))
}

// run is Main without the exit. It reports leaks to w after waiting for limit.
func run(m interface{ Run() int }, w io.Writer, limit time.Duration) int {
	exe, err := os.Executable()
	if err != nil {
		fmt.Fprintf(w, "leak: find own binary: %v\n", err)
		return 1
	}
	isCopy := os.Getenv(binaryEnv) == exe
	if err := os.Setenv(binaryEnv, exe); err != nil {
		fmt.Fprintf(w, "leak: mark copies of this binary: %v\n", err)
		return 1
	}

	before := snapshot()
	if code := m.Run(); code != 0 {
		return code
	}
	if isCopy || fuzzing() {
		return 0
	}
	left := wait(before, limit)
	if len(left) == 0 {
		return 0
	}
	fmt.Fprintf(w, "leak: %d goroutine(s) still there %v after the last test:\n", len(left), limit)
	for _, g := range left {
		fmt.Fprintf(w, "\n%s\n", g.stack)
	}
	return 1
}

// fuzzing reports whether the tests ran as "go test -fuzz".
func fuzzing() bool {
	f := flag.Lookup("test.fuzz")
	return f != nil && f.Value.String() != ""
}

// wait returns the goroutines that are not in before once there are none, or
// what is left of them after limit.
func wait(before map[string]bool, limit time.Duration) []goroutine {
	deadline := time.Now().Add(limit)
	pause := time.Millisecond
	for {
		left := leaked(before)
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		time.Sleep(pause)
		pause = min(2*pause, 100*time.Millisecond)
	}
}

// leaked returns the goroutines of this moment that count as leaks.
func leaked(before map[string]bool) []goroutine {
	var left []goroutine
	for _, g := range parse(stacks()) {
		if !before[g.id] && !g.permanent() {
			left = append(left, g)
		}
	}
	return left
}

// snapshot returns the ids of the goroutines of this moment.
func snapshot() map[string]bool {
	ids := make(map[string]bool)
	for _, g := range parse(stacks()) {
		ids[g.id] = true
	}
	return ids
}

// permanent reports whether g lives as long as the process by the design of the
// standard library.
func (g goroutine) permanent() bool {
	return strings.HasPrefix(g.entry, "runtime.") || g.entry == "os/signal.loop"
}
