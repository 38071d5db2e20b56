package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-lro/lro/bench/report"
	"github.com/go-lro/lro/bench/scripted"
	"github.com/go-lro/lro/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestServe(t *testing.T) {
	t.Parallel()
	in, ask := io.Pipe()
	out, answer := io.Pipe()
	served := make(chan error, 1)
	go func() { served <- serve(nil, in, answer) }()
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "127.0.0.1:") {
		t.Fatalf("serve printed %q, want an address", lines.Text())
	}
	fmt.Fprintln(ask, "a")
	var c scripted.Counts
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &c) != nil || c.Polls() != 0 {
		t.Errorf("serve answered %q, want counts of 0", lines.Text())
	}
	ask.Close()
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	good, bad := scripted.Operation{Label: "a", End: 100}.Name(), scripted.Operation{Label: "a", End: 100, Fails: true}.Name()
	for _, tt := range []struct {
		name string
		line line
		want outcome
	}{
		{"success", line{Name: good, At: 110, Response: good}, right},
		{"failure", line{Name: bad, At: 110, Error: "rpc error: " + scripted.Failure(bad)}, right},
		{"gave up", line{Name: good, At: 110, Error: "unavailable"}, gaveUp},
		{"gave up early", line{Name: good, At: 10, Error: "unavailable"}, gaveUp},
		{"gave up on a failure", line{Name: bad, At: 110, Error: "unavailable"}, gaveUp},
		{"early", line{Name: good, At: 90, Response: good}, wrong},
		{"another's response", line{Name: good, At: 110, Response: bad}, wrong},
		{"no response", line{Name: good, At: 110}, wrong},
		{"failure of another", line{Name: bad, At: 110, Error: scripted.Failure(good)}, gaveUp},
		{"failure for success", line{Name: good, At: 110, Error: scripted.Failure(good)}, wrong},
		{"success for failure", line{Name: bad, At: 110, Response: bad}, wrong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := judge(tt.line)
			if err != nil || got.outcome != tt.want || (got.err == "") != (tt.want == right) {
				t.Errorf("judge(%+v) = %+v, %v, want outcome %v", tt.line, got, err, tt.want)
			}
			if want := time.Duration(tt.line.At - 100); got.late != want {
				t.Errorf("judge(%+v) is %v late, want %v", tt.line, got.late, want)
			}
		})
	}
	if got, err := judge(line{Name: "x"}); err == nil {
		t.Errorf("judge of a strange name = %+v, want an error", got)
	}
}

func shell(script string) *exec.Cmd { return exec.Command("sh", "-c", script) }

func TestPeer(t *testing.T) {
	t.Parallel()
	name := scripted.Operation{Label: "a", End: 100}.Name()
	p, err := run(t.Context(), shell(fmt.Sprintf(`echo '{"ready": 1}'; echo '{"name": "%s", "at": 150, "response": "%[1]s"}'`, name)), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	ready := 0
	ends, err := p.ends(func() { ready++ })
	if err != nil || ready != 1 || len(ends) != 1 || ends[0] != (end{late: 50}) {
		t.Errorf("ends = %+v, %v, ready %d times, want one, 50 ns late, ready once", ends, err, ready)
	}
}

func TestPeerFails(t *testing.T) {
	t.Parallel()
	p, err := run(t.Context(), shell(`echo trouble >&2; exit 3`), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.ends(nil); err == nil || !strings.Contains(err.Error(), "trouble") {
		t.Errorf("ends of a peer that fails = %v, want what it said", err)
	}
	if p, err := run(t.Context(), exec.Command("/does/not/exist"), time.Minute); err == nil {
		t.Errorf("run of no program = %v, want an error", p)
	}
}

// One that hangs is killed, whatever it thinks of being asked.
func TestPeerHangs(t *testing.T) {
	t.Parallel()
	p, err := run(t.Context(), shell(`trap '' TERM; echo '{"ready": 1}'; exec sleep 1000`), 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.ends(nil); !errors.Is(err, errTooSlow) {
		t.Errorf("ends of a peer that hangs = %v, want %v", err, errTooSlow)
	}
}

func TestPeerStops(t *testing.T) {
	t.Parallel()
	stopped := errors.New("stopped")
	ctx, stop := context.WithCancelCause(t.Context())
	p, err := run(ctx, exec.Command("sleep", "1000"), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	stop(stopped)
	if _, err := p.ends(nil); !errors.Is(err, stopped) {
		t.Errorf("ends after ctx = %v, want its cause", err)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, script, want string
	}{
		{"waits", `echo '{"ready": 1}'; echo '{"name": "x", "error": "gave up"}'; exec sleep 1000`, ""},
		{"ends", `echo '{"ready": 1}'`, "ended early"},
		{"gives up", `echo '{"ready": 1}'; echo '{"name": "x", "error": "gave up"}'; echo '{"name": "y", "error": "gave up"}'`, "all waits gave up"},
		{"cannot", `echo "no more threads" >&2; exit 1`, "no more threads"},
		{"never ready", `exec sleep 1000`, "did not begin"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			limit, window := time.Minute, 300*time.Millisecond
			switch tt.name {
			case "never ready":
				limit = window
			case "ends", "gives up":
				window = time.Minute
			}
			p, err := run(t.Context(), shell(tt.script), limit)
			if err != nil {
				t.Fatal(err)
			}
			row := report.Memory{Operations: 2}
			err = p.watch(&row, window)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("watch = %v, want %q", err, tt.want)
				}
				return
			}
			if err != nil || row.Resident == 0 || row.Peak < row.Resident || row.GaveUp != 1 {
				t.Errorf("watch = %v, %+v, want the memory of a shell, and one that gave up", err, row)
			}
		})
	}
}

func TestParseBenchmarks(t *testing.T) {
	t.Parallel()
	const out = "goos: linux\nBenchmarkA/b_c-16 \t 15\t 0.85 disk-ratio\t 1e+06 x/s\nBenchmarkWait/operations=10000-2  5  12 ms-late\n" +
		"BenchmarkOne  1  3 ns/op\nBenchmarkHalf  1  3\nBenchmarking is fun, really fun\nPASS\n"
	got := parseBenchmarks(out)
	for _, tt := range []struct {
		name, unit string
		want       float64
	}{
		{"BenchmarkA/b_c", "disk-ratio", 0.85},
		{"BenchmarkA/b_c", "x/s", 1e6},
		{"BenchmarkWait/operations=10000", "ms-late", 12},
		{"BenchmarkOne", "ns/op", 3},
	} {
		if v, ok := lookup(got, tt.name, tt.unit); !ok || v != tt.want {
			t.Errorf("lookup(%q, %q) = %v, %v, want %v", tt.name, tt.unit, v, ok, tt.want)
		}
	}
	if v, ok := lookup(got, "BenchmarkHalf", "3"); ok {
		t.Errorf("lookup of a line without unit = %v, want nothing", v)
	}
}

func TestFigure(t *testing.T) {
	t.Parallel()
	results := parseBenchmarks("BenchmarkA-2 1 10 us\nBenchmarkB-2 1 5 us\n")
	for _, tt := range []struct {
		metric metric
		note   string
		want   report.Figure
	}{
		{metric{bench: "BenchmarkA", unit: "us"}, "", report.Figure{Value: 10, Unit: "us"}},
		{metric{bench: "BenchmarkA", unit: "us", over: "BenchmarkB"}, "", report.Figure{Value: 2, Unit: "us / us"}},
		{metric{bench: "BenchmarkC", unit: "us"}, "", report.Figure{Unit: "us", Note: "the benchmark did not report it"}},
		{metric{bench: "BenchmarkC", unit: "us"}, "broken", report.Figure{Unit: "us", Note: "broken"}},
	} {
		tt.want.Bench, tt.want.Package = tt.metric.bench, "p"
		if diff := cmp.Diff(tt.want, tt.metric.figure(results, "p", tt.note)); diff != "" {
			t.Errorf("figure of %+v (-want +got):\n%s", tt.metric, diff)
		}
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.String("only", "", "")
	set.String("out", "", "")
	set.Bool("short", false, "")
	if err := set.Parse([]string{"-short", "-only", "poll", "-out", "/tmp/x"}); err != nil {
		t.Fatal(err)
	}
	if got, want := command(set), "go run . -only poll -short"; got != want {
		t.Errorf("command = %q, want %q", got, want)
	}
}

func TestSections(t *testing.T) {
	t.Parallel()
	b := &bench{}
	for _, tt := range []struct {
		only     string
		temporal bool
		want     int
	}{{"", false, 5}, {"", true, 6}, {"poll", false, 1}, {"lateness,server", true, 3}, {"nonsense", false, -1}, {"poll,nonsense", false, -1}} {
		got, err := b.sections(tt.only, tt.temporal)
		if (err != nil) != (tt.want < 0) || err == nil && len(got) != tt.want {
			t.Errorf("sections(%q, %v) = %d, %v, want %d", tt.only, tt.temporal, len(got), err, tt.want)
		}
	}
}

func TestMemoryLimits(t *testing.T) {
	t.Parallel()
	h := held{client: lroPoll, operations: 1000, most: 4096}
	for _, tt := range []struct {
		name string
		row  report.Memory
		want string
	}{
		{"within", report.Memory{Client: lroPoll.Name, Operations: 1000, Resident: 5096_000}, ""},
		{"above", report.Memory{Client: lroPoll.Name, Operations: 1000, Resident: 5097_000}, "takes 4097 bytes for each"},
		{"no figure", report.Memory{Client: lroPoll.Name, Operations: 1000, Note: "killed"}, "no figure: killed"},
		{"other client", report.Memory{Client: goLongrunning.Name, Operations: 1000, Resident: 1 << 40}, ""},
		{"other size", report.Memory{Client: lroPoll.Name, Operations: 999, Resident: 1 << 40}, ""},
	} {
		err := h.exceeded(tt.row, 1_000_000)
		if got := fmt.Sprint(err); (err == nil) != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}
