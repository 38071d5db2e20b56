package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
)

// args are unique by their key.
type args struct {
	Key string `json:"key" river:"unique"`
	Job job    `json:"job"`
}

func (args) Kind() string { return "job" }

// insert has a key stay unique after a cancel too, which is not River's default.
var insert = &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: rivertype.JobStates()}}

func newRiver(pool *pgxpool.Pool, c *river.Config) (*river.Client[pgx.Tx], error) {
	c.Logger = slog.New(slog.DiscardHandler)
	return river.NewClient(riverpgxv5.New(pool), c)
}

type riverSystem struct {
	*database
	client *river.Client[pgx.Tx]
}

func openRiver(ctx context.Context, dir string, _ setting) (system, error) {
	d, err := openDatabase(ctx, dir)
	if err != nil {
		return nil, err
	}
	s := &riverSystem{database: d}
	m, err := rivermigrate.New(riverpgxv5.New(d.pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	}
	if err == nil {
		s.client, err = newRiver(d.pool, &river.Config{})
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return s, nil
}

func (s *riverSystem) start(ctx context.Context, j job) (string, error) {
	inserted, err := s.client.Insert(ctx, args{j.Key, j}, insert)
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(inserted.Job.ID, 10), nil
}

func (s *riverSystem) cancel(ctx context.Context, _, id string) error {
	n, err := strconv.ParseInt(id, 10, 64)
	if err == nil {
		_, err = s.client.JobCancel(ctx, n)
	}
	return err
}

func (s *riverSystem) look(ctx context.Context, _, id string) (state, run string, err error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return "", "", err
	}
	row, err := s.client.JobGet(ctx, n)
	switch {
	case errors.Is(err, river.ErrNotFound):
		return unknown, "", nil
	case err != nil:
		return "", "", err
	}
	switch row.State {
	case rivertype.JobStateCompleted:
		if output := row.Output(); output != nil {
			err = json.Unmarshal(output, &run)
		}
		return succeeded, run, err
	case rivertype.JobStateCancelled:
		return canceled, "", nil
	case rivertype.JobStateDiscarded:
		return failed, "discarded", nil
	}
	return pending, "", nil
}

type riverWorker struct {
	river.WorkerDefaults[args]
	*worker
	pool *pgxpool.Pool
}

func (w *riverWorker) Work(ctx context.Context, j *river.Job[args]) error {
	_, err := w.perform(ctx, strconv.FormatInt(j.ID, 10), j.Attempt == 1, j.Args.Job, riverAttempt{j, w.pool})
	return err
}

type riverAttempt struct {
	job  *river.Job[args]
	pool *pgxpool.Pool
}

// steps are River's resumable steps, with the checkpoint that is durable at once.
func (a riverAttempt) steps(ctx context.Context, n int, do func(context.Context, int, func(context.Context) error) error) error {
	for step := 1; step <= n; step++ {
		var err error
		river.ResumableStep(ctx, fmt.Sprintf("step%d", step), nil, func(ctx context.Context) error {
			err = do(ctx, step, func(ctx context.Context) error {
				return pgx.BeginFunc(ctx, a.pool, func(tx pgx.Tx) error {
					_, err := river.ResumableSetStepTx[*riverpgxv5.Driver](ctx, tx, a.job)
					return err
				})
			})
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (a riverAttempt) finish(ctx context.Context, run string, write func(context.Context, pgx.Tx) error) (bool, error) {
	if err := river.RecordOutput(ctx, run); err != nil {
		return false, err
	}
	if write == nil {
		return false, nil
	}
	return true, pgx.BeginFunc(ctx, a.pool, func(tx pgx.Tx) error {
		if err := write(ctx, tx); err != nil {
			return err
		}
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, a.job)
		return err
	})
}

func workRiver(ctx context.Context, w *worker, address string, ready func()) error {
	pool, err := pgxpool.New(ctx, address)
	if err != nil {
		return err
	}
	defer pool.Close()
	c := &river.Config{
		JobTimeout: w.setting.JobTimeout, RescueStuckJobsAfter: w.setting.RescueAfter, Workers: river.NewWorkers(),
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 100}},
	}
	river.AddWorker(c.Workers, &riverWorker{worker: w, pool: pool})
	client, err := newRiver(pool, c)
	if err != nil {
		return err
	}
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	ready()
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return client.StopAndCancel(end)
}
