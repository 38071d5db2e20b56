package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-lro/lro/bench/report"
)

// goBench is a run of benchmarks of package testing that are part of this
// repository, and what of their metrics is shown.
type goBench struct {
	pkg, pattern, time string
	metrics            []metric
}

// metric is one of a benchmark. The benchmark's name is without the number of
// processors behind it.
type metric struct {
	what, bench, unit string
	promise           string
	over              string // show the quotient by the same metric of this benchmark
}

var serverBenches = []goBench{
	{"./server", "^BenchmarkGet$", "15x", []metric{
		{"GetOperation over gRPC from the cache, of a bare handler's rate", "BenchmarkGet", "cached-ratio", "≥ 0.9", ""},
		{"GetOperation over gRPC from disk, of a bare handler's rate", "BenchmarkGet", "disk-ratio", "≥ 0.6", ""},
		{"the bare handler against itself, for the noise", "BenchmarkGet", "control-ratio", "", ""},
		{"GetOperation of the bare handler, 32 callers, a second", "BenchmarkGet", "constant/s", "", ""},
	}},
	{"./server/engine/sqlite", "^BenchmarkStart$", "15x", []metric{
		{"durable starts, 64 callers, of a bare group-commit writer's rate", "BenchmarkStart/plain", "of-bare", "≥ 0.5", ""},
		{"the same with a request_id each", "BenchmarkStart/request_ID", "of-bare", "≥ 0.33", ""},
		{"durable starts a second", "BenchmarkStart/plain", "starts/s", "", ""},
		{"p99 of a start over its p50", "BenchmarkStart/plain", "p99/p50", "≤ 10", ""},
	}},
	{"./server", "^BenchmarkStartToWait$", "300x", []metric{
		{"start to Wait's return, of 3 bare commits and 3 bare RPCs", "BenchmarkStartToWait", "of-3+3", "≤ 1", ""},
		{"start to Wait's return, µs", "BenchmarkStartToWait", "us", "", ""},
	}},
	{"./server", "^BenchmarkWait$", "5x", []metric{
		{"10,000 callers wait for one operation: last answer, ms after its end", "BenchmarkWait/operations=1", "ms-late", "≤ 400", ""},
		{"10,000 callers wait for one each: last answer, ms after its end", "BenchmarkWait/operations=10000", "ms-late", "≤ 400", ""},
		{"resident server memory of a waiting caller, one operation, B", "BenchmarkWait/operations=1", "B/caller", "≤ 16384", ""},
		{"resident server memory of a waiting caller, an operation each, B", "BenchmarkWait/operations=10000", "B/caller", "≤ 16384", ""},
	}},
	{"./server/engine/sqlite", "^Benchmark(Get|List)$", "2000x", []metric{
		{"Get from disk, p50 with 100,000 operations over p50 with 1,000", "BenchmarkGet/disk/100000", "p50-ns", "≤ 2", "BenchmarkGet/disk/1000"},
		{"List of a page with done:false, the same", "BenchmarkList/active/100000", "p50-us", "≤ 2", "BenchmarkList/active/1000"},
		{"Get from the cache in process, 1,000 operations, p50, ns", "BenchmarkGet/cache/1000", "p50-ns", "", ""},
		{"Get from the cache in process, 100,000 operations, p50, ns", "BenchmarkGet/cache/100000", "p50-ns", "", ""},
		{"List of a page with done:false, 100,000 operations, p50, µs", "BenchmarkList/active/100000", "p50-us", "", ""},
	}},
	{".", "^BenchmarkPoll$/^ratio$", "1x", []metric{
		{"a poll of the future over the bare stub", "BenchmarkPoll/ratio", "future/bare", "≤ 1.06", ""},
		{"a poll of the future over the stub with a deadline, routing header, header and trailer", "BenchmarkPoll/ratio", "future/stub", "", ""},
		{"the bare stub over itself, for the noise", "BenchmarkPoll/ratio", "control/bare", "", ""},
	}},
	{".", "^BenchmarkLongPoll$", "1x", []metric{
		{"1,000 long polls on our own server: p50 late, ms", "BenchmarkLongPoll", "ms-late-p50", "", ""},
		{"the same: p99 late, ms", "BenchmarkLongPoll", "ms-late-p99", "", ""},
	}},
	{".", "^BenchmarkGroupMemory$/^100000$", "1x", []metric{
		{"heap of an operation that waits in a Group, B", "BenchmarkGroupMemory/100000", "B/operation", "", ""},
	}},
}

var temporalBenches = []goBench{
	{".", "^Benchmark(Start|Get|StartToWait)$", "300x", []metric{
		{"start through the service, of the SDK's speed", "BenchmarkStart", "of-sdk", "≥ 0.9", ""},
		{"start through the service, p50, µs", "BenchmarkStart", "us", "", ""},
		{"start by the SDK, p50, µs", "BenchmarkStart", "sdk-us", "", ""},
		{"get through the service, of the SDK's speed", "BenchmarkGet", "of-sdk", "≥ 0.9", ""},
		{"get through the service, p50, µs", "BenchmarkGet", "us", "", ""},
		{"get by the SDK, p50, µs", "BenchmarkGet", "sdk-us", "", ""},
		{"start to Wait's return through the service, of the SDK's speed", "BenchmarkStartToWait", "of-sdk", "≥ 0.9", ""},
		{"start to Wait's return through the service, p50, µs", "BenchmarkStartToWait", "us", "", ""},
		{"start to Wait's return by the SDK, p50, µs", "BenchmarkStartToWait", "sdk-us", "", ""},
	}},
	{".", "^BenchmarkWorkers$", "3x", []metric{
		{"operations a second with 1 worker", "BenchmarkWorkers/1", "ops/s", "", ""},
		{"operations a second with 4 workers over those with 1", "BenchmarkWorkers/4", "of-1", "", ""},
	}},
}

// server runs the benchmarks of the server and the future.
func (b *bench) server(ctx context.Context) error {
	benches := serverBenches
	if b.short {
		benches = benches[len(benches)-3 : len(benches)-2]
	}
	b.report.Server = b.goBenches(ctx, ".", benches)
	return nil
}

// temporal runs those of the engine on Temporal, whose server is built first.
func (b *bench) temporal(ctx context.Context) error {
	b.report.Temporal = b.goBenches(ctx, "temporal", temporalBenches, "LRO_TEMPORAL=1")
	return nil
}

// goBenches runs benchmarks of the module in a folder of the repository, with
// env set.
func (b *bench) goBenches(ctx context.Context, module string, benches []goBench, env ...string) (all []report.Figure) {
	for _, g := range benches {
		b.say("benchmarks: %s %s", path.Join(module, g.pkg), g.pattern)
		results, err := goTest(ctx, filepath.Join(b.programs.root, module), g, env)
		note := ""
		if err != nil {
			note = err.Error()
		}
		for _, m := range g.metrics {
			all = append(all, m.figure(results, path.Join(module, g.pkg), note))
		}
	}
	return all
}

// figure looks the metric up.
func (m metric) figure(all []result, pkg, note string) report.Figure {
	f := report.Figure{What: m.what, Unit: m.unit, Promise: m.promise, Package: pkg, Bench: m.bench, Note: note}
	v, ok := lookup(all, m.bench, m.unit)
	if m.over != "" {
		base, found := lookup(all, m.over, m.unit)
		v, ok = v/base, ok && found
		f.Unit = m.unit + " / " + m.unit
	}
	switch {
	case ok:
		f.Value = v
	case f.Note == "":
		f.Note = "the benchmark did not report it"
	}
	return f
}

// goTest runs benchmarks and returns what they printed, also when one failed.
func goTest(ctx context.Context, dir string, g goBench, env []string) ([]result, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-short", "-run=^$", "-bench="+g.pattern, "-benchtime="+g.time, "-timeout=20m", g.pkg)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	results := parseBenchmarks(string(out))
	if err != nil {
		return results, fmt.Errorf("go test -bench %s %s: %w: %s", g.pattern, g.pkg, err, lastLine(string(out)))
	}
	return results, nil
}

// result is one line of the output of a benchmark.
type result struct {
	name   string
	values []struct {
		value float64
		unit  string
	}
}

// parseBenchmarks reads lines such as "BenchmarkA/b-2  15  12.5 ns/op  3 x/s".
func parseBenchmarks(out string) []result {
	var all []result
	for l := range strings.Lines(out) {
		fields := strings.Fields(l)
		if len(fields) < 4 || len(fields)%2 != 0 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		r := result{name: fields[0]}
		if i := strings.LastIndexByte(r.name, '-'); i > 0 {
			if _, err := strconv.Atoi(r.name[i+1:]); err == nil {
				r.name = r.name[:i]
			}
		}
		for i := 2; i < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				continue
			}
			r.values = append(r.values, struct {
				value float64
				unit  string
			}{v, fields[i+1]})
		}
		all = append(all, r)
	}
	return all
}

func lookup(all []result, name, unit string) (float64, bool) {
	for _, r := range all {
		for _, v := range r.values {
			if r.name == name && v.unit == unit {
				return v.value, true
			}
		}
	}
	return 0, false
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
