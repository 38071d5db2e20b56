package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/server"
)

// transactions measures operations that share a transaction with other rows.
func transactions(ctx context.Context, b *bench, p *part) error {
	p.Title = "Transactions"
	p.Intro = fmt.Sprintf("%d callers insert a row in a transaction of theirs, with and without the start of an operation in it. %d handlers insert a row "+
		"and end their operation: in one transaction, or in two, of which the engine merges the second with those of other handlers.", callers, callers)
	return errors.Join(b.startsInside(ctx, p), b.endsInside(ctx, p))
}

const (
	makeRows  = "CREATE TABLE own (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text NOT NULL)"
	insertRow = "INSERT INTO own (text) VALUES ('a row of the program')"
)

func (b *bench) startsInside(ctx context.Context, p *part) (err error) {
	s, err := b.serve(ctx, "tx_start", setup{})
	if err != nil {
		return err
	}
	defer s.closing(&err)
	if _, err := s.pool.Exec(ctx, makeRows); err != nil {
		return err
	}
	if err := warm(ctx, s.pool); err != nil {
		return err
	}
	transaction := func(start bool) func(context.Context) error {
		return func(ctx context.Context) error {
			return s.eng.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
				_, err := tx.Exec(ctx, insertRow)
				if err == nil && start {
					_, err = s.start(ctx, task{})
				}
				return err
			})
		}
	}
	values, failed := b.interleave(ctx, []contender{
		{"with", func(ctx context.Context) (float64, error) { return rate(ctx, callers, b.window, transaction(true)) }},
		{"without", func(ctx context.Context) (float64, error) { return rate(ctx, callers, b.window, transaction(false)) }},
	})
	p.least("a caller's transaction with a start, of one without", "×", 0.5, ratios(values["with"], values["without"])...)
	p.plain("transaction with a start", "a second", values["with"]...)
	p.plain("transaction without", "a second", values["without"]...)
	return failed
}

func (b *bench) endsInside(ctx context.Context, p *part) (err error) {
	var s *service
	var inside atomic.Bool
	handle := func(ctx context.Context, t *server.Task[*wrapperspb.StringValue], _ *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
		response := wrapperspb.String("done")
		if !inside.Load() {
			_, err := s.pool.Exec(ctx, insertRow)
			return response, err
		}
		return response, s.eng.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, insertRow); err != nil {
				return err
			}
			return kind.Complete(ctx, t, response)
		})
	}
	if s, err = b.serve(ctx, "tx_end", setup{server: server.Config{Concurrency: callers}, handle: handle}); err != nil {
		return err
	}
	defer s.closing(&err)
	if _, err := s.pool.Exec(ctx, makeRows); err != nil {
		return err
	}
	if err := warm(ctx, s.pool); err != nil {
		return err
	}
	n := 5000
	if b.short {
		n = 100
	}
	drain := func(one bool) func(context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			inside.Store(one)
			return s.drained(ctx, n)
		}
	}
	values, failed := b.interleave(ctx, []contender{{"one", drain(true)}, {"two", drain(false)}})
	p.least("an end in the handler's transaction, of both apart", "×", 0.5, ratios(values["one"], values["two"])...)
	p.plain("both in one transaction", "a second", values["one"]...)
	p.plain("both apart", "a second", values["two"]...)
	return failed
}

// drained starts operations and returns how many of them a worker of this process
// ends a second.
func (s *service) drained(ctx context.Context, n int) (v float64, err error) {
	if _, err := s.startMany(ctx, n, task{}); err != nil {
		return 0, err
	}
	working, stop := context.WithCancel(ctx)
	begin := time.Now()
	done := make(chan error, 1)
	go func() { done <- s.Work(working) }()
	defer func() { stop(); err = errors.Join(err, <-done) }()
	for time.Since(begin) < time.Minute {
		var left bool
		if err := s.pool.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM lro.live)").Scan(&left); err != nil {
			return 0, err
		}
		if !left {
			return float64(n) / time.Since(begin).Seconds(), nil
		}
		sleep(ctx, 5*time.Millisecond)
	}
	return 0, errors.New("operations do not end")
}
