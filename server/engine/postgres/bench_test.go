package postgres

import (
	"context"
	"sync"
	"testing"

	"github.com/go-lro/lro/server/engine"
)

// The benchmarks run on a server that does not sync its commits, and so compare
// changes of this package alone.

func openBench(b *testing.B) *Engine {
	b.Helper()
	return newStore(b, &Options{}).open(b)
}

func BenchmarkStart(b *testing.B) {
	for _, bb := range []struct {
		name    string
		callers int
	}{{"1 caller", 1}, {"64 callers", 64}} {
		b.Run(bb.name, func(b *testing.B) {
			e := openBench(b)
			request := text("request")
			callers(b, bb.callers, func() error {
				_, err := e.Start(b.Context(), engine.Spec{Kind: "bench", Parent: "projects/p", Request: request})
				return err
			})
		})
	}
}

func BenchmarkGet(b *testing.B) {
	for _, bb := range []struct {
		name    string
		callers int
	}{{"1 caller", 1}, {"64 callers", 64}} {
		b.Run(bb.name, func(b *testing.B) {
			e := openBench(b)
			rec, err := e.Start(b.Context(), engine.Spec{Kind: "bench", Request: text("request")})
			if err != nil {
				b.Fatal(err)
			}
			callers(b, bb.callers, func() error {
				_, err := e.Get(b.Context(), rec.Name)
				return err
			})
		})
	}
}

// BenchmarkRun is the life of an operation that does nothing, with a caller that
// waits for it.
func BenchmarkRun(b *testing.B) {
	for _, bb := range []struct {
		name    string
		callers int
	}{{"1 caller", 1}, {"64 callers", 64}} {
		b.Run(bb.name, func(b *testing.B) {
			e := openBench(b)
			ctx, stop := context.WithCancel(b.Context())
			var working sync.WaitGroup
			working.Go(func() {
				_ = e.Work(ctx, engine.Worker{Kinds: map[string]int{"bench": 0}, Run: func(context.Context, engine.Attempt) engine.Outcome {
					return engine.Outcome{Response: text("response")}
				}})
			})
			defer working.Wait()
			defer stop()
			callers(b, bb.callers, func() error {
				rec, err := e.Start(b.Context(), engine.Spec{Kind: "bench", Request: text("request")})
				if err == nil {
					_, err = e.Wait(b.Context(), rec.Name)
				}
				return err
			})
		})
	}
}

// callers has n goroutines share the iterations of a benchmark.
func callers(b *testing.B, n int, call func() error) {
	b.Helper()
	work := make(chan struct{})
	var calling sync.WaitGroup
	for range n {
		calling.Go(func() {
			for range work {
				if err := call(); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for b.Loop() {
		work <- struct{}{}
	}
	close(work)
	calling.Wait()
}
