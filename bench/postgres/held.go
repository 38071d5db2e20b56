package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-lro/lro/bench/report"
)

// load is a constant rate of operations, or of jobs, on a database of its own.
type load struct {
	name string
	pool *pgxpool.Pool

	mu           sync.Mutex
	started      int
	claims, ends []float64 // since the last sample
	all          []sample
}

// sample is what was found in an interval.
type sample struct {
	at                             time.Duration // its end, since the begin
	claim50, claim99, end50, end99 float64       // milliseconds
	dead                           int           // rows, of all tables
	started                        int           // since the begin
	allClaims, allEnds             []float64
}

const perSecond = 300

// held measures a load beside a transaction that stays open.
func held(ctx context.Context, b *bench, p *part) (err error) {
	every, after := 30*time.Second, 2*time.Minute
	if b.short {
		every, after = time.Second, time.Second
	}
	p.Title = "A transaction held open"
	p.Intro = fmt.Sprintf("%d operations a second, each of which does nothing, for %v beside a transaction that stays open in their database, and "+
		"that PostgreSQL must keep all dead rows for. At the same time the same load on a database without one, and %d jobs of River a second "+
		"beside such a transaction. Claim and end are the queries of the worker that claim and end what it runs. Dead rows are PostgreSQL's estimate for all "+
		"tables of the database.", perSecond, b.held, perSecond)
	const ourHeld, ourControl, theirs = "lro", "lro, control", "River"
	loads := []*load{{name: ourHeld}, {name: ourControl}, {name: theirs}}
	var running sync.WaitGroup
	loading, stop := context.WithCancelCause(ctx)
	defer running.Wait()
	defer stop(nil)
	var stops []func() error
	defer func() {
		for _, f := range stops {
			err = errors.Join(err, f())
		}
	}()
	for i, l := range loads {
		start, cleanup, err := b.load(ctx, l, fmt.Sprint("held_", i), l.name == theirs)
		stops = append(stops, cleanup)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		running.Go(func() { l.run(loading, start, stop) })
	}
	sleep(loading, every/3) // caches are warm, plans are made
	for _, l := range loads {
		if _, err := l.pool.Exec(ctx, "VACUUM"); err != nil { // no row that died before is counted
			return err
		}
	}
	release, err := hold(ctx, loads[0].pool)
	if err != nil {
		return err
	}
	releaseTheirs, err := hold(ctx, loads[2].pool)
	stops = append([]func() error{release}, stops...) // before their pools are closed
	if err != nil {
		return err
	}
	stops = append([]func() error{releaseTheirs}, stops...)
	for _, l := range loads {
		l.reset()
	}
	begin := time.Now()
	for time.Since(begin) < b.held && loading.Err() == nil {
		sleep(loading, every)
		for _, l := range loads {
			if err := l.sample(ctx, time.Since(begin)); err != nil {
				return err
			}
		}
	}
	if err := context.Cause(loading); err != nil {
		return err
	}
	seconds, err := gone(ctx, loads[0], release, after)
	if err != nil {
		return err
	}
	p.heldFigures(loads[0], loads[1], loads[2], seconds)
	return nil
}

// gone ends the transaction and returns after how many seconds the dead rows are
// no more than without one.
func gone(ctx context.Context, l *load, release func() error, limit time.Duration) (float64, error) {
	if err := release(); err != nil {
		return 0, err
	}
	peak := l.all[len(l.all)-1].dead
	begin := time.Now()
	for time.Since(begin) < limit {
		dead, err := deadRows(ctx, l.pool)
		if err != nil {
			return 0, err
		}
		if dead*20 <= peak {
			return time.Since(begin).Seconds(), nil
		}
		sleep(ctx, time.Second)
	}
	return limit.Seconds() + 1, nil
}

// load prepares a load, and returns what starts one operation.
func (b *bench) load(ctx context.Context, l *load, database string, jobs bool) (start func(context.Context) error, cleanup func() error, err error) {
	cleanup = func() error { return nil }
	hear := func(m message) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.claims, l.ends = append(l.claims, m.Claims...), append(l.ends, m.Ends...)
	}
	c := workerConfig{Trace: 200 * time.Millisecond}
	var end func() error
	if jobs {
		if c.URL, err = b.river(ctx, database); err != nil {
			return nil, cleanup, err
		}
		c.River = &setting{}
		j, err := newJobs(ctx, c.URL, 16, setting{})
		if err != nil {
			return nil, cleanup, err
		}
		start = func(ctx context.Context) error { _, err := j.start(ctx, task{}); return err }
		end = func() error { j.close(); return nil }
	} else {
		s, err := b.serve(ctx, database, setup{conns: 16})
		if err != nil {
			return nil, cleanup, err
		}
		c.URL = s.url
		start = func(ctx context.Context) error { _, err := s.start(ctx, task{}); return err }
		end = s.close
	}
	cleanup = end
	if l.pool, err = newPool(ctx, c.URL, 4, nil); err != nil {
		return nil, cleanup, err
	}
	cleanup = func() error { l.pool.Close(); return end() }
	w, err := startWorker(ctx, c, hear)
	if err != nil {
		return nil, cleanup, err
	}
	return start, func() error { err := w.stop(); l.pool.Close(); return errors.Join(err, end()) }, nil
}

// run starts operations until ctx ends.
func (l *load) run(ctx context.Context, start func(context.Context) error, failed func(error)) {
	var all sync.WaitGroup
	defer all.Wait()
	begin := time.Now()
	for n := 0; ctx.Err() == nil; {
		for due := int(time.Since(begin).Seconds() * perSecond); n < due; n++ {
			all.Go(func() {
				if err := start(ctx); err != nil && ctx.Err() == nil {
					failed(fmt.Errorf("%s: %w", l.name, err))
					return
				}
				l.mu.Lock()
				defer l.mu.Unlock()
				l.started++
			})
		}
		sleep(ctx, 3*time.Millisecond)
	}
}

func (l *load) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.claims, l.ends, l.started = nil, nil, 0
}

func (l *load) sample(ctx context.Context, at time.Duration) error {
	dead, err := deadRows(ctx, l.pool)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, sample{
		at: at, dead: dead, started: l.started, allClaims: l.claims, allEnds: l.ends,
		claim50: quantile(l.claims, 0.5), claim99: quantile(l.claims, 0.99), end50: quantile(l.ends, 0.5), end99: quantile(l.ends, 0.99),
	})
	l.claims, l.ends = nil, nil
	return nil
}

func deadRows(ctx context.Context, pool *pgxpool.Pool) (n int, err error) {
	err = pool.QueryRow(ctx, "SELECT coalesce(sum(n_dead_tup), 0)::bigint FROM pg_stat_user_tables").Scan(&n)
	return n, err
}

// hold opens a transaction that keeps all rows that die after it.
func hold(ctx context.Context, pool *pgxpool.Pool) (release func() error, err error) {
	tx, err := pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, "SELECT count(*) FROM pg_class"); err != nil {
		return nil, errors.Join(err, tx.Rollback(context.WithoutCancel(ctx)))
	}
	return sync.OnceValue(func() error { return tx.Rollback(context.WithoutCancel(ctx)) }), nil
}

func (p *part) heldFigures(ours, control, river *load, gone float64) {
	quantiles := func(l *load) (claim50, claim99, end50, end99 float64) {
		var claims, ends []float64
		for _, s := range l.all {
			claims, ends = append(claims, s.allClaims...), append(ends, s.allEnds...)
		}
		return quantile(claims, 0.5), quantile(claims, 0.99), quantile(ends, 0.5), quantile(ends, 0.99)
	}
	c50, c99, e50, e99 := quantiles(ours)
	cc50, cc99, ce50, ce99 := quantiles(control)
	p.most("claim p50, of the control", "×", 1.5, c50/cc50)
	p.most("claim p99, of the control", "×", 2, c99/cc99)
	p.most("end p50, of the control", "×", 1.5, e50/ce50)
	p.most("end p99, of the control", "×", 2, e99/ce99)
	last := ours.all[len(ours.all)-1]
	p.most("dead rows of an operation", "", 3, float64(last.dead)/float64(last.started))
	p.most("until 95 % of them are gone, after the transaction", "s", 120, gone)
	for _, l := range []*load{ours, control, river} {
		c50, c99, e50, e99 := quantiles(l)
		p.plain(l.name+": claim p50", "ms", c50)
		p.plain(l.name+": claim p99", "ms", c99)
		p.plain(l.name+": end p50", "ms", e50)
		p.plain(l.name+": end p99", "ms", e99)
	}
	t := report.Table{
		Title: "The curve", Intro: "Claim and end at p50 and p99 in milliseconds, and dead rows of an operation, in each interval.",
		Head: []string{"s", "lro: claim", "end", "dead", "control: claim", "end", "dead", "River: claim", "end", "dead"},
	}
	pair := func(a, b float64) string { return show(a, "") + " / " + show(b, "") }
	for i := range ours.all {
		row := []string{strconv.Itoa(int(ours.all[i].at.Seconds()))}
		for _, l := range []*load{ours, control, river} {
			s := l.all[i]
			row = append(row, pair(s.claim50, s.claim99), pair(s.end50, s.end99), show(float64(s.dead)/float64(s.started), ""))
		}
		t.Rows = append(t.Rows, row)
	}
	p.Tables = append(p.Tables, t)
}
