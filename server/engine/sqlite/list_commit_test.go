package sqlite

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/status"

	"github.com/go-lro/lro/server/engine"
)

// TestListDuringCommit: a list that meets the commit by which an attempt ends
// shows what the attempt had reported, and not the older progress that it has
// read from the database.
func TestListDuringCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		fs := newFaultFS(t, 1)
		e := mustOpen(t, filepath.Join(dir, "operations.db"), &Options{vfs: fs.name, syncDir: fs.syncDir, CacheBytes: -1})
		rec, err := e.Start(t.Context(), engine.Spec{Kind: "k"})
		if err != nil {
			t.Fatalf("Start() = %v", err)
		}
		end := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- e.Work(ctx, engine.Worker{Kinds: map[string]int{"k": 0}, Run: func(ctx context.Context, a engine.Attempt) engine.Outcome {
				a.Report(textAny("reported"))
				<-end
				return engine.Outcome{Retry: true, RetryAfter: time.Hour, Error: &status.Status{Code: int32(code.Code_UNAVAILABLE)}}
			}})
		}()
		synctest.Wait()
		fs.commits = func() time.Duration { return time.Minute }
		close(end)
		synctest.Wait() // the commit of the end is under way
		page, err := e.List(t.Context(), engine.Query{Limit: 10})
		if err != nil || len(page.Records) != 1 {
			t.Fatalf("List() = %v, %v; want one operation", page, err)
		}
		if got := page.Records[0]; got.Name != rec.Name || unpack(got.Metadata) != "reported" {
			t.Errorf("List() shows %v, want what was reported", got)
		}
		fs.commits = nil
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Work() = %v", err)
		}
	})
}
