package postgres

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/go-lro/lro/server/engine"
)

func TestEncodeEnd(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	known := engine.Record{
		Name: "projects/p/operations/x", Parent: "projects/p", Kind: "k", State: engine.Running, Request: text("request"), RequestID: "id",
		Metadata: text("earlier"), Attempt: 1, Fence: 1, Revision: 3, CreateTime: at, Trace: map[string]string{"traceparent": "t"},
	}
	succeeded, failed, damaged, long := known, known, known, known
	succeeded.State, succeeded.Response, succeeded.Metadata = engine.Succeeded, text("response\n"), text("last")
	succeeded.ExpireTime = at.Add(time.Hour)
	succeeded.EndTime, succeeded.UpdateTime, succeeded.StartTime = at.Add(time.Second), at.Add(time.Second), at.Add(time.Millisecond)
	succeeded.Attempt, succeeded.Crashes, succeeded.Releases, succeeded.Fence, succeeded.Revision = 4, 1, 2, 5, 9
	failed.State, failed.Error, failed.Metadata = engine.Failed, &status.Status{Code: 3, Message: "no"}, nil
	failed.EndTime, failed.UpdateTime, failed.CancelTime, failed.Checkpoint = at, at, at, []byte("checkpoint")
	damaged = succeeded
	damaged.Damaged = "history"
	long = succeeded
	long.Response = text(strings.Repeat("x", maxEnded))
	for _, tt := range []struct {
		name string
		rec  engine.Record
		fits bool
	}{{"succeeded", succeeded, true}, {"failed", failed, true}, {"damaged", damaged, false}, {"long", long, false}} {
		line := (news{seq: 7, ended: &tt.rec}).line()
		if strings.Contains(line, "\n") || len(line) > maxPayload {
			t.Errorf("%s: line %q is not one of a notification", tt.name, line)
		}
		n, ok := parseLine(line)
		end := decodeEnd(n.told)
		if !ok || n.seq != 7 || (end != nil) != tt.fits {
			t.Errorf("%s: parseLine(%q) = %+v, %v; want the end: %v", tt.name, line, n, ok, tt.fits)
		}
		if end == nil {
			continue
		}
		if diff := cmp.Diff(&tt.rec, completed(&known, end), protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	for _, line := range []string{"c 7 {", `c 7 {"s":2,"e":1,"o":""}`, `c 7 {"s":3,"o":""}`, `c 7 {"s":3,"e":1,"o":"/w=="}`} {
		if n, ok := parseLine(line); !ok || n.lives || decodeEnd(n.told) != nil {
			t.Errorf("parseLine(%q) = %+v, %v; want a change without its end", line, n, ok)
		}
	}
}

// TestWaitElsewhere: those that wait for operations of another process get what the
// database has, and read nothing where the end fits a notification.
func TestWaitElsewhere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		response string
		fits     bool
	}{{"short", "response", true}, {"long", strings.Repeat("x", 2*maxEnded), false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, &Options{Lease: testLease})
			worker := s.open(t)
			var reads atomic.Int64 // queries that read operations by their numbers
			waiter := s.openTraced(t, func(trip []*pgx.QueuedQuery) {
				for _, q := range trip {
					if strings.Contains(q.SQL, "o.seq = ANY(") {
						reads.Add(1)
					}
				}
			})
			var found atomic.Int64 // calls that know that they have to wait
			read := waiter.gets.run
			waiter.gets.run = func(ctx context.Context, group []*call[int64, *row]) {
				read(ctx, group)
				found.Add(int64(len(group)))
			}
			proceed := make(chan struct{})
			work(t, worker, func(_ context.Context, a engine.Attempt) engine.Outcome {
				a.Report(text("metadata"))
				<-proceed
				return engine.Outcome{Response: text(tt.response)}
			})
			const n = 20
			ends := make([]*engine.Record, n)
			var waiting sync.WaitGroup
			for i := range n {
				rec := mustStart(t, worker, engine.Spec{Request: text("request"), Retention: time.Hour})
				waiting.Go(func() {
					var err error
					if ends[i], err = waiter.Wait(t.Context(), rec.Name); err != nil {
						t.Error(err)
					}
				})
			}
			for found.Load() < n {
				<-time.After(time.Millisecond)
			}
			before, began := reads.Load(), time.Now()
			for range n {
				proceed <- struct{}{}
				<-time.After(10 * time.Millisecond)
			}
			waiting.Wait()
			queries, most := reads.Load()-before, int64(time.Since(began)/turnEvery)+2
			if tt.fits && queries > 0 || !tt.fits && (queries == 0 || queries > most) {
				t.Errorf("%d queries read operations that had ended, want some: %v, and at most %d", queries, !tt.fits, most)
			}
			for _, got := range ends {
				if got == nil {
					continue
				}
				want, err := waiter.Get(t.Context(), got.Name)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
					t.Fatalf("Wait() against Get() (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestPollFindsEnds: a process that does not listen finds operations that are done or deleted,
// whether all live operations between are waited for, or few of them.
func TestPollFindsEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		between int
		sql     func(*statements) string
	}{
		{"all", 0, func(s *statements) string { return s.watchRange }},
		{"few", 4 * maxSparse, func(s *statements) string { return s.watch }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, &Options{Lease: testLease, PollOnly: true})
			e := s.open(t)
			var asked atomic.Bool
			waiter := s.openTraced(t, func(trip []*pgx.QueuedQuery) {
				if last := trip[len(trip)-1]; last.SQL == tt.sql(e.sql) {
					asked.Store(true)
				}
			})
			external := engine.Spec{Kind: "k", External: true}
			removed, deleted, ended := mustStart(t, e, engine.Spec{Kind: "k"}), mustStart(t, e, external), mustStart(t, e, external)
			for range tt.between {
				mustStart(t, e, external)
			}
			lives := mustStart(t, e, external)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			waiting := make(map[string]chan error)
			for _, rec := range []*engine.Record{removed, deleted, ended, lives} {
				done := make(chan error, 1)
				waiting[rec.Name] = done
				go func() { _, err := waiter.Wait(ctx, rec.Name); done <- err }()
			}
			until(t, "the first poll", func() bool { return asked.Load() })
			for _, name := range []string{removed.Name, deleted.Name} {
				if err := e.Delete(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := e.Complete(t.Context(), ended.Lease(), engine.Completion{Response: text("response")}); err != nil {
				t.Fatal(err)
			}
			for name, want := range map[string]error{removed.Name: engine.ErrNotFound, deleted.Name: engine.ErrNotFound, ended.Name: nil, lives.Name: context.DeadlineExceeded} {
				if err := <-waiting[name]; !errors.Is(err, want) {
					t.Errorf("Wait(%q) = %v, want %v", name, err, want)
				}
			}
		})
	}
}
