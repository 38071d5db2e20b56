package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// tamper changes the file of an engine that is closed.
func tamper(t *testing.T, path, sql string, args ...any) {
	t.Helper()
	c, err := openConn(t.Context(), path, "", readerCache)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.execute(sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
}

func mustStart(t *testing.T, e *Engine, spec engine.Spec) *engine.Record {
	t.Helper()
	if spec.Kind == "" {
		spec.Kind = "k"
	}
	rec, err := e.Start(t.Context(), spec)
	if err != nil {
		t.Fatalf("Start() = %v", err)
	}
	return rec
}

func mustGet(t *testing.T, e *Engine, name string) *engine.Record {
	t.Helper()
	rec, err := e.Get(t.Context(), name)
	if err != nil {
		t.Fatalf("Get() = %v", err)
	}
	return rec
}

// TestDamagedRows: a row that makes no sense is shown as damaged and can be
// deleted; what is beside it does not notice.
func TestDamagedRows(t *testing.T) {
	t.Parallel()
	for column, damage := range map[string]string{
		"metadata": "metadata: ", "request": "request: ", "result": "result: ", "trace": "trace: ", "history": "history: ", "state": "state: ",
	} {
		t.Run(column, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "operations.db")
			e := mustOpen(t, path, nil)
			var names []string
			for range 3 {
				rec := mustStart(t, e, engine.Spec{External: true, Request: textAny("request"), Trace: map[string]string{"a": "b"}})
				_, err := e.Complete(t.Context(), rec.Lease(), engine.Completion{Response: textAny("ok"), Metadata: textAny("metadata")})
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, rec.Name)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			nonsense := any(blobArg("\xff\xff nonsense"))
			switch column {
			case "trace", "history":
				nonsense = "{{{"
			case "state":
				nonsense = 77
			}
			damaged, _ := enginekit.ParseSeqName(names[1])
			tamper(t, path, "UPDATE op SET "+column+" = ? WHERE seq = ?", nonsense, damaged)

			e = mustOpen(t, path, nil)
			p, err := e.List(t.Context(), engine.Query{AnyParent: true, Limit: 10})
			if err != nil {
				t.Fatalf("List() = %v", err)
			}
			var listed []string
			for _, rec := range p.Records {
				listed = append(listed, rec.Name)
				if is := rec.Damaged != ""; is != (rec.Name == names[1]) || is && !strings.Contains(rec.Damaged, damage) {
					t.Errorf("Damaged of %q is %q", rec.Name, rec.Damaged)
				}
			}
			if diff := cmp.Diff([]string{names[2], names[1], names[0]}, listed); diff != "" {
				t.Errorf("List() (-want +got):\n%s", diff)
			}
			rec := mustGet(t, e, names[1])
			if column == "result" && code.Code(rec.Error.GetCode()) != code.Code_DATA_LOSS {
				t.Errorf("error is %v, want DATA_LOSS", rec.Error)
			}
			if rec.State.Terminal() && (rec.Error == nil) == (rec.Response == nil) {
				t.Errorf("error %v and response %v, want one", rec.Error, rec.Response)
			}
			if err := e.Delete(t.Context(), names[1]); err != nil {
				t.Errorf("Delete() = %v", err)
			}
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			e = mustOpen(t, path, nil)
			if p, err := e.List(t.Context(), engine.Query{AnyParent: true, Limit: 10}); err != nil || len(p.Records) != 2 {
				t.Errorf("List() after Delete = %d records, %v; want 2", len(p.Records), err)
			}
		})
	}
}

// TestDamagedExpiry: what is damaged expires, and so does what is behind it.
func TestDamagedExpiry(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(dir, "operations.db")
		e := mustOpen(t, path, nil)
		for range 3 {
			rec := mustStart(t, e, engine.Spec{Retention: time.Hour, Metadata: textAny("metadata")})
			if _, err := e.Cancel(t.Context(), rec.Name); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		tamper(t, path, "UPDATE op SET metadata = ?, history = '{{{' WHERE seq = 1", blobArg("\xff"))
		e = mustOpen(t, path, nil)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if p, err := e.List(t.Context(), engine.Query{Limit: 10}); err != nil || len(p.Records) != 0 {
			t.Errorf("List() = %d records, %v; want none", len(p.Records), err)
		}
	})
}

// TestDamagedWork: an operation without the request that it needs ends; one
// that lost its metadata runs; others are not held up.
func TestDamagedWork(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	e := mustOpen(t, path, nil)
	big := textAny(strings.Repeat("x", 2*inlineRequest))
	lost, gone := mustStart(t, e, engine.Spec{Request: textAny("request"), RequestID: "id"}), mustStart(t, e, engine.Spec{Request: big})
	bare, sound := mustStart(t, e, engine.Spec{Metadata: textAny("metadata")}), mustStart(t, e, engine.Spec{})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	tamper(t, path, "UPDATE op SET request = ? WHERE seq = 1", blobArg("\xff"))
	tamper(t, path, "DELETE FROM request WHERE seq = 2")
	tamper(t, path, "UPDATE op SET metadata = ? WHERE seq = 3", blobArg("\xff"))

	e = mustOpen(t, path, nil)
	if rec, err := e.Start(t.Context(), engine.Spec{Kind: "k", Request: textAny("request"), RequestID: "id"}); err != nil || rec.Name != lost.Name {
		t.Errorf("Start() with the request ID of a damaged operation = %v, %v; want that operation", rec, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- e.Work(ctx, engine.Worker{Kinds: map[string]int{"k": 1}, Run: func(context.Context, engine.Attempt) engine.Outcome {
			return engine.Outcome{Response: textAny("ok")}
		}})
	}()
	for name, want := range map[string]code.Code{
		lost.Name: code.Code_DATA_LOSS, gone.Name: code.Code_DATA_LOSS, bare.Name: code.Code_OK, sound.Name: code.Code_OK,
	} {
		rec, err := e.Wait(t.Context(), name)
		if err != nil || code.Code(rec.Error.GetCode()) != want {
			t.Errorf("Wait(%q) = %v, %v; want code %v", name, rec, err, want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Work() = %v", err)
	}
}

// TestUnstorableProgress: progress that cannot be encoded, which no check should
// let in, keeps no other from being stored.
func TestUnstorableProgress(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	e := mustOpen(t, path, nil)
	const n = 10
	var names []string
	for i := range n {
		names = append(names, mustStart(t, e, engine.Spec{External: true}).Name)
		seq, _ := enginekit.ParseSeqName(names[i])
		e.mu.Lock()
		en := e.cache.entries[seq]
		en.row = en.row.edit()
		en.row.rec.Metadata = textAny(fmt.Sprint(i))
		if i == 3 {
			en.row.rec.Metadata = &anypb.Any{TypeUrl: "\xff"}
		}
		e.dirty[seq] = struct{}{}
		e.mu.Unlock()
	}
	if err := e.persistProgress(); err != nil {
		t.Errorf("persistProgress() = %v", err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	e = mustOpen(t, path, nil)
	for i, name := range names {
		want := fmt.Sprint(i)
		if i == 3 {
			want = ""
		}
		if got := unpack(mustGet(t, e, name).Metadata); got != want {
			t.Errorf("stored metadata is %q, want %q", got, want)
		}
	}
}

// TestClockSetBack: a retry waits no longer than it was to, whatever the clock
// says when the file is opened again.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(dir, "operations.db")
		e := mustOpen(t, path, nil)
		work := func(began chan<- time.Time) (stop func()) {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				done <- e.Work(ctx, engine.Worker{Kinds: map[string]int{"k": 0}, Run: func(context.Context, engine.Attempt) engine.Outcome {
					began <- time.Now()
					return engine.Outcome{Error: enginekit.Status(code.Code_UNAVAILABLE, "try again"), Retry: true, RetryAfter: 2 * time.Second}
				}})
			}()
			return func() {
				cancel()
				if err := <-done; err != nil {
					t.Errorf("Work() = %v", err)
				}
			}
		}
		mustStart(t, e, engine.Spec{})
		began := make(chan time.Time, 100)
		stop := work(began)
		<-began
		synctest.Wait()
		stop()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		// As if the clock had been a day ahead until now.
		const day = int64(24 * time.Hour)
		tamper(t, path, "UPDATE op SET create_time = create_time + ?1, start_time = start_time + ?1, update_time = update_time + ?1, due = due + ?1", day)
		e = mustOpen(t, path, nil)
		opened := time.Now()
		defer work(began)()
		if waited := (<-began).Sub(opened); waited > 2*time.Second {
			t.Errorf("a retry after 2s began %v after the clock was set back", waited)
		}
	})
}
