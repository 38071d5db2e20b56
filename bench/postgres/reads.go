package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro/server/engine/enginekit"
)

// reads measures GetOperation.
func reads(ctx context.Context, b *bench, p *part) (err error) {
	const stored = 1000
	p.Title = "Get"
	p.Intro = fmt.Sprintf("GetOperation of one of %d operations that are done, in the process of its callers, against a SELECT of the "+
		"same row by its key: the ten columns that an Operation is made of, read into variables. GetOperation reads all that its engine and the "+
		"console know of an operation, 34 columns of two tables, checks the caller and makes the answer; calls that come at the same time share "+
		"a statement.", stored)
	s, err := b.serve(ctx, "get", setup{handle: handler(nil)})
	if err != nil {
		return err
	}
	defer s.closing(&err)
	names, err := s.runSome(ctx, stored)
	if err != nil {
		return err
	}
	pool, err := newPool(ctx, s.url, callers, nil)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := warm(ctx, pool); err != nil {
		return err
	}
	get := func(ctx context.Context) error {
		_, err := s.Operations().GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: names[rand.N(len(names))]})
		return err
	}
	seqs := make([]int64, len(names))
	for i, name := range names {
		seqs[i], _ = enginekit.ParseSeqName(name)
	}
	bare := func(ctx context.Context) error {
		var (
			tail, parent, kind        string
			state                     int16
			create, start, end        time.Time
			request, result, metadata []byte
		)
		return pool.QueryRow(ctx, `SELECT tail, parent, kind, state, create_time, start_time, end_time, request, result, metadata
			FROM lro.op WHERE seq = $1`, seqs[rand.N(len(seqs))]).
			Scan(&tail, &parent, &kind, &state, &create, &start, &end, &request, &result, &metadata)
	}
	var all []contender
	for _, n := range []int{1, callers} {
		for name, f := range map[string]func(context.Context) error{"get": get, "bare": bare} {
			all = append(all, contender{fmt.Sprint(name, n), func(ctx context.Context) (float64, error) { return rate(ctx, n, b.window/2, f) }})
		}
	}
	values, failed := b.interleave(ctx, all)
	p.least("1 caller, of a bare SELECT", "×", 0.9, ratios(values["get1"], values["bare1"])...)
	p.least(fmt.Sprintf("%d callers, of as many bare SELECTs", callers), "×", 2, ratios(values[fmt.Sprint("get", callers)], values[fmt.Sprint("bare", callers)])...)
	for _, n := range []int{1, callers} {
		p.plain(fmt.Sprintf("GetOperation, callers: %d", n), "a second", values[fmt.Sprint("get", n)]...)
		p.plain(fmt.Sprintf("bare SELECT, callers: %d", n), "a second", values[fmt.Sprint("bare", n)]...)
	}
	return failed
}

// runSome runs operations in this process, and returns their names.
func (s *service) runSome(ctx context.Context, n int) (names []string, err error) {
	working, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.Work(working) }()
	defer func() { stop(); err = errors.Join(err, <-done) }()
	if names, err = s.startMany(ctx, n, task{Response: 20}); err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := s.wait(ctx, name); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// startMany has many callers start operations.
func (s *service) startMany(ctx context.Context, n int, t task) ([]string, error) {
	names := make([]string, n)
	return names, each(n, callers, func(i int) (err error) {
		names[i], err = s.start(ctx, t)
		return err
	})
}
