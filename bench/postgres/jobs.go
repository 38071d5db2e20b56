package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
)

// job is what River runs.
type job struct {
	Task string `json:"task"`
}

func (job) Kind() string { return "bench" }

type jobWorker struct {
	river.WorkerDefaults[job]
}

func (jobWorker) Work(ctx context.Context, j *river.Job[job]) error {
	t, err := parseTask(j.Args.Task)
	if err != nil {
		return err
	}
	if t.Hang && j.Attempt == 1 {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

// setting is how River is configured. Zeros are its defaults.
type setting struct {
	Workers     int           `json:",omitempty"` // River has no default: 100, as in its documentation
	Cooldown    time.Duration `json:",omitempty"`
	Poll        time.Duration `json:",omitempty"`
	JobTimeout  time.Duration `json:",omitempty"`
	RescueAfter time.Duration `json:",omitempty"`
}

// jobClient is a client of River, which may run jobs.
func jobClient(pool *pgxpool.Pool, s setting, works bool) (*river.Client[pgx.Tx], error) {
	c := &river.Config{
		Logger:        slog.New(slog.DiscardHandler),
		FetchCooldown: s.Cooldown, FetchPollInterval: s.Poll, JobTimeout: s.JobTimeout, RescueStuckJobsAfter: s.RescueAfter,
	}
	if works {
		c.Workers = river.NewWorkers()
		river.AddWorker(c.Workers, jobWorker{})
		c.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: cmp.Or(s.Workers, 100)}}
	}
	return river.NewClient(riverpgxv5.New(pool), c)
}

// jobs starts jobs, and waits for their end. River tells of it in the process
// that has run a job; what this one tells by TCP costs no query, so waiting is for
// nothing here.
type jobs struct {
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]

	mu   sync.Mutex
	done map[int64]chan struct{}
}

func newJobs(ctx context.Context, url string, conns int, s setting) (*jobs, error) {
	pool, err := newPool(ctx, url, conns, nil)
	if err != nil {
		return nil, err
	}
	client, err := jobClient(pool, s, false)
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &jobs{pool: pool, client: client, done: make(map[int64]chan struct{})}, nil
}

func (j *jobs) close() { j.pool.Close() }

func (j *jobs) start(ctx context.Context, t task) (int64, error) {
	inserted, err := j.client.Insert(ctx, job{t.String()}, nil)
	if err != nil {
		return 0, err
	}
	return inserted.Job.ID, nil
}

// end returns the channel that is closed when a job has ended.
func (j *jobs) end(id int64) chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.done[id] == nil {
		j.done[id] = make(chan struct{})
	}
	return j.done[id]
}

// ended is called once for each job.
func (j *jobs) ended(ids []int64) {
	for _, id := range ids {
		close(j.end(id))
	}
}

func (j *jobs) wait(ctx context.Context, id int64) error {
	select {
	case <-j.end(id):
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(5 * time.Minute):
		return errNotDone
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.done, id)
	return nil
}

// workJobs runs jobs until ctx ends, and tells of those that have ended.
func workJobs(ctx context.Context, pool *pgxpool.Pool, s setting, ready func(), ended func([]int64) error) error {
	client, err := jobClient(pool, s, true)
	if err != nil {
		return err
	}
	events, unsubscribe := client.SubscribeConfig(&river.SubscribeConfig{ChanSize: 100_000, Kinds: []river.EventKind{river.EventKindJobCompleted}})
	defer unsubscribe()
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	ready()
	failed := tell(ctx, events, ended)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(failed, client.StopAndCancel(stop))
}

// tell tells of all that has ended since, at once.
func tell(ctx context.Context, events <-chan *river.Event, ended func([]int64) error) error {
	for {
		var ids []int64
		add := func(e *river.Event) {
			if e != nil && e.Job.State == rivertype.JobStateCompleted {
				ids = append(ids, e.Job.ID)
			}
		}
		select {
		case e := <-events:
			add(e)
		case <-ctx.Done():
			return nil
		}
		for more := true; more && len(ids) < 1000; {
			select {
			case e := <-events:
				add(e)
			default:
				more = false
			}
		}
		if err := ended(ids); err != nil {
			return err
		}
	}
}
