package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// BenchmarkColdStart measures a start of "lro get" against a program that makes
// the same call with grpc-go alone: interleaved, medians. The target is at most
// 30 ms over it.
func BenchmarkColdStart(b *testing.B) {
	s := serve(b)
	name := s.simulate(`{}`)
	s.wait(name)
	bare := filepath.Join(b.TempDir(), "bare")
	if out, err := exec.Command("go", "build", "-o", bare, "./testdata/bare").CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	lro := binary(b)
	run := func(path string, args ...string) time.Duration {
		cmd := exec.CommandContext(b.Context(), path, args...)
		cmd.Env = append(os.Environ(), s.env()...)
		begin := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%s: %v\n%s", path, err, out)
		}
		return time.Since(begin)
	}
	run(bare, s.addr, name) // both are in the page cache from here on
	run(lro, "get", name)
	var plain, ours []time.Duration
	for b.Loop() {
		plain = append(plain, run(bare, s.addr, name))
		ours = append(ours, run(lro, "get", name))
	}
	median := func(all []time.Duration) float64 {
		slices.Sort(all)
		return all[len(all)/2].Seconds() * 1000
	}
	b.ReportMetric(median(plain), "bare-ms")
	b.ReportMetric(median(ours), "lro-ms")
	b.ReportMetric(median(ours)-median(plain), "over-ms")
	b.ReportMetric(0, "ns/op")
}
