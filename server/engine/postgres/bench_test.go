package postgres

import (
	"context"
	"sync"
	"testing"

	"github.com/go-lro/lro/server/engine"
)

// The benchmarks run on a server that does not sync its commits, and so compare
// changes of this package alone.

// eachCallers runs a benchmark with an engine of its own for each number of callers.
func eachCallers(b *testing.B, run func(b *testing.B, e *Engine, n int)) {
	b.Helper()
	for _, bb := range []struct {
		name    string
		callers int
	}{{"1 caller", 1}, {"64 callers", 64}} {
		b.Run(bb.name, func(b *testing.B) {
			run(b, newStore(b, &Options{}).open(b), bb.callers)
		})
	}
}

func BenchmarkStart(b *testing.B) {
	eachCallers(b, func(b *testing.B, e *Engine, n int) {
		request := text("request")
		callers(b, n, func() error {
			_, err := e.Start(b.Context(), engine.Spec{Kind: "bench", Parent: "projects/p", Request: request})
			return err
		})
	})
}

func BenchmarkGet(b *testing.B) {
	eachCallers(b, func(b *testing.B, e *Engine, n int) {
		rec, err := e.Start(b.Context(), engine.Spec{Kind: "bench", Request: text("request")})
		if err != nil {
			b.Fatal(err)
		}
		callers(b, n, func() error {
			_, err := e.Get(b.Context(), rec.Name)
			return err
		})
	})
}

// BenchmarkRun is the life of an operation that does nothing, with a caller that
// waits for it.
func BenchmarkRun(b *testing.B) {
	eachCallers(b, func(b *testing.B, e *Engine, n int) {
		ctx, stop := context.WithCancel(b.Context())
		var working sync.WaitGroup
		working.Go(func() {
			_ = e.Work(ctx, engine.Worker{Kinds: map[string]int{"bench": 0}, Run: func(context.Context, engine.Attempt) engine.Outcome {
				return engine.Outcome{Response: text("response")}
			}})
		})
		defer working.Wait()
		defer stop()
		callers(b, n, func() error {
			rec, err := e.Start(b.Context(), engine.Spec{Kind: "bench", Request: text("request")})
			if err == nil {
				_, err = e.Wait(b.Context(), rec.Name)
			}
			return err
		})
	})
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
