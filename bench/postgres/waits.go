package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/enginekit"
	"github.com/go-lro/lro/server/engine/postgres"
)

// waitMode is how callers learn of the end.
type waitMode struct {
	name     string
	response int
	pollOnly bool
	late     float64 // goal in milliseconds
}

// waits measures many callers that wait for operations of another process.
func waits(ctx context.Context, b *bench, p *part) error {
	n, rate, rounds := 10_000, 1000, min(b.rounds, 3)
	if b.short {
		n, rate = 200, 200
	}
	p.Title = "Waiting for operations of another process"
	p.Intro = fmt.Sprintf("%d callers in one process wait for one operation each, which run in another process and end there %d a second. "+
		"Lateness is from the end that the database has stored to the return of the caller. Queries are those of the process of the callers "+
		"that read what is waited for, from the first end to the last: at most 10 a second, so an end that is read waits up to 101 ms for the next "+
		"read, up to 100 ms by polling alone, and then for the read. Memory is heap and stacks. Medians of %d rounds.", n, rate, rounds)
	var failed error
	modes := []waitMode{
		{"result fits a notification", 64, false, 20},
		{"result of 10,000 bytes, which does not", 10_000, false, 120},
		{"without notifications, polling alone", 64, true, 120},
	}
	found := make([][]waited, len(modes))
	for round := range rounds {
		for i, mode := range modes {
			w, err := b.waitRound(ctx, fmt.Sprintf("wait_%d_%d", i, round), mode, n, rate)
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s: %w", mode.name, err))
				continue
			}
			found[i] = append(found[i], w)
		}
	}
	column := func(all []waited, f func(waited) float64) []float64 {
		var values []float64
		for _, w := range all {
			values = append(values, f(w))
		}
		return values
	}
	for i, mode := range modes {
		p.plain(mode.name+": late p50", "ms", column(found[i], func(w waited) float64 { return w.p50 })...)
		p.most(mode.name+": late p99", "ms", mode.late, column(found[i], func(w waited) float64 { return w.p99 })...)
		p.most(mode.name+": queries for waiting", "a second", 10, column(found[i], func(w waited) float64 { return w.queries })...)
		p.most(mode.name+": memory of a caller", "KiB", 16, column(found[i], func(w waited) float64 { return w.kib })...)
	}
	return failed
}

// waited is what a round found.
type waited struct{ p50, p99, queries, kib float64 }

func (b *bench) waitRound(ctx context.Context, name string, mode waitMode, n, perSecond int) (found waited, err error) {
	counted := &queries{}
	s, err := b.serve(ctx, name, setup{engine: postgres.Options{PollOnly: mode.pollOnly}, tracer: counted})
	if err != nil {
		return found, err
	}
	defer s.closing(&err)
	w, err := startWorker(ctx, workerConfig{URL: s.url, Slots: n}, func(message) {})
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	names, err := s.startMany(ctx, n, task{Parked: true, Response: mode.response})
	if err != nil {
		return found, err
	}
	if err := s.running(ctx, n); err != nil {
		return found, err
	}
	before := memory()
	returned := make([]time.Time, n)
	done := make(chan error, 1)
	go func() {
		done <- each(n, n, func(i int) error {
			err := s.wait(ctx, names[i])
			returned[i] = time.Now()
			return err
		})
	}()
	sleep(ctx, 2*time.Second) // all wait
	found.kib = (memory() - before) / float64(n) / 1024
	begin, asked := time.Now(), counted.waited()
	if err := w.tell(message{Release: perSecond}); err != nil {
		return found, err
	}
	if err := <-done; err != nil {
		return found, err
	}
	took := time.Since(begin).Seconds()
	found.queries = float64(counted.waited()-asked-1) / took // as many pauses between them
	ends, err := s.ends(ctx)
	if err != nil {
		return found, err
	}
	var late []float64
	for i, name := range names {
		seq, _ := enginekit.ParseSeqName(name)
		late = append(late, milliseconds(returned[i].Sub(ends[seq])))
	}
	found.p50, found.p99 = quantile(late, 0.5), quantile(late, 0.99)
	return found, nil
}

// running waits until n operations run.
func (s *service) running(ctx context.Context, n int) error {
	for range 600 {
		stats, err := s.Inspect().Stats(ctx)
		if err != nil {
			return err
		}
		if stats.Counts[kind.Name][server.Running] == int64(n) {
			return nil
		}
		sleep(ctx, 100*time.Millisecond)
	}
	return errors.New("operations do not run")
}

// ends returns when operations ended, by their numbers.
func (s *service) ends(ctx context.Context) (map[int64]time.Time, error) {
	rows, err := s.pool.Query(ctx, "SELECT seq, end_time FROM lro.op WHERE end_time IS NOT NULL")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := make(map[int64]time.Time)
	for rows.Next() {
		var seq int64
		var end time.Time
		if err := rows.Scan(&seq, &end); err != nil {
			return nil, err
		}
		all[seq] = end
	}
	return all, rows.Err()
}

// memory is what the heap and the stacks of this process take.
func memory() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}
