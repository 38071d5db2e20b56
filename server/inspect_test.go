package server_test

import (
	"context"
	"errors"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
)

func TestInspect(t *testing.T) {
	t.Parallel()
	kind, kinds := one(simKind{}, echo)
	r := newRig(t, rigOptions{kinds: kinds})
	first := r.start(t, kind, nil, nil).GetName()
	second := r.start(t, kind, nil, nil).GetName()
	r.wait(t, first)
	r.wait(t, second)
	inspect := r.srv.Inspect()

	page, next, err := inspect.List(t.Context(), &longrunningpb.ListOperationsRequest{PageSize: 1})
	if err != nil || len(page) != 1 || page[0].Name != second || next == "" {
		t.Fatalf("List(1) = %v, %q, %v, want %q and a token", page, next, err, second)
	}
	page, next, err = inspect.List(t.Context(), &longrunningpb.ListOperationsRequest{PageSize: 2, PageToken: next})
	if err != nil || len(page) != 1 || page[0].Name != first || next != "" {
		t.Fatalf("List(next) = %v, %q, %v, want %q alone", page, next, err, first)
	}

	rec, err := inspect.Get(t.Context(), first)
	if err != nil || rec.Kind != kind.Name || rec.State != engine.Succeeded {
		t.Fatalf("Get(%q) = %v, %v, want a %q that has SUCCEEDED", first, rec, err, kind.Name)
	}
	if op := inspect.View(rec); op.GetName() != first || op.GetResponse() == nil {
		t.Errorf("View(%q) = %v, want its response", first, op)
	}

	stats, err := inspect.Stats(t.Context())
	if got := stats.Counts[kind.Name][engine.Succeeded]; err != nil || got != 2 {
		t.Errorf("Stats() = %v, %v, want 2 that succeeded", stats, err)
	}

	events, err := inspect.History(t.Context(), first)
	if err != nil || len(events) == 0 || events[0].Type != engine.EventCreated {
		t.Errorf("History(%q) = %v, %v, want it to begin with %q", first, events, err, engine.EventCreated)
	}
	_, err = inspect.History(t.Context(), "operations/none")
	wantError(t, `History("operations/none")`, err, codes.NotFound, "OPERATION_NOT_FOUND")
}

func TestInspectSubscribe(t *testing.T) {
	t.Parallel()
	kind, kinds := one(simKind{}, echo)
	r := newRig(t, rigOptions{kinds: kinds})
	changes, err := r.srv.Inspect().Subscribe(t.Context())
	if err != nil {
		t.Fatalf("Subscribe: %v", err)
	}
	name := r.start(t, kind, nil, nil).GetName()
	for c, err := range changes {
		if err != nil {
			t.Fatalf("Subscribe yields %v, want the end of %q", err, name)
		}
		if c.Record.Name == name && c.Record.State == engine.Succeeded {
			return
		}
	}
}

// bare is an engine without capabilities.
type bare struct{ engine.Engine }

func TestInspectUnsupported(t *testing.T) {
	t.Parallel()
	kind, kinds := one(simKind{}, echo)
	r := newRig(t, rigOptions{kinds: kinds})
	name := r.start(t, kind, nil, nil).GetName()
	srv, err := server.New(bare{r.eng}, server.Config{}, kinds...)
	if err != nil {
		t.Fatalf("server.New: %v", err)
	}
	inspect := srv.Inspect()
	if _, err := inspect.Stats(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Stats() = %v, want %v", err, errors.ErrUnsupported)
	}
	if _, err := inspect.History(t.Context(), name); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("History(%q) = %v, want %v", name, err, errors.ErrUnsupported)
	}
	if _, err := inspect.Subscribe(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Subscribe() = %v, want %v", err, errors.ErrUnsupported)
	}
}

func TestInspectAuthorizes(t *testing.T) {
	t.Parallel()
	kind, kinds := one(simKind{}, echo)
	r := newRig(t, rigOptions{kinds: kinds, config: server.Config{
		Authorize: func(_ context.Context, a server.Access) error { return errors.New(a.Method) },
	}})
	name := r.start(t, kind, nil, nil).GetName()
	inspect := r.srv.Inspect()
	calls := map[string]func() error{
		"List":      func() error { _, _, err := inspect.List(t.Context(), nil); return err },
		"Get":       func() error { _, err := inspect.Get(t.Context(), name); return err },
		"Stats":     func() error { _, err := inspect.Stats(t.Context()); return err },
		"History":   func() error { _, err := inspect.History(t.Context(), name); return err },
		"Subscribe": func() error { _, err := inspect.Subscribe(t.Context()); return err },
	}
	for method, call := range calls {
		wantError(t, method, call(), codes.PermissionDenied, "PERMISSION_DENIED")
	}
}
