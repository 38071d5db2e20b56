package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// settings are those that River is tuned with; the first are its defaults.
var settings = []setting{
	{},
	{Workers: 1_000, Cooldown: 50 * time.Millisecond},
	{Workers: 10_000, Cooldown: 50 * time.Millisecond},
	{Workers: 1_000, Cooldown: time.Millisecond},
}

func (s setting) String() string {
	if s == (setting{}) {
		return "River, defaults"
	}
	return fmt.Sprintf("River, MaxWorkers %d, FetchCooldown %v", s.Workers, s.Cooldown)
}

const (
	lroName        = "lro"
	subscribedName = "lro, with a subscriber to the change feed"
	// unfinished bounds what is started and has not ended. It is more than what
	// can be worked on at once, so that neither side waits for work.
	unfinished = 2_000
)

// throughput measures operations and jobs from their start to their end.
func throughput(ctx context.Context, b *bench, p *part) (err error) {
	p.Title = "Start to end"
	p.Intro = fmt.Sprintf("%d callers in one process start operations that do nothing, up to %d unfinished at a time; two other processes run "+
		"them, 100 at once each. What counts is how many are known to the callers' process as done. River tells of the end of a job only in the process that has run it, so here that process "+
		"tells the callers without a query. \"One at a time\" has each caller wait for the end before it starts the next. A bare INSERT is of the same row, into a table "+
		"with the same indexes, with a connection for each caller.", callers, unfinished)
	s, err := b.serve(ctx, "run", setup{})
	if err != nil {
		return err
	}
	defer s.closing(&err)
	jobURL, err := b.river(ctx, "run_river")
	if err != nil {
		return err
	}
	endToEnd := func(most int) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) { return b.endToEnd(ctx, s, most) }
	}
	jobEndToEnd := func(set setting, most int) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) { return b.jobEndToEnd(ctx, jobURL, set, most) }
	}
	all := []contender{{lroName, endToEnd(unfinished)}, {subscribedName, func(ctx context.Context) (float64, error) {
		subscribed, err := subscribe(ctx, s)
		if err != nil {
			return 0, err
		}
		defer subscribed()
		return endToEnd(unfinished)(ctx)
	}}}
	for _, set := range settings {
		all = append(all, contender{set.String(), jobEndToEnd(set, unfinished)})
	}
	fast := settings[len(settings)-1]
	all = append(all, contender{"one at a time: " + lroName, endToEnd(callers)},
		contender{"one at a time: " + settings[0].String(), jobEndToEnd(settings[0], callers)},
		contender{"one at a time: " + fast.String(), jobEndToEnd(fast, callers)})
	values, failed := b.interleave(ctx, all)
	best := bestSetting(values)
	for _, name := range []string{lroName, subscribedName} {
		p.least(name+", over River with the best of its settings", "×", 1.5, ratios(values[name], values[best])...)
		p.least(name+", over River with its defaults", "×", 3, ratios(values[name], values[settings[0].String()])...)
	}
	for _, c := range all {
		p.plain(c.name, "a second", values[c.name]...)
	}
	p.note("The best setting of River was: %s.", strings.TrimPrefix(best, "River, "))
	return errors.Join(failed, b.starts(ctx, p, s, jobURL))
}

// bestSetting is that of River with the highest median, but for the defaults.
func bestSetting(values map[string][]float64) string {
	return slices.MaxFunc(settings[1:], func(a, b setting) int {
		if median(values[a.String()]) < median(values[b.String()]) {
			return -1
		}
		return 1
	}).String()
}

// subscribe reads the change feed until the func it returns is called.
func subscribe(ctx context.Context, s *service) (func(), error) {
	ctx, cancel := context.WithCancel(ctx)
	changes, err := s.Inspect().Subscribe(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range changes {
			continue // read, as a console does
		}
	}()
	return func() { cancel(); <-done }, nil
}

// endToEnd is one round of operations.
func (b *bench) endToEnd(ctx context.Context, s *service, most int) (float64, error) {
	stop, err := startWorkers(ctx, workerConfig{URL: s.url}, func(message) {})
	if err != nil {
		return 0, err
	}
	v, err := b.flow(ctx, most, func(ctx context.Context) (func(context.Context) error, error) {
		name, err := s.start(ctx, task{})
		return func(ctx context.Context) error { return s.wait(ctx, name) }, err
	})
	return v, errors.Join(err, stop())
}

// jobEndToEnd is one round of jobs.
func (b *bench) jobEndToEnd(ctx context.Context, url string, set setting, most int) (float64, error) {
	j, err := newJobs(ctx, url, callers, set)
	if err != nil {
		return 0, err
	}
	defer j.close()
	stop, err := startWorkers(ctx, workerConfig{URL: url, River: &set}, func(m message) { j.ended(m.Ended) })
	if err != nil {
		return 0, err
	}
	v, err := b.flow(ctx, most, func(ctx context.Context) (func(context.Context) error, error) {
		id, err := j.start(ctx, task{})
		return func(ctx context.Context) error { return j.wait(ctx, id) }, err
	})
	return v, errors.Join(err, stop())
}

// startWorkers starts two workers, and returns what stops them.
func startWorkers(ctx context.Context, c workerConfig, hear func(message)) (stop func() error, err error) {
	var all []*worker
	stop = func() error {
		var err error
		for _, w := range all {
			err = errors.Join(err, w.stop())
		}
		return err
	}
	for range 2 {
		w, err := startWorker(ctx, c, hear)
		if err != nil {
			return nil, errors.Join(err, stop())
		}
		all = append(all, w)
	}
	return stop, nil
}

// flow has callers start work, most of it unfinished at a time, and returns how
// much of it ends a second once it flows. All has ended when it returns.
func (b *bench) flow(ctx context.Context, most int, start func(context.Context) (wait func(context.Context) error, err error)) (float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var ended atomic.Int64
	slots := make(chan struct{}, most)
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for {
				select {
				case slots <- struct{}{}:
				case <-stop:
					return
				}
				if isClosed(stop) {
					return
				}
				wait, err := start(ctx)
				if err != nil {
					cancel(err)
					return
				}
				all.Go(func() {
					if err := wait(ctx); err != nil {
						cancel(err)
						return
					}
					ended.Add(1)
					<-slots
				})
			}
		})
	}
	sleep(ctx, b.window/2)
	begun, before := time.Now(), ended.Load()
	sleep(ctx, b.window)
	v := float64(ended.Load()-before) / time.Since(begun).Seconds()
	close(stop)
	all.Wait()
	return v, context.Cause(ctx)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// starts measures starts alone.
func (b *bench) starts(ctx context.Context, p *part, s *service, jobURL string) error {
	j, err := newJobs(ctx, jobURL, callers, setting{})
	if err != nil {
		return err
	}
	defer j.close()
	pool, err := newPool(ctx, s.pool.Config().ConnString(), callers, nil)
	if err != nil {
		return err
	}
	defer pool.Close()
	for _, pool := range []*pgxpool.Pool{pool, s.pool, j.pool} {
		if err := warm(ctx, pool); err != nil {
			return err
		}
	}
	insert, err := bareInsert(ctx, pool)
	if err != nil {
		return err
	}
	values, failed := b.interleave(ctx, []contender{
		{"start", func(ctx context.Context) (float64, error) {
			return rate(ctx, callers, b.window, func(ctx context.Context) error {
				_, err := s.start(ctx, task{})
				return err
			})
		}},
		{"insert", func(ctx context.Context) (float64, error) { return rate(ctx, callers, b.window, insert) }},
		{"river", func(ctx context.Context) (float64, error) {
			return rate(ctx, callers, b.window, func(ctx context.Context) error {
				_, err := j.start(ctx, task{})
				return err
			})
		}},
	})
	p.least("start alone, of a bare INSERT", "×", 1, ratios(values["start"], values["insert"])...)
	p.plain("start alone", "a second", values["start"]...)
	p.plain("bare INSERT", "a second", values["insert"]...)
	p.plain("River's Insert", "a second", values["river"]...)
	return failed
}

// bareInsert makes a table like that of operations, and returns a func that
// inserts the row of an operation that was just started.
func bareInsert(ctx context.Context, pool *pgxpool.Pool) (func(context.Context) error, error) {
	_, err := pool.Exec(ctx, `CREATE TABLE bare (LIKE lro.op INCLUDING ALL); CREATE SEQUENCE bare_seq`)
	if err != nil {
		return nil, err
	}
	var request []byte
	if err := pool.QueryRow(ctx, "SELECT request FROM lro.op ORDER BY seq DESC LIMIT 1").Scan(&request); err != nil {
		return nil, fmt.Errorf("read an operation: %w", err)
	}
	return func(ctx context.Context) error {
		_, err := pool.Exec(ctx, `INSERT INTO bare (seq, tail, parent, kind, flags, create_time, crash_limit, retention, lease_for, request)
			VALUES (nextval('bare_seq'), 'abcdefghij', '', $1, 0, statement_timestamp(), 5, $2, 0, $3)`,
			kind.Name, int64(30*24*time.Hour), request)
		return err
	}, nil
}
