package simulation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
)

// countTries are looks at the counts: an operation may expire between two lists.
const countTries = 10

// counted compares the counts of a store that changes no more with its lists.
func (w *world) counted() {
	p, srv := w.fleet.inside(0)
	if p == nil {
		return
	}
	var wrong error
	for range countTries {
		ctx, cancel := context.WithTimeout(context.Background(), w.callTimeout())
		wrong = miscount(ctx, srv.Inspect())
		cancel()
		if wrong == nil || errors.Is(wrong, errors.ErrUnsupported) {
			return
		}
		w.clock.sleep(context.Background(), w.program.pace.of(time.Second))
	}
	w.complain("counts: %v", wrong)
}

// miscount returns what is wrong with the counts.
func miscount(ctx context.Context, inspect server.Inspector) error {
	stats, err := inspect.Stats(ctx)
	if err != nil {
		return err
	}
	listed := make(map[string]map[engine.State]int64)
	for key := range 2 {
		req := &longrunningpb.ListOperationsRequest{Name: parentOf(key)}
		for more := true; more; more = req.PageToken != "" {
			var page []*server.Record
			if page, req.PageToken, err = inspect.List(ctx, req); err != nil {
				return err
			}
			for _, rec := range page {
				if listed[rec.Kind] == nil {
					listed[rec.Kind] = make(map[engine.State]int64)
				}
				listed[rec.Kind][rec.State]++
			}
		}
	}
	if !maps.EqualFunc(stats.Counts, listed, maps.Equal) {
		return fmt.Errorf("they are %v, and lists have %v", stats.Counts, listed)
	}
	return nil
}
