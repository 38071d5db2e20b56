package main

import (
	"context"
	"fmt"
	"log"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// contender is one of those that take turns.
type contender struct {
	name string
	run  func(context.Context) (float64, error)
}

// interleave runs all contenders once in each round, each time beginning with
// another one, and returns their values by name. A contender that fails has NaN
// in that round, and the error is returned with the rest.
func (b *bench) interleave(ctx context.Context, all []contender) (map[string][]float64, error) {
	values := make(map[string][]float64)
	var failed error
	for round := range b.rounds {
		for i := range all {
			c := all[(i+round)%len(all)]
			v, err := c.run(ctx)
			if err != nil {
				v = math.NaN()
				if failed == nil {
					failed = fmt.Errorf("%s: %w", c.name, err)
				}
				log.Printf("%s: %v", c.name, err)
			}
			values[c.name] = append(values[c.name], v)
		}
		if ctx.Err() != nil {
			return values, context.Cause(ctx)
		}
	}
	return values, failed
}

// rate has callers call f one after the other for d. It returns how many calls
// returned a second.
func rate(ctx context.Context, callers int, d time.Duration, f func(context.Context) error) (float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var calls atomic.Int64
	var all sync.WaitGroup
	begin := time.Now()
	for range callers {
		all.Go(func() {
			for time.Since(begin) < d && ctx.Err() == nil {
				if err := f(ctx); err != nil {
					cancel(err)
					return
				}
				calls.Add(1)
			}
		})
	}
	all.Wait()
	took := time.Since(begin)
	return float64(calls.Load()) / took.Seconds(), context.Cause(ctx)
}

// warm opens all connections of a pool.
func warm(ctx context.Context, pool *pgxpool.Pool) error {
	var conns []*pgxpool.Conn
	defer func() {
		for _, c := range conns {
			c.Release()
		}
	}()
	for range pool.Config().MaxConns {
		c, err := pool.Acquire(ctx)
		if err != nil {
			return err
		}
		conns = append(conns, c)
	}
	return nil
}

// times calls f one after the other, n times, and returns how long each took in
// milliseconds.
func times(n int, f func() error) ([]float64, error) {
	var all []float64
	for range n {
		begin := time.Now()
		if err := f(); err != nil {
			return nil, err
		}
		all = append(all, milliseconds(time.Since(begin)))
	}
	return all, nil
}

// each calls f with 0 to n-1, in some goroutines, and returns the first error.
func each(n, goroutines int, f func(i int) error) error {
	var next atomic.Int64
	var first error
	var once sync.Once
	var all sync.WaitGroup
	for range min(n, goroutines) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					once.Do(func() { first = err })
					return
				}
			}
		})
	}
	all.Wait()
	return first
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func median(all []float64) float64 { return quantile(all, 0.5) }

// quantile returns NaN for nothing. What is not a number is left out.
func quantile(all []float64, q float64) float64 {
	sorted := slices.DeleteFunc(slices.Clone(all), math.IsNaN)
	if len(sorted) == 0 {
		return math.NaN()
	}
	slices.Sort(sorted)
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// ratios divides the values of each round.
func ratios(a, b []float64) []float64 {
	all := make([]float64, min(len(a), len(b)))
	for i := range all {
		all[i] = a[i] / b[i]
	}
	return all
}
