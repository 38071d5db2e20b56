package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro/server/engine/postgres"
)

// riverRescueEvery is how often River looks for jobs to rescue: its
// JobRescuerIntervalDefault, which no option sets.
const riverRescueEvery = 30 * time.Second

// takeovers measures how long after kill -9 of a worker another one has run its
// operation.
func takeovers(ctx context.Context, b *bench, p *part) error {
	p.Title = "Takeover after kill -9"
	p.Intro = "From the kill of a worker that runs an operation, or a job, to the end of its second attempt in another worker, which does nothing. " +
		"All rounds run side by side."
	type measured struct {
		name  string
		goal  float64 // seconds
		round func(ctx context.Context, i int) (float64, error)
	}
	all := []measured{
		{"lro, shortest lease (1 s)", 3, func(ctx context.Context, i int) (float64, error) {
			return b.takeover(ctx, fmt.Sprint("takeover_short_", i), postgres.MinLease)
		}},
	}
	if !b.short {
		all = append(all, measured{"lro, defaults (lease of 10 s)", 12, func(ctx context.Context, i int) (float64, error) {
			return b.takeover(ctx, fmt.Sprint("takeover_", i), 0)
		}}, measured{"River, shortest (JobTimeout and RescueStuckJobsAfter 1 s)", 0, func(ctx context.Context, i int) (float64, error) {
			return b.jobTakeover(ctx, fmt.Sprint("takeover_river_", i))
		}})
	}
	var failed error
	for _, m := range all {
		values := make([]float64, b.rounds)
		err := each(b.rounds, b.rounds, func(i int) (err error) {
			values[i], err = m.round(ctx, i)
			return err
		})
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", m.name, err))
			continue
		}
		if m.goal > 0 {
			p.most(m.name, "s", m.goal, values...)
		} else {
			p.plain(m.name, "s", values...)
		}
	}
	p.note("River at its defaults rescues a job after an hour: that is its RescueStuckJobsAfter, and was not waited for. It looks every %v, then has the "+
		"job wait for its retry. RescueStuckJobsAfter must be at least JobTimeout, so its shortest setting ends every job that takes longer than that; a "+
		"lease of lro does not bound how long a handler may run.", riverRescueEvery)
	return failed
}

func (b *bench) takeover(ctx context.Context, name string, lease time.Duration) (v float64, err error) {
	s, err := b.serve(ctx, name, setup{conns: 4, engine: postgres.Options{Lease: lease}})
	if err != nil {
		return 0, err
	}
	defer s.closing(&err)
	c := workerConfig{URL: s.url, Lease: lease}
	first, err := startWorker(ctx, c, func(message) {})
	if err != nil {
		return 0, err
	}
	op, err := s.start(ctx, task{Hang: true})
	if err == nil {
		err = s.running(ctx, 1)
	}
	if err != nil {
		return 0, errors.Join(err, first.stop())
	}
	second, err := startWorker(ctx, c, func(message) {})
	if err != nil {
		return 0, errors.Join(err, first.stop())
	}
	defer func() { err = errors.Join(err, second.stop()) }()
	first.kill()
	begin := time.Now()
	if err := s.wait(ctx, op); err != nil {
		return 0, err
	}
	v = time.Since(begin).Seconds()
	_, err = s.Operations().GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: op})
	return v, err
}

func (b *bench) jobTakeover(ctx context.Context, name string) (v float64, err error) {
	url, err := b.river(ctx, name)
	if err != nil {
		return 0, err
	}
	set := setting{JobTimeout: time.Second, RescueAfter: time.Second}
	j, err := newJobs(ctx, url, 4, set)
	if err != nil {
		return 0, err
	}
	defer j.close()
	c := workerConfig{URL: url, River: &set}
	hear := func(m message) { j.ended(m.Ended) }
	first, err := startWorker(ctx, c, hear)
	if err != nil {
		return 0, err
	}
	id, err := j.start(ctx, task{Hang: true})
	if err == nil {
		err = j.running(ctx, id)
	}
	if err != nil {
		return 0, errors.Join(err, first.stop())
	}
	// Before the job's timeout.
	first.kill()
	begin := time.Now()
	second, err := startWorker(ctx, c, hear)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, second.stop()) }()
	if err := j.wait(ctx, id); err != nil {
		return 0, err
	}
	return time.Since(begin).Seconds(), nil
}

// running waits until a job runs.
func (j *jobs) running(ctx context.Context, id int64) error {
	for range 2000 {
		var state string
		if err := j.pool.QueryRow(ctx, "SELECT state::text FROM river_job WHERE id = $1", id).Scan(&state); err != nil {
			return err
		}
		if state == "running" {
			return nil
		}
		sleep(ctx, 5*time.Millisecond)
	}
	return errors.New("job does not run")
}
