package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro/server/engine/enginekit"
)

// sizes measures what calls take while the number of stored operations grows.
func sizes(ctx context.Context, b *bench, p *part) (err error) {
	steps := []int{1_000, 100_000, 1_000_000}
	calls := 200
	if b.short {
		steps, calls = []int{1_000, 2_000}, 5
	}
	most := steps[len(steps)-1]
	p.Title = "Many stored operations"
	p.Intro = fmt.Sprintf("What one caller's calls take at p50, of %d each, while more and more operations are stored: of 10 kinds, one in 15 failed "+
		"and one in 100 cancelled, the rest succeeded. A page has 50 operations. The values are those with %d over those with %d, medians of %d rounds.",
		calls, most, steps[0], b.rounds)
	traced := &queries{}
	s, err := b.serve(ctx, "size", setup{tracer: traced, handle: handler(nil)})
	if err != nil {
		return err
	}
	defer s.closing(&err)
	if _, err := s.runSome(ctx, 100); err != nil {
		return err
	}
	found := make(map[string]map[int]float64)
	names := []string{"Get", "claim", "newest page", "page of a kind", "page of a rare state", "page of a kind and state", "counts of the console"}
	for i, stored := range steps {
		if err := s.fill(ctx, stored); err != nil {
			return fmt.Errorf("store operations: %w", err)
		}
		var last int64
		var tail string
		if err := s.pool.QueryRow(ctx, "SELECT seq, tail FROM lro.op ORDER BY seq DESC LIMIT 1").Scan(&last, &tail); err != nil {
			return err
		}
		list := func(filter string) func() error {
			return func() error {
				resp, err := s.Operations().ListOperations(ctx, &longrunningpb.ListOperationsRequest{Name: "operations", Filter: filter, PageSize: 50})
				if err == nil && len(resp.GetOperations()) == 0 {
					return fmt.Errorf("page of %q is empty", filter)
				}
				return err
			}
		}
		f := map[string]func() error{
			"Get": func() error {
				_, err := s.Operations().GetOperation(ctx, &longrunningpb.GetOperationRequest{
					Name: enginekit.FormatName("", enginekit.FormatSeqID(last-rand.Int64N(int64(stored)/2), tail)),
				})
				return err
			},
			"newest page":              list(""),
			"page of a kind":           list("kind=bench-3"),
			"page of a rare state":     list("state=FAILED"),
			"page of a kind and state": list("kind=bench-3 AND state=SUCCEEDED"),
			"counts of the console":    func() error { _, err := s.Inspect().Stats(ctx); return err },
		}
		measure := func(name string) ([]float64, error) {
			if name != "claim" {
				return times(calls, f[name])
			}
			traced.take()
			_, err := s.runSome(ctx, calls)
			claims, _ := traced.take()
			return claims, err
		}
		rounds := make(map[string][]float64)
		for range b.rounds {
			for _, name := range names {
				took, err := measure(name)
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				rounds[name] = append(rounds[name], median(took))
			}
		}
		for name, took := range rounds {
			if found[name] == nil {
				found[name] = make(map[int]float64)
			}
			found[name][stored] = median(took)
		}
		if i == 0 {
			continue
		}
		for _, name := range names {
			what := fmt.Sprintf("%s, %d over %d stored", name, stored, steps[0])
			switch {
			case name == "counts of the console":
				p.most(fmt.Sprintf("%s, %d stored", name, stored), "ms", 50, found[name][stored])
			case stored == most:
				p.most(what, "×", 2, found[name][stored]/found[name][steps[0]])
			default:
				p.plain(what, "×", found[name][stored]/found[name][steps[0]])
			}
		}
	}
	for _, name := range slices.Sorted(slices.Values(names)) {
		p.plain(fmt.Sprintf("%s, %d stored", name, most), "ms", found[name][most])
	}
	return nil
}

// fill stores copies of the newest operation that is done until there are n.
func (s *service) fill(ctx context.Context, n int) error {
	_, err := s.pool.Exec(ctx, `WITH filled AS (INSERT INTO lro.op (seq, tail, parent, kind, state, flags, create_time, crash_limit, retention, lease_for,
			request, attempt, crashes, releases, fence, revision, start_time, update_time, end_time, expire_time, history, metadata, result)
		SELECT nextval('lro.op_seq'), o.tail, o.parent, 'bench-' || i % 10, CASE WHEN i % 15 = 0 THEN 4 WHEN i % 100 = 1 THEN 5 ELSE 3 END,
			o.flags, o.create_time, o.crash_limit, o.retention, o.lease_for, o.request, o.attempt, o.crashes, o.releases, o.fence, o.revision,
			o.start_time, o.update_time, o.end_time, o.expire_time, o.history, o.metadata,
			CASE WHEN i % 15 = 0 OR i % 100 = 1 THEN '\x0802'::bytea ELSE o.result END
		FROM (SELECT * FROM lro.op WHERE state = 3 ORDER BY seq DESC LIMIT 1) o, generate_series(1, $1::int - (SELECT count(*) FROM lro.op)::int) i RETURNING kind, state)
		INSERT INTO lro.tally (kind, state, n) SELECT kind, state, count(*) FROM filled GROUP BY kind, state`, n)
	if err != nil {
		return err
	}
	// What the database still does about this is not what is measured.
	for _, sql := range []string{"VACUUM ANALYZE lro.op, lro.live, lro.tally", "CHECKPOINT"} {
		if _, err := s.pool.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}
