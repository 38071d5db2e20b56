package leak

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// scenarioEnv makes this test binary act as another one, whose tests are one of
// the scenarios.
const scenarioEnv = "LRO_LEAK_TEST_SCENARIO"

func TestMain(m *testing.M) {
	if name, ok := os.LookupEnv(scenarioEnv); ok {
		if name == "started before the tests" {
			go planted(make(chan struct{}))
		}
		os.Exit(run(scenarios[name], os.Stderr, 500*time.Millisecond))
	}
	Main(m)
}

// scenario stands for the tests of a package.
type scenario func() int

func (s scenario) Run() int { return s() }

var scenarios = map[string]scenario{
	"nothing left": func() int { return 0 },
	"left for good": func() int {
		go planted(make(chan struct{}))
		return 0
	},
	"ends within the grace": func() int {
		stop := make(chan struct{})
		time.AfterFunc(50*time.Millisecond, func() { close(stop) })
		go planted(stop)
		return 0
	},
	"left after a failure": func() int {
		go planted(make(chan struct{}))
		return 3
	},
	"left in a copy": func() int {
		go planted(make(chan struct{}))
		return 0
	},
	"started before the tests": func() int { return 0 },
	"signals were handled": func() int {
		c := make(chan os.Signal, 1)
		signal.Notify(c, os.Interrupt)
		signal.Stop(c)
		return 0
	},
}

//go:noinline
func planted(stop chan struct{}) { <-stop }

func TestRun(t *testing.T) {
	t.Parallel()
	tests := []struct {
		scenario string
		copy     bool // the process knows that it is a copy of its parent
		want     int
	}{
		{scenario: "nothing left", want: 0},
		{scenario: "left for good", want: 1},
		{scenario: "ends within the grace", want: 0},
		{scenario: "left after a failure", want: 3},
		{scenario: "left in a copy", copy: true, want: 0},
		{scenario: "started before the tests", want: 0},
		{scenario: "signals were handled", want: 0},
	}
	for _, tt := range tests {
		t.Run(tt.scenario, func(t *testing.T) {
			t.Parallel()
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), exe)
			cmd.Env = append(os.Environ(), scenarioEnv+"="+tt.scenario)
			if !tt.copy {
				cmd.Env = append(cmd.Env, binaryEnv+"=")
			}
			out, err := cmd.CombinedOutput()
			if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
				t.Fatal(err)
			}
			if got := cmd.ProcessState.ExitCode(); got != tt.want {
				t.Errorf("exit status of %q = %d, want %d; output:\n%s", tt.scenario, got, tt.want, out)
			}
			if got, want := bytes.Contains(out, []byte("leak.planted")), tt.want == 1; got != want {
				t.Errorf("output of %q names the planted goroutine: %t, want %t; output:\n%s", tt.scenario, got, want, out)
			}
		})
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	const dump = `goroutine 1 [running]:
main.main()
	/src/main.go:8 +0x1d

goroutine 34 [chan receive, 2 minutes, locked to thread]:
example.com/x.(*T[...]).loop(0xc000012345, {0x1, 0x2})
	/src/x.go:12 +0x1d
example.com/x.New.func1()
	/src/x.go:30 +0x25
created by example.com/x.New in goroutine 1
	/src/x.go:29 +0x66

goroutine 35 [runnable]:
example.com/x.New.gowrap1()
	/src/x.go:31
runtime.goexit({})
	/go/src/runtime/asm_amd64.s:1771 +0x1
created by example.com/x.New in goroutine 1
	/src/x.go:31 +0x66

goroutine 5 [syscall]:
os/signal.signal_recv()
	/go/src/runtime/sigqueue.go:152 +0x29
os/signal.loop()
	/go/src/os/signal/signal_unix.go:23 +0x13
created by os/signal.Notify.func1.1 in goroutine 1
	/go/src/os/signal/signal.go:152 +0x1f
`
	type row struct {
		ID, Entry string
		Permanent bool
	}
	var got []row
	for _, g := range parse(dump) {
		got = append(got, row{g.id, g.entry, g.permanent()})
	}
	want := []row{
		{"1", "main.main", false},
		{"34", "example.com/x.New.func1", false},
		{"35", "example.com/x.New.gowrap1", false},
		{"5", "os/signal.loop", true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parse(dump) (-want +got):\n%s", diff)
	}
}

func TestStacksGrow(t *testing.T) {
	t.Parallel()
	const n = 1000 // their dump is far longer than the first buffer
	stop := make(chan struct{})
	defer close(stop)
	for range n {
		go planted(stop)
	}
	got := 0
	for _, g := range parse(stacks()) {
		if strings.Contains(g.stack, "leak.TestStacksGrow in goroutine") {
			got++
		}
	}
	if got != n {
		t.Errorf("parse(stacks()) has %d planted goroutines, want %d", got, n)
	}
}

// FuzzParse shows that no dump makes parse panic or invent goroutines.
func FuzzParse(f *testing.F) {
	f.Add(stacks())
	f.Add("goroutine 1 [running]:\n")
	f.Add("goroutine \n(\n\n\n\ncreated by ")
	f.Fuzz(func(t *testing.T, dump string) {
		if got, most := len(parse(dump)), strings.Count(dump, "goroutine "); got > most {
			t.Errorf("parse(%q) = %d goroutines, want at most %d", dump, got, most)
		}
	})
}
