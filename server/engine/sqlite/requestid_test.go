package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/go-lro/lro/server/engine"
)

// TestRequestIDsMove starts enough operations for their request IDs to move to
// the table several times, and deletes some, with crashes between.
func TestRequestIDsMove(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{youngKeys: 10})
	s.Open(t)
	names := make(map[string]string) // by request ID
	start := func(id string) string {
		t.Helper()
		rec, err := s.last.Start(t.Context(), engine.Spec{Kind: "k", RequestID: id})
		if err != nil {
			t.Fatalf("Start(%q) = %v", id, err)
		}
		return rec.Name
	}
	for round := range 4 {
		for i := range 35 {
			id := fmt.Sprint(round, "/", i)
			names[id] = start(id)
		}
		for i := range 5 {
			id := fmt.Sprint(round, "/", i)
			if _, err := s.last.Cancel(t.Context(), names[id]); err != nil {
				t.Fatalf("Cancel() = %v", err)
			}
			if err := s.last.Delete(t.Context(), names[id]); err != nil {
				t.Fatalf("Delete() = %v", err)
			}
			if again := start(id); again == names[id] {
				t.Errorf("request ID %q leads to %q, which was deleted", id, again)
			} else {
				names[id] = again
			}
		}
		s.Crash(t)
		s.Open(t)
		for id, name := range names {
			if got := start(id); got != name {
				t.Errorf("request ID %q leads to %q, want %q", id, got, name)
			}
		}
	}
	if s.last.requestIDs.merged < 100 {
		t.Errorf("request IDs of operations before %d have moved, want most of them", s.last.requestIDs.merged)
	}
	if err := s.last.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	checkSound(t, s.path)
}

// TestRequestIDsKeepNumbers: a number below those whose keys have moved must
// not come again, since its key would not be read at open.
func TestRequestIDsKeepNumbers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	opts := &Options{youngKeys: 2}
	e := mustOpen(t, path, opts)
	ctx := context.Background()
	start := func(id string) string {
		t.Helper()
		rec, err := e.Start(ctx, engine.Spec{Kind: "k", RequestID: id, External: true})
		if err != nil {
			t.Fatalf("Start(%q) = %v", id, err)
		}
		return rec.Name
	}
	reopen := func() {
		t.Helper()
		if err := e.Close(); err != nil {
			t.Fatalf("Close() = %v", err)
		}
		e = mustOpen(t, path, opts)
	}
	for i := range 10 {
		name := start(fmt.Sprint(i))
		if _, err := e.Complete(ctx, engine.Lease{Name: name, Fence: 1}, engine.Completion{Response: textAny("")}); err != nil {
			t.Fatalf("Complete() = %v", err)
		}
		if err := e.Delete(ctx, name); err != nil {
			t.Fatalf("Delete() = %v", err)
		}
	}
	start("moves the others")
	start("and so does this")
	reopen()
	name := start("new")
	reopen()
	if got := start("new"); got != name {
		t.Errorf("request ID leads to %q, want %q", got, name)
	}
}
