package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro/server/engine"
)

// elsewhere is how long another process may take to learn of a change. It is for a
// busy machine, and less than what polling alone takes where that matters.
const elsewhere = 30 * time.Second

// until waits for ok, and fails with what is wrong when that takes too long.
func until(t *testing.T, wrong string, ok func() bool) {
	t.Helper()
	for begin := time.Now(); !ok(); time.Sleep(20 * time.Millisecond) { // sleep: PostgreSQL has its own time
		if time.Since(begin) > elsewhere {
			t.Fatal(wrong)
		}
	}
}

// twoEngines opens engines on one schema, as two processes would.
func twoEngines(t *testing.T, o *Options) (a, b *Engine) {
	t.Helper()
	o.Lease = testLease
	s := newStore(t, o)
	return s.open(t), s.open(t)
}

// eachHearing runs a test with LISTEN and by polling alone.
func eachHearing(t *testing.T, test func(t *testing.T, a, b *Engine)) {
	t.Helper()
	for name, o := range map[string]*Options{"listen": {}, "poll": {PollOnly: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := twoEngines(t, o)
			test(t, a, b)
		})
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

// TestElsewhere: what is started, cancelled and ended in one process is run,
// stopped and waited for in another.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	eachHearing(t, func(t *testing.T, a, b *Engine) {
		ctx, cancel := context.WithTimeout(t.Context(), elsewhere)
		defer cancel()
		work(t, b, func(ctx context.Context, at engine.Attempt) engine.Outcome {
			if at.Record().RequestID == "waits" {
				<-ctx.Done()
				if cause := context.Cause(ctx); !errors.Is(cause, engine.ErrCancelRequested) {
					t.Errorf("the context of the attempt ended with %v, want %v", cause, engine.ErrCancelRequested)
				}
			}
			return engine.Outcome{Response: text("ran")}
		})
		quick, waits := mustStart(t, a, engine.Spec{}), mustStart(t, a, engine.Spec{RequestID: "waits"})
		if end, err := a.Wait(ctx, quick.Name); err != nil || end.State != engine.Succeeded {
			t.Errorf("Wait() = %v, %v; want success", end, err)
		}
		for {
			rec, err := a.Cancel(ctx, waits.Name)
			if err != nil {
				t.Fatalf("Cancel() = %v", err)
			}
			if rec.State == engine.Running {
				break
			}
			if rec.State.Terminal() { // it had not begun
				waits = mustStart(t, a, engine.Spec{})
				break
			}
		}
		if end, err := a.Wait(ctx, waits.Name); err != nil || end.State != engine.Succeeded {
			t.Errorf("Wait() = %v, %v; want success", end, err)
		}
		gone := mustStart(t, a, engine.Spec{Kind: "other"})
		deleted := make(chan error)
		go func() {
			_, err := b.Wait(ctx, gone.Name)
			deleted <- err
		}()
		for !b.waits.Waiting(seqOf(t, gone)) {
			<-time.After(time.Millisecond)
		}
		if err := a.Delete(ctx, gone.Name); err != nil {
			t.Errorf("Delete() = %v", err)
		}
		if err := <-deleted; !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("Wait() of what another process deletes = %v, want %v", err, engine.ErrNotFound)
		}
	})
}

func seqOf(t *testing.T, rec *engine.Record) int64 {
	t.Helper()
	n := startedNews(rec)
	return n.seq
}

// TestSubscribeElsewhere: changes of one process are in the feed of another.
func TestSubscribeElsewhere(t *testing.T) {
	t.Parallel()
	eachHearing(t, func(t *testing.T, a, b *Engine) { subscribeElsewhere(t, a, b) })
}

func subscribeElsewhere(t *testing.T, a, b *Engine) {
	t.Helper()
	if b.news.listening() == b.opts.PollOnly {
		t.Fatalf("the engine that is open listens: %t", b.news.listening())
	}
	mustStart(t, a, engine.Spec{Kind: "before"})
	ctx, cancel := context.WithTimeout(t.Context(), elsewhere)
	defer cancel()
	next, stop := iter.Pull2(b.Subscribe(ctx))
	defer stop()
	rec := mustStart(t, a, engine.Spec{External: true})
	until := func(what string, want func(engine.Change) bool) {
		t.Helper()
		for {
			c, err, ok := next()
			if err != nil || !ok {
				t.Fatalf("the feed ended with %v, want %s", err, what)
			}
			if c.Record.Kind == "before" && b.opts.PollOnly { // a notification may be under way
				t.Errorf("change of %q, which was there before", c.Record.Name)
			}
			if c.Record.Name == rec.Name && want(c) {
				return
			}
		}
	}
	until("the start", func(c engine.Change) bool { return c.Record.State == engine.Running })
	if _, err := a.Report(ctx, rec.Lease(), engine.Update{Metadata: text("half")}); err != nil {
		t.Fatal(err)
	}
	until("the progress", func(c engine.Change) bool { return c.Record.Metadata != nil })
	if _, err := a.Complete(ctx, rec.Lease(), engine.Completion{Response: text("")}); err != nil {
		t.Fatal(err)
	}
	until("the end", func(c engine.Change) bool { return c.Record.State == engine.Succeeded })
	if b.opts.PollOnly { // declared: not of operations that are done
		rec = mustStart(t, a, engine.Spec{})
		until("another start", func(c engine.Change) bool { return c.Record.State == engine.Pending })
	}
	if err := a.Delete(ctx, rec.Name); err != nil {
		t.Fatal(err)
	}
	until("that it is deleted", func(c engine.Change) bool { return c.Deleted })
}

// endElsewhere has an engine end an operation, and returns the first change of it in
// the feed of another one that is enough, or the error with which the feed ends.
func endElsewhere(t *testing.T, a, b *Engine, end func(*engine.Record) error, enough func(engine.Change) bool) (engine.Change, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), elsewhere)
	defer cancel()
	feed := b.Subscribe(ctx)
	rec := mustStart(t, a, engine.Spec{External: true})
	if err := end(rec); err != nil {
		t.Fatal(err)
	}
	for c, err := range feed {
		if err != nil || c.Record.Name == rec.Name && enough(c) {
			return c, err
		}
	}
	return engine.Change{}, nil
}

// TestSubscribeBesideFailure: a process whose notification failed tells the others
// that they have missed something.
func TestSubscribeBesideFailure(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	b := s.open(t)
	var failed atomic.Bool
	application := "fails" + s.opts.Schema
	a := s.openOn(t, s.pool(t, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["application_name"] = application },
		tracer(func(trip []*pgx.QueuedQuery) {
			end := strings.Contains(trip[0].SQL, "pg_notify") && strings.Contains(fmt.Sprint(trip[0].Arguments...), `{"s":3`)
			if end { // each time: a connection that is known to be lost is replaced
				failed.Store(true)
				s.exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", application)
			}
		}).of))
	// The end may be read before its notification fails, because of the start's.
	_, err := endElsewhere(t, a, b, func(rec *engine.Record) error {
		_, err := a.Complete(t.Context(), rec.Lease(), engine.Completion{Response: text("")})
		return err
	}, func(engine.Change) bool { return false })
	if !failed.Load() || !errors.Is(err, engine.ErrLagged) {
		t.Errorf("the feed ends with %v, after a failure %t; want %v", err, failed.Load(), engine.ErrLagged)
	}
}

// TestSubscribeBesideClose: what a process has changed right before it closed is
// made known.
func TestSubscribeBesideClose(t *testing.T) {
	t.Parallel()
	a, b := twoEngines(t, &Options{})
	c, err := endElsewhere(t, a, b, func(rec *engine.Record) error {
		a.news.queue([]news{{seq: seqOf(t, rec), lives: true}}) // the end comes in the pause after it
		_, err := a.Complete(t.Context(), rec.Lease(), engine.Completion{Response: text("")})
		return errors.Join(err, a.Close())
	}, func(c engine.Change) bool { return c.Record.State.Terminal() })
	if err != nil || c.Record == nil {
		t.Errorf("the feed has %v, %v; want the end", c, err)
	}
}

// TestSubscribeBesideCrash: a process that has died may not have made known what it
// changed last, so subscribers of the others have to list again.
func TestSubscribeBesideCrash(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]*Options{"taken over by a process that listens": {}, "by one that does not": {PollOnly: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, o)
			a := s.open(t)
			s.opts.PollOnly = false
			b := s.open(t)
			owner, _, err := a.process.id(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tx := s.locked(t, a, s.claimed(t, a, owner))
			ctx, cancel := context.WithTimeout(t.Context(), elsewhere)
			defer cancel()
			changes := b.Subscribe(ctx)
			s.exec(t, a.sql.expireProc, a.forgetLease())
			// Not while it has something that cannot be taken over.
			released := make(chan time.Time, 1)
			time.AfterFunc(3*time.Second, func() {
				now := time.Now()
				_ = tx.Rollback(ctx)
				released <- now
			})
			for _, err = range changes {
			}
			if ended := time.Now(); !errors.Is(err, engine.ErrLagged) || ended.Before(<-released) {
				t.Errorf("the feed ends with %v, want %v once all is taken over", err, engine.ErrLagged)
			}
		})
	}
}

// TestDeafListener: a connection that hears nothing, with no error, is found and
// replaced.
func TestDeafListener(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	e := s.open(t)
	if !e.news.listening() {
		t.Fatal("the engine does not listen once it is open")
	}
	var first int
	pid := func() (n int) {
		err := e.query(t.Context(), func(q querier) error {
			return each(t.Context(), q, "SELECT pid FROM pg_stat_activity WHERE query = $1 ORDER BY backend_start DESC LIMIT 1",
				func(r rows) error { return r.Scan(&n) }, "LISTEN "+pgx.Identifier{e.news.channel}.Sanitize())
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if first = pid(); first == 0 {
		t.Fatal("no session listens")
	}
	stop(t, first)
	begin := time.Now()
	for e.news.listening() {
		if time.Since(begin) > elsewhere {
			t.Fatal("the deaf connection was not found")
		}
		<-time.After(10 * time.Millisecond)
	}
	took := time.Since(begin)
	for !e.news.listening() {
		if time.Since(begin) > 2*elsewhere {
			t.Fatal("the engine does not listen again")
		}
		<-time.After(10 * time.Millisecond)
	}
	if second := pid(); second == first {
		t.Errorf("session %d still listens", second)
	}
	t.Logf("found after %v", took)
}

// TestLostLease: an engine that cannot reach the database ends its attempts no
// later than their lease, and another one runs the operations.
func TestLostLease(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: shortLease})
	a := s.open(t)
	cut := s.cut
	begun, lost := make(chan struct{}), make(chan error, 1)
	work(t, a, func(ctx context.Context, at engine.Attempt) engine.Outcome {
		if err := at.Save(ctx, []byte("checkpoint")); err != nil {
			t.Errorf("Save() = %v", err)
		}
		close(begun)
		<-ctx.Done()
		lost <- context.Cause(ctx)
		return engine.Outcome{Response: text("late")}
	})
	rec := mustStart(t, a, engine.Spec{})
	<-begun
	b := s.open(t)
	cut()
	work(t, b, func(_ context.Context, at engine.Attempt) engine.Outcome {
		select {
		case cause := <-lost:
			if !errors.Is(cause, engine.ErrLeaseLost) {
				t.Errorf("the first attempt ended with %v, want %v", cause, engine.ErrLeaseLost)
			}
		default:
			t.Error("the second attempt began before the first one has ended")
		}
		return engine.Outcome{Response: text(string(at.Record().Checkpoint))}
	})
	end, err := b.Wait(t.Context(), rec.Name)
	if err != nil || end.Crashes != 1 || end.Response.String() != text("checkpoint").String() {
		t.Errorf("Wait() = %v, %v; want the response of a second attempt, from the checkpoint", end, err)
	}
	err = b.own(t.Context(), func(q querier) error {
		dead, err := seqs(t.Context(), q, b.sql.deadProcs)
		if len(dead) > 0 {
			t.Errorf("processes %d are dead and still stored, want none", dead)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestLostClaim: what was claimed by a statement whose answer was lost is run, and
// it is no crash.
func TestLostClaim(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	e := s.open(t)
	owner, _, err := e.process.id(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Another operation of the process has an attempt, and keeps it.
	begun, end := make(chan struct{}), make(chan struct{})
	work(t, e, func(ctx context.Context, a engine.Attempt) engine.Outcome {
		if a.Record().RequestID == "runs" {
			close(begun)
			<-end
			if ctx.Err() != nil {
				t.Errorf("the context of the attempt has ended: %v", context.Cause(ctx))
			}
		}
		return engine.Outcome{Response: text("")}
	})
	runs := mustStart(t, e, engine.Spec{RequestID: "runs"})
	<-begun
	e.claiming <- struct{}{}
	lost := s.claimed(t, e, owner)
	e.claimLost = owner
	<-e.claiming
	if rec, err := e.Wait(t.Context(), lost.Name); err != nil || rec.State != engine.Succeeded || rec.Attempt != 1 || rec.Crashes != 0 {
		t.Errorf("Wait() = %v, %v; want success in attempt 1, without a crash", rec, err)
	}
	close(end)
	if rec, err := e.Wait(t.Context(), runs.Name); err != nil || rec.State != engine.Succeeded || rec.Attempt != 1 {
		t.Errorf("Wait() of the other = %v, %v; want success in attempt 1", rec, err)
	}
}

// TestLostClaimLocked: what a lost claim has claimed is handed back also when another
// transaction has it locked just then.
func TestLostClaimLocked(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	e := s.open(t)
	owner, _, err := e.process.id(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lost := s.claimed(t, e, owner)
	tx := s.locked(t, e, lost)
	back := make(chan error, 1)
	go func() { back <- e.loseClaim(t.Context(), owner) }()
	if err := waited(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-back; err != nil {
		t.Fatal(err)
	}
	if rec, err := e.Get(t.Context(), lost.Name); err != nil || rec.State != engine.Pending || rec.Attempt != 0 {
		t.Errorf("Get() = %v, %v; want it to wait for its first attempt", rec, err)
	}
}

// TestEndOutlivesWorker: what the database has refused until the worker gave up is stored
// once it can be, while the engine is open: the end of one attempt, and that another one
// was abandoned. Until then neither counts as claimed and never begun.
func TestEndOutlivesWorker(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{})
	e := s.open(t)
	ends, deaf := mustStart(t, e, engine.Spec{AtMostOnce: true}), mustStart(t, e, engine.Spec{})
	begun, release := make(chan struct{}, 2), make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	worked := make(chan error, 1)
	go func() {
		worked <- e.Work(ctx, engine.Worker{Kinds: map[string]int{"k": 0}, Run: func(ctx context.Context, a engine.Attempt) engine.Outcome {
			begun <- struct{}{}
			if a.Record().Name == deaf.Name {
				<-release
			}
			<-ctx.Done()
			return engine.Outcome{Response: text("response")}
		}})
	}()
	<-begun
	<-begun
	s.rename(t, "live", "away")
	stop()
	if err := <-worked; err != nil {
		t.Errorf("Work() = %v", err)
	}
	s.rename(t, "away", "live")
	owner, _, err := e.process.id(t.Context())
	if err == nil {
		err = e.loseClaim(t.Context(), owner)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), elsewhere)
	defer cancel()
	if got, err := e.Wait(ctx, ends.Name); err != nil || got.State != engine.Succeeded || got.Attempt != 1 {
		t.Errorf("Wait() = %v, %v; want the end of the first attempt", got, err)
	}
	for {
		got, err := e.Get(ctx, deaf.Name)
		if err == nil && got.State == engine.Pending && got.Attempt == 1 {
			break
		}
		if !pause(ctx, 20*time.Millisecond, nil) {
			t.Fatalf("Get() = %v, %v; want it handed back by its first attempt", got, err)
		}
	}
	close(release)
}

// TestLostClaimAfterLease: an attempt that has lost its lease is a crash, also when
// a claim was lost before, and not an operation that the claim has left without one.
func TestLostClaimAfterLease(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	e := s.open(t)
	begun := make(chan struct{}, 2)
	work(t, e, func(ctx context.Context, _ engine.Attempt) engine.Outcome {
		begun <- struct{}{}
		<-ctx.Done()
		return engine.Outcome{}
	})
	rec := mustStart(t, e, engine.Spec{AtMostOnce: true})
	<-begun
	owner := e.forgetLease()
	if err := e.loseClaim(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	s.exec(t, e.sql.expireProc, owner)
	ctx, cancel := context.WithTimeout(t.Context(), elsewhere)
	defer cancel()
	if end, err := e.Wait(ctx, rec.Name); err != nil || end.State != engine.Failed || end.Crashes != 1 {
		t.Errorf("Wait() = %v, %v; want it to have failed with one crash", end, err)
	}
	if len(begun) > 0 {
		t.Error("an operation that runs at most once has run again")
	}
}

// TestClaimAfterLease: no attempt begins whose lease has ended before the answer of
// its claim came.
func TestClaimAfterLease(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	claim := newStatements(s.opts.Schema).claim
	var e *Engine
	var owner atomic.Int64
	e = s.openTraced(t, func(trip []*pgx.QueuedQuery) {
		if trip[len(trip)-1].SQL == claim && owner.Load() == 0 {
			owner.Store(e.forgetLease())
		}
	})
	rec := mustStart(t, e, engine.Spec{})
	work(t, e, func(_ context.Context, a engine.Attempt) engine.Outcome {
		return engine.Outcome{Response: text(strconv.Itoa(a.Record().Attempt))}
	})
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) { // sleep: PostgreSQL has its own time
		got, err := e.Get(t.Context(), rec.Name)
		if err != nil || time.Since(begin) > elsewhere {
			t.Fatalf("Get() = %v, %v; want it claimed", got, err)
		}
		if got.State != engine.Pending {
			break
		}
	}
	s.exec(t, e.sql.expireProc, owner.Load())
	if end, err := e.Wait(t.Context(), rec.Name); err != nil || end.Response.String() != text("2").String() || end.Crashes != 1 {
		t.Errorf("Wait() = %v, %v; want the response of the second attempt", end, err)
	}
}

// TestStaleRead: the state of before an attempt was claimed, read while it was,
// does not take its operation from the attempt.
func TestStaleRead(t *testing.T) {
	t.Parallel()
	e := newStore(t, &Options{Lease: testLease}).open(t)
	rec := mustStart(t, e, engine.Spec{})
	before, err := e.find(t.Context(), rec.Name)
	if err != nil {
		t.Fatal(err)
	}
	begun, end := make(chan struct{}), make(chan struct{})
	work(t, e, func(ctx context.Context, _ engine.Attempt) engine.Outcome {
		close(begun)
		<-end
		if ctx.Err() != nil {
			t.Errorf("the context of the attempt has ended: %v", context.Cause(ctx))
		}
		return engine.Outcome{Response: text("")}
	})
	<-begun
	e.publish(news{seq: before.seq}, before)
	close(end)
	if rec, err := e.Wait(t.Context(), rec.Name); err != nil || rec.Attempt != 1 {
		t.Errorf("Wait() = %v, %v; want the end of attempt 1", rec, err)
	}
}

// TestReadBesideEnd: a read that began before an attempt of the process ended
// shows what the attempt had reported, as reads before it did, and not the older
// progress that is in the row it has found.
func TestReadBesideEnd(t *testing.T) {
	t.Parallel()
	e := newStore(t, &Options{Lease: testLease}).open(t)
	rec := mustStart(t, e, engine.Spec{})
	begun, report, end := make(chan struct{}), make(chan struct{}), make(chan struct{})
	work(t, e, func(_ context.Context, a engine.Attempt) engine.Outcome {
		close(begun)
		<-report
		a.Report(text("reported"))
		<-end
		return engine.Outcome{Retry: true, RetryAfter: time.Hour, Error: &status.Status{Code: int32(code.Code_UNAVAILABLE)}}
	})
	<-begun
	one, err := e.find(t.Context(), rec.Name)
	if err != nil {
		t.Fatal(err)
	}
	many, err := e.readMany(t.Context(), []int64{one.seq}, nil)
	if err != nil {
		t.Fatal(err)
	}
	close(report)
	close(end)
	until(t, "the attempt has not ended", func() bool { return len(e.running()) == 0 })
	for _, read := range []*row{one, many[one.seq]} {
		if got := e.shown(read); got.State != engine.Running || !proto.Equal(got.Metadata, text("reported")) {
			t.Errorf("a read that began before the end shows %v, want what was reported", got)
		}
	}
}

// TestProgressMovesUpdateTime: progress that is not stored yet has the time at which
// it was reported.
func TestProgressMovesUpdateTime(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	e := s.open(t)
	claimed, proceed := make(chan *engine.Record), make(chan struct{})
	work(t, e, func(ctx context.Context, a engine.Attempt) engine.Outcome {
		began := a.Record()
		for !e.process.now().After(began.UpdateTime) {
			<-time.After(time.Millisecond)
		}
		a.Report(text("progress"))
		claimed <- began
		<-proceed
		return engine.Outcome{Response: text("ran")}
	})
	mustStart(t, e, engine.Spec{})
	began := <-claimed
	got, err := e.Get(t.Context(), began.Name)
	if err != nil || got.Metadata == nil || !got.UpdateTime.After(began.UpdateTime) {
		t.Errorf("Get() = %v, %v; want the progress, updated after %v", got, err, began.UpdateTime)
	}
	close(proceed)
	if end, err := e.Wait(t.Context(), began.Name); err != nil || end.State != engine.Succeeded {
		t.Errorf("Wait() = %v, %v; want success", end, err)
	}
}

// TestIdleWorker: a worker that finds nothing looks again after a while.
func TestIdleWorker(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{})
	claim := newStatements(s.opts.Schema).claim
	var claims atomic.Int64
	e := s.openTraced(t, func(trip []*pgx.QueuedQuery) {
		if trip[len(trip)-1].SQL == claim {
			claims.Add(1)
		}
	})
	work(t, e, func(context.Context, engine.Attempt) engine.Outcome { return engine.Outcome{} })
	until(t, "the worker does not claim", func() bool { return claims.Load() > 0 })
	before := claims.Load()
	time.Sleep(time.Second)                  // sleep: PostgreSQL has its own time
	if n := claims.Load() - before; n > 50 { // without LISTEN it polls 10 times
		t.Errorf("an idle worker has claimed %d times in a second", n)
	}
}

// TestLeaseGone: a process that finds at a renewal that it was taken over holds nothing.
func TestLeaseGone(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: time.Hour})
	e := s.open(t)
	owner, _, err := e.process.id(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.exec(t, e.sql.leave, owner)
	if e.process.renew(t.Context()); e.process.holds(owner) {
		t.Error("the process holds a lease that is gone")
	}
}

// TestHeartbeatWithoutLease: it writes nothing.
func TestHeartbeatWithoutLease(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{})
	var writes atomic.Int64
	e := s.openTraced(t, func(trip []*pgx.QueuedQuery) {
		for _, q := range trip {
			if q.SQL == newStatements(s.opts.Schema).updateLive {
				writes.Add(1)
			}
		}
	})
	for _, want := range []int64{0, 1} { // without a lease, and with one
		rec := mustStart(t, e, engine.Spec{External: true, LeaseFor: time.Duration(want) * time.Hour})
		if _, err := e.Heartbeat(t.Context(), rec.Lease()); err != nil {
			t.Fatalf("Heartbeat() = %v", err)
		}
		if got := writes.Load(); got != want {
			t.Errorf("heartbeats have written %d times, want %d", got, want)
		}
	}
}

// TestSweepFailureIsLogged: so that somebody knows why nothing is taken over.
func TestSweepFailureIsLogged(t *testing.T) {
	t.Parallel()
	log := make(chan string, 100)
	s := newStore(t, &Options{Logger: slog.New(slog.NewTextHandler(lines(log), nil))})
	e := s.open(t)
	s.rename(t, "proc", "away")
	defer func() {
		s.rename(t, "away", "proc")
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	for {
		select {
		case line := <-log:
			if strings.Contains(line, "could not be searched for") {
				return
			}
		case <-time.After(elsewhere):
			t.Fatal("nothing is logged")
		}
	}
}

// lines is a writer of lines, which drops what does not fit.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	select {
	case l <- string(b):
	default:
	}
	return len(b), nil
}
