package leak

import (
	"runtime"
	"strings"
)

// goroutine is one entry of a stack dump.
type goroutine struct {
	id    string
	entry string // the function it was started with
	stack string // the entry as the runtime printed it
}

// stacks returns the dump of all goroutines. The runtime leaves out its own,
// unless GOTRACEBACK asks for them.
func stacks() string {
	for size := 64 << 10; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return string(buf[:n])
		}
	}
}

// parse splits a dump of [runtime.Stack]. An entry looks like this:
//
//	goroutine 7 [chan receive, 2 minutes]:
//	main.leaf(...)
//		/src/main.go:12 +0x1d
//	main.start.func1()
//		/src/main.go:30 +0x25
//	created by main.start in goroutine 1
//		/src/main.go:29 +0x66
func parse(dump string) []goroutine {
	var all []goroutine
	for stack := range strings.SplitSeq(strings.TrimSpace(dump), "\n\n") {
		head, frames, _ := strings.Cut(stack, "\n")
		rest, ok := strings.CutPrefix(head, "goroutine ")
		if !ok {
			continue
		}
		id, _, _ := strings.Cut(rest, " ")
		all = append(all, goroutine{id: id, entry: entry(frames), stack: stack})
	}
	return all
}

// entry returns the outermost function of the frames of one goroutine, without
// its arguments. A stack too deep for the dump has its outermost frames after
// an "...N frames elided..." line, so the last function is right there too.
// Outside of everything stands runtime.goexit, which is printed for goroutines
// that have not run yet, and for all with GOTRACEBACK=system.
func entry(frames string) string {
	var last string
	for line := range strings.Lines(frames) {
		if strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "...") {
			continue
		}
		if strings.HasPrefix(line, "created by ") {
			break
		}
		if strings.HasPrefix(line, "runtime.goexit(") {
			continue
		}
		last = strings.TrimSpace(line)
	}
	if i := strings.LastIndexByte(last, '('); i > 0 {
		last = last[:i]
	}
	return last
}
