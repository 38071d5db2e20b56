//go:build unix

package faulttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
	"github.com/go-lro/lro/server/engine/postgres"
)

// workerEnv has the workerConfig of a process that runs operations, as JSON.
const workerEnv = "LRO_POSTGRES_FAULT_WORKER"

// workerConfig configures an engine, of a worker or of the test.
type workerConfig struct {
	URL      string
	Listen   string // URL of the connection for LISTEN; empty for URL
	Schema   string
	Lease    time.Duration
	PollOnly bool
	History  *historyConfig // the worker writes one
}

func (c workerConfig) open(ctx context.Context, log *slog.Logger) (*pgxpool.Pool, *postgres.Engine, error) {
	pool, err := pgxpool.New(ctx, c.URL)
	if err != nil {
		return nil, nil, err
	}
	o := &postgres.Options{
		Schema: c.Schema, Lease: c.Lease, PollOnly: c.PollOnly, Logger: log, Identity: strconv.Itoa(os.Getpid()),
	}
	if c.Listen != "" {
		if o.Listen, err = pgx.ParseConfig(c.Listen); err != nil {
			pool.Close()
			return nil, nil, err
		}
	}
	e, err := postgres.Open(ctx, pool, o)
	if err != nil {
		pool.Close()
		return nil, nil, err
	}
	return pool, e, nil
}

// kind is what all operations of the tests are.
type kind = server.Kind[*lropb.SimulateRequest, *lropb.SimulateResponse, *lropb.OperationMetadata]

// work has no limit of attempts: every operation has to succeed in the end.
var work = kind{
	Name: "work", CrashLimit: 1 << 30,
	Retry: server.Retry{MaxAttempts: -1, Backoff: 50 * time.Millisecond, MaxBackoff: 500 * time.Millisecond, If: func(error) bool { return true }},
}

// Prefixes of a request's echo, for handlers that misbehave.
const (
	deaf  = "deaf"  // does not heed the end of its context, and tries to write on
	holds = "holds" // the first attempt holds its first transaction open
)

// runWorker runs operations until SIGTERM.
func runWorker(encoded string) error {
	var c workerConfig
	if err := json.Unmarshal([]byte(encoded), &c); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	pool, e, err := c.open(ctx, log)
	if err != nil {
		return err
	}
	defer pool.Close()
	h := &handler{e: e, pool: pool, schema: c.Schema}
	if c.History != nil {
		return errors.Join(runHistorian(ctx, *h, *c.History), e.Close())
	}
	srv, err := server.New(e, server.Config{PageKey: e.PageKey(), Logger: log, Drain: -1, Concurrency: 6}, work.Handle(h.run))
	if err != nil {
		return errors.Join(err, e.Close())
	}
	fmt.Println("ready")
	err = srv.Work(ctx)
	return errors.Join(err, e.Close())
}

// handler goes the steps of a request. Each step writes a row in the transaction
// that saves its checkpoint, and the end writes one in its own.
type handler struct {
	e      *postgres.Engine
	pool   *pgxpool.Pool
	schema string
}

func (h *handler) table(name string) string { return pgx.Identifier{h.schema, name}.Sanitize() }

func (h *handler) run(ctx context.Context, task *server.Task[*lropb.OperationMetadata], req *lropb.SimulateRequest) (*lropb.SimulateResponse, error) {
	step := 0
	if c := task.Checkpoint(); c != nil {
		var err error
		if step, err = strconv.Atoi(string(c)); err != nil {
			return nil, err
		}
	}
	seq, _ := enginekit.ParseSeqName(task.Name())
	_, err := h.pool.Exec(ctx, "INSERT INTO "+h.table("attempt")+" VALUES ($1, $2, $3, $4, $5, clock_timestamp())",
		seq, task.Name(), task.Attempt(), step, os.Getpid())
	if err != nil {
		return nil, err
	}
	resp := &lropb.SimulateResponse{Echo: req.GetEcho(), Attempts: int32(task.Attempt())}
	steps := int(req.GetSteps())
	isDeaf := strings.HasPrefix(req.GetEcho(), deaf)
	for step++; step <= steps+1; step++ {
		select {
		case <-time.After(req.GetDuration().AsDuration() / time.Duration(steps)):
		case <-done(ctx, isDeaf):
			return nil, context.Cause(ctx)
		}
		err := h.step(ctx, task, step, steps, resp)
		if err != nil && isDeaf {
			if err := h.refused(task, step, err); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return resp, nil
}

// done is closed when a handler must return, unless it is deaf.
func done(ctx context.Context, isDeaf bool) <-chan struct{} {
	if isDeaf {
		return nil
	}
	return ctx.Done()
}

func (h *handler) step(ctx context.Context, task *server.Task[*lropb.OperationMetadata], step, steps int, resp *lropb.SimulateResponse) error {
	ended := ctx.Done()
	if strings.HasPrefix(resp.GetEcho(), deaf) || strings.HasPrefix(resp.GetEcho(), holds) {
		ctx = context.WithoutCancel(ctx)
	}
	return h.e.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO "+h.table("effect")+" VALUES ($1, $2, $3)", task.Name(), step, task.Attempt())
		if err != nil {
			return err
		}
		if step > steps {
			return work.Complete(ctx, task, resp)
		}
		if err := task.Save(ctx, []byte(strconv.Itoa(step))); err != nil {
			return err
		}
		if task.Attempt() > 1 || !strings.HasPrefix(resp.GetEcho(), holds) {
			return nil
		}
		if _, err := h.pool.Exec(ctx, "INSERT INTO "+h.table("holding")+" VALUES ($1)", task.Name()); err != nil {
			return err
		}
		<-ended
		return nil // to commit
	})
}

// refused notes a late write.
func (h *handler) refused(task *server.Task[*lropb.OperationMetadata], step int, why error) error {
	_, err := h.pool.Exec(context.Background(), "INSERT INTO "+h.table("refused")+" VALUES ($1, $2, $3, $4, $5)",
		task.Name(), task.Attempt(), step, errors.Is(why, engine.ErrFenced) || errors.Is(why, engine.ErrLeaseLost), why.Error())
	return err
}
