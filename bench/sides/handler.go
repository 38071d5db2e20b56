package main

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// attempt is what a system gives a handler.
type attempt interface {
	// steps calls do for each step of which no earlier attempt has saved a
	// checkpoint, until one fails. save saves the step's checkpoint.
	steps(ctx context.Context, n int, do func(ctx context.Context, step int, save func(context.Context) error) error) error
	// finish ends the job with the result run. write is called in the transaction
	// of the end; a system without one does not call it, and returns false.
	finish(ctx context.Context, run string, write func(context.Context, pgx.Tx) error) (bool, error)
}

// worker is a process that runs jobs of a system.
type worker struct {
	setting setting
	journal *journal
	runs    atomic.Int64
}

// perform is the handler of every system. first is set in the first attempt of a
// job. Its result is the run, which tells later whose result the job has.
func (w *worker) perform(ctx context.Context, id string, first bool, j job, a attempt) (run string, err error) {
	pid := os.Getpid()
	run = fmt.Sprintf("%d.%d", pid, w.runs.Add(1))
	note := func(what eventKind, step int, text string) {
		w.journal.write(event{What: what, Key: j.Key, ID: id, Run: run, Step: step, PID: pid, Text: text})
	}
	note(began, 0, "")
	defer func() {
		text := ""
		if err != nil {
			text = err.Error()
		}
		note(returned, 0, text)
	}()
	defer context.AfterFunc(ctx, func() { note(heard, 0, context.Cause(ctx).Error()) })()
	acting := ctx
	if first && j.Deaf {
		acting = context.WithoutCancel(ctx)
	}
	err = a.steps(acting, j.Steps, func(ctx context.Context, step int, save func(context.Context) error) error {
		if err := pass(ctx, j, step, first); err != nil {
			return err
		}
		if !j.Saves {
			note(effected, step, "")
		}
		if err := save(ctx); err != nil {
			note(refused, step, err.Error())
			return err
		}
		note(saved, step, "")
		if j.Saves {
			note(effected, step, "")
		}
		return nil
	})
	if err != nil {
		return run, err
	}
	var inside func(context.Context, pgx.Tx) error
	if j.Tx {
		inside = func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO effect (key, id, run, pid) VALUES ($1, $2, $3, $4)", j.Key, id, run, pid)
			return err
		}
	}
	written, err := a.finish(acting, run, inside)
	if err != nil {
		note(refused, j.Steps+1, err.Error())
		return run, err
	}
	if !written {
		note(effected, j.Steps+1, "")
	}
	return run, nil
}

// pass waits as long as a step takes, or hangs.
func pass(ctx context.Context, j job, step int, first bool) error {
	if !first || j.Hang != step {
		select {
		case <-time.After(j.Step):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if j.Deaf {
		time.Sleep(deafFor)
		return nil
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// makeEffects makes the table of the effects that are written in the transaction
// of an end.
const makeEffects = `CREATE TABLE effect (key text NOT NULL, id text NOT NULL, run text NOT NULL, pid int NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())`
