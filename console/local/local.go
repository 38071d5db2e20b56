package local

import (
	"context"
	"errors"
	"iter"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro/console"
	"github.com/go-lro/lro/server"
)

// Config selects what a source shows. The zero value is usable.
type Config struct {
	// Parent selects the operations under it, such as "projects/p". A segment
	// "-" stands for any. Empty means "-" alone: the operations of all parents.
	//
	// It only selects what the list shows: to deny viewers access to operations,
	// use [console.Config].Authorize or [server.Config].Authorize.
	Parent string
}

// anyParent is every parent (AIP-159).
const anyParent = "-"

// Source is a [console.Source] with all its capabilities, as far as the
// server's engine has them. It is safe for concurrent use.
type Source struct {
	inspect server.Inspector
	service longrunningpb.OperationsServer
	parent  string
}

var _ interface {
	console.Source
	console.Watcher
	console.Counter
	console.Historian
	console.StateFilterer
} = (*Source)(nil)

// New returns a source of the operations of srv. It fails when srv is nil.
func New(srv *server.Server, c Config) (*Source, error) {
	if srv == nil {
		return nil, errors.New("new source: server is nil")
	}
	if c.Parent == "" {
		c.Parent = anyParent
	}
	return &Source{inspect: srv.Inspect(), service: srv.Operations(), parent: c.Parent}, nil
}

// List implements [console.Source].
func (s *Source) List(ctx context.Context, q console.Query) (console.Page, error) {
	records, next, err := s.inspect.List(ctx, &longrunningpb.ListOperationsRequest{
		Name: s.parent, Filter: q.Filter, PageSize: int32(q.PageSize), PageToken: q.PageToken,
	})
	if err != nil {
		return console.Page{}, err
	}
	page := console.Page{Operations: make([]console.Operation, len(records)), Next: next}
	for i, rec := range records {
		page.Operations[i] = s.operation(rec)
	}
	return page, nil
}

// Get implements [console.Source].
func (s *Source) Get(ctx context.Context, name string) (console.Operation, error) {
	rec, err := s.inspect.Get(ctx, name)
	if err != nil {
		return console.Operation{}, err
	}
	return s.operation(rec), nil
}

// Cancel implements [console.Source].
func (s *Source) Cancel(ctx context.Context, name string) error {
	_, err := s.service.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: name})
	return err
}

// Delete implements [console.Source].
func (s *Source) Delete(ctx context.Context, name string) error {
	_, err := s.service.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: name})
	return err
}

// Watch implements [console.Watcher]. It reports all parents: names that the
// console does not show cost it nothing.
func (s *Source) Watch(ctx context.Context) (iter.Seq2[console.Change, error], error) {
	changes, err := s.inspect.Subscribe(ctx)
	if err != nil {
		return nil, err
	}
	return func(yield func(console.Change, error) bool) {
		for c, err := range changes {
			var change console.Change
			if err == nil {
				change = console.Change{Name: c.Record.Name, Deleted: c.Deleted, CreateTime: c.Record.CreateTime}
			}
			if !yield(change, err) {
				return
			}
		}
	}, nil
}

// Count implements [console.Counter]. An engine counts all parents, so a source
// of one cannot.
func (s *Source) Count(ctx context.Context) (console.Counts, error) {
	if s.parent != anyParent {
		return nil, errors.ErrUnsupported
	}
	stats, err := s.inspect.Stats(ctx)
	if err != nil {
		return nil, err
	}
	counts := make(console.Counts, len(stats.Counts))
	for kind, states := range stats.Counts {
		counts[kind] = make(map[console.State]int64, len(states))
		for state, n := range states {
			counts[kind][console.State(state)] = n
		}
	}
	return counts, nil
}

// History implements [console.Historian].
func (s *Source) History(ctx context.Context, name string) ([]console.Event, error) {
	events, err := s.inspect.History(ctx, name)
	if err != nil {
		return nil, err
	}
	out := make([]console.Event, len(events))
	for i, e := range events {
		out[i] = console.Event{Time: e.Time, Type: console.EventType(e.Type), Attempt: e.Attempt, Text: e.Text}
	}
	return out, nil
}

// FiltersState implements [console.StateFilterer].
func (s *Source) FiltersState(context.Context) bool { return true }

func (s *Source) operation(rec *server.Record) console.Operation {
	return console.Operation{
		Message: s.inspect.View(rec),
		Info: &console.Info{
			Kind:       rec.Kind,
			State:      console.State(rec.State), // same numbers, see metadata.proto
			Request:    rec.Request,
			Attempt:    rec.Attempt,
			Crashes:    rec.Crashes,
			External:   rec.External,
			Damaged:    rec.Damaged,
			CreateTime: rec.CreateTime,
			StartTime:  rec.StartTime,
			UpdateTime: rec.UpdateTime,
			EndTime:    rec.EndTime,
			ExpireTime: rec.ExpireTime,
			CancelTime: rec.CancelTime,
		},
	}
}
