package sqlite

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// openFaulty opens an engine on a file system that a test makes fail. It is for a bubble.
func openFaulty(t *testing.T, dir string, log *slog.Logger) (*faultFS, *Engine) {
	t.Helper()
	fs := newFaultFS(t, 1)
	return fs, mustOpen(t, filepath.Join(dir, "operations.db"), &Options{vfs: fs.name, syncDir: fs.syncDir, Logger: log})
}

// work runs handlers, as many at a time as limit says, until stop, which waits for them.
func work(t *testing.T, e *Engine, limit int, run func(context.Context, engine.Attempt) engine.Outcome) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Work(ctx, engine.Worker{Kinds: map[string]int{"k": limit}, Run: run}) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Work() = %v", err)
		}
	}
}

// TestAbandon: a handler that ignores the end of its context loses its
// operation, and Work returns without it.
func TestAbandon(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		e := mustOpen(t, filepath.Join(dir, "operations.db"), nil)
		rec, err := e.Start(t.Context(), engine.Spec{Kind: "k"})
		if err != nil {
			t.Fatalf("Start() = %v", err)
		}
		began, release, returned := make(chan engine.Attempt), make(chan struct{}), make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- e.Work(ctx, engine.Worker{Kinds: map[string]int{"k": 0}, Run: func(_ context.Context, a engine.Attempt) engine.Outcome {
				defer close(returned)
				began <- a
				<-release
				return engine.Outcome{Response: textAny("late")}
			}})
		}()
		stuck := <-began
		cancel()
		at := time.Now()
		if err := <-done; err != nil {
			t.Errorf("Work() = %v", err)
		}
		if took := time.Since(at); took != enginekit.AbandonAfter {
			t.Errorf("Work returned after %v, want %v", took, enginekit.AbandonAfter)
		}
		got, err := e.Get(t.Context(), rec.Name)
		if err != nil || got.State != engine.Pending || got.Crashes != 0 {
			t.Errorf("Get() = %v, %v; want it handed back", got, err)
		}

		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		go func() {
			done <- e.Work(ctx, engine.Worker{Kinds: map[string]int{"k": 0}, Run: func(context.Context, engine.Attempt) engine.Outcome {
				return engine.Outcome{Response: textAny("in time")}
			}})
		}()
		got, err = e.Wait(t.Context(), rec.Name)
		if err != nil || unpack(got.Response) != "in time" {
			t.Errorf("Wait() = %v, %v; want the end of the second attempt", got, err)
		}
		if err := stuck.Save(t.Context(), nil); !errors.Is(err, engine.ErrFenced) {
			t.Errorf("Save() of the abandoned attempt = %v, want %v", err, engine.ErrFenced)
		}
		close(release)
		<-returned
		synctest.Wait()
		if got, err := e.Get(t.Context(), rec.Name); err != nil || unpack(got.Response) != "in time" {
			t.Errorf("Get() = %v, %v after the late outcome, want no change", got, err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Work() = %v", err)
		}
	})
}

// TestEndOutlivesWorker: what a full disk has refused until the worker gave up is stored
// once there is room, while the engine is open: the end of one attempt, and that another
// one was abandoned.
func TestEndOutlivesWorker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		fs, e := openFaulty(t, dir, nil)
		ends, deaf := mustStart(t, e, engine.Spec{}), mustStart(t, e, engine.Spec{})
		release := make(chan struct{})
		stop := work(t, e, 0, func(ctx context.Context, a engine.Attempt) engine.Outcome {
			if a.Record().Name == deaf.Name {
				<-release
			}
			<-ctx.Done()
			return engine.Outcome{Response: textAny("response")}
		})
		synctest.Wait()
		fs.mu.Lock()
		fs.plan = func(int, string) fault { return diskFull }
		fs.mu.Unlock()
		stop()
		fs.revive()
		time.Sleep(time.Minute) // sleep: in a bubble
		if got := mustGet(t, e, ends.Name); got.State != engine.Succeeded || got.Attempt != 1 {
			t.Errorf("Get() = %v, want the end of the first attempt", got)
		}
		if got := mustGet(t, e, deaf.Name); got.State != engine.Pending {
			t.Errorf("Get() = %v, want it handed back", got)
		}
		close(release)
	})
}

// TestDrainBesideClaim: an attempt whose claim is committed only after the others were
// told that the worker is draining is told, too.
func TestDrainBesideClaim(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		fs, e := openFaulty(t, dir, nil)
		rec := mustStart(t, e, engine.Spec{})
		fs.mu.Lock()
		fs.commits = func() time.Duration { return time.Second }
		fs.mu.Unlock()
		told := make(chan error, 1)
		stop := work(t, e, 0, func(ctx context.Context, _ engine.Attempt) engine.Outcome {
			<-ctx.Done()
			told <- context.Cause(ctx)
			return engine.Outcome{Release: true}
		})
		time.Sleep(time.Second / 2) // sleep: in a bubble
		if got := mustGet(t, e, rec.Name); got.State != engine.Pending {
			t.Fatalf("Get() = %v, want that the claim is under way", got)
		}
		begin := time.Now()
		stop()
		if cause := <-told; !errors.Is(cause, engine.ErrDraining) || time.Since(begin) > 2*time.Second {
			t.Errorf("the attempt was told %v after %v, want %v at once", cause, time.Since(begin), engine.ErrDraining)
		}
	})
}

// TestCacheBound: operations that do not run take no more memory than allowed,
// and those that run stay.
func TestCacheBound(t *testing.T) {
	t.Parallel()
	const limit = 100_000
	e := mustOpen(t, filepath.Join(t.TempDir(), "operations.db"), &Options{CacheBytes: limit})
	var running, pending []string
	for range 100 {
		for _, external := range []bool{true, false, false} {
			rec, err := e.Start(t.Context(), engine.Spec{Kind: "k", External: external, Request: textAny("request")})
			if err != nil {
				t.Fatalf("Start() = %v", err)
			}
			if external {
				running = append(running, rec.Name)
			} else {
				pending = append(pending, rec.Name)
			}
		}
	}
	inMemory := func(names []string) (n int) {
		for _, name := range names {
			seq, _ := enginekit.ParseSeqName(name)
			if e.visible(seq) != nil {
				n++
			}
		}
		return n
	}
	check := func() {
		t.Helper()
		if n := inMemory(running); n != len(running) {
			t.Errorf("%d of %d running operations are in memory, want all", n, len(running))
		}
		if n := inMemory(pending); n == 0 || n > limit/1024 {
			t.Errorf("%d pending operations are in memory, want some, at most %d", n, limit/1024)
		}
		n := inMemory(pending)
		e.mu.RLock()
		defer e.mu.RUnlock()
		if e.cache.size > limit || e.cache.recent.Len() != n {
			t.Errorf("cache has %d bytes and a list of %d, want at most %d bytes", e.cache.size, e.cache.recent.Len(), limit)
		}
	}
	check()
	for range 3 {
		for _, name := range pending {
			if _, err := e.Get(t.Context(), name); err != nil {
				t.Fatalf("Get() = %v", err)
			}
		}
		check()
	}
}

// TestCacheKeepsWhatIsRead: what is read often stays in memory, and others leave it.
func TestCacheKeepsWhatIsRead(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, filepath.Join(t.TempDir(), "operations.db"), &Options{CacheBytes: 100_000})
	read, other := mustStart(t, e, engine.Spec{}), mustStart(t, e, engine.Spec{})
	for range 300 {
		mustStart(t, e, engine.Spec{})
		if mustGet(t, e, read.Name) != read {
			t.Fatal("what is read often was read from the file")
		}
	}
	if mustGet(t, e, other.Name) == other {
		t.Error("what was not read has stayed in memory")
	}
}

// TestEndStopsTheLease: nothing is left of the lease of an operation that has ended.
func TestEndStopsTheLease(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, filepath.Join(t.TempDir(), "operations.db"), nil)
	rec := mustStart(t, e, engine.Spec{External: true, LeaseFor: time.Hour})
	timers := func() int {
		e.mu.RLock()
		defer e.mu.RUnlock()
		return len(e.timers)
	}
	before := timers()
	if _, err := e.Complete(t.Context(), rec.Lease(), engine.Completion{Response: textAny("done")}); err != nil {
		t.Fatalf("Complete() = %v", err)
	}
	if after := timers(); before != 1 || after != 0 {
		t.Errorf("%d timers before the end and %d after it, want 1 and 0", before, after)
	}
}

// TestSaveRefused: a checkpoint that the file does not take is not acknowledged.
func TestSaveRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	if err := mustOpen(t, path, nil).Close(); err != nil {
		t.Fatal(err)
	}
	tamper(t, path, "CREATE TRIGGER refuse BEFORE INSERT ON checkpoint BEGIN SELECT RAISE(ABORT, 'refused'); END")
	e := mustOpen(t, path, nil)
	rec := mustStart(t, e, engine.Spec{})
	saved := make(chan error, 1)
	stop := work(t, e, 0, func(ctx context.Context, a engine.Attempt) engine.Outcome {
		saved <- a.Save(ctx, []byte("half"))
		return engine.Outcome{Response: textAny("done")}
	})
	if err := <-saved; err == nil {
		t.Error("Save() = nil, want an error")
	}
	if _, err := e.Wait(t.Context(), rec.Name); err != nil {
		t.Errorf("Wait() = %v", err)
	}
	stop()
}

// TestCacheForgets: what was removed leaves nothing in memory, however far the
// cache is below its limit.
func TestCacheForgets(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, filepath.Join(t.TempDir(), "operations.db"), nil)
	for range 10 {
		rec, err := e.Start(t.Context(), engine.Spec{Kind: "k"})
		if err == nil {
			_, err = e.Cancel(t.Context(), rec.Name)
		}
		if err == nil {
			err = e.Delete(t.Context(), rec.Name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	if n := e.cache.recent.Len(); n != 0 || len(e.cache.entries) != 0 || e.cache.size != 0 {
		t.Errorf("cache has %d bytes, %d entries and a list of %d, want nothing", e.cache.size, len(e.cache.entries), n)
	}
}

// TestClaimAfterFullDisk: what a claim has taken that could not be committed runs
// once there is room.
func TestClaimAfterFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		fs, e := openFaulty(t, dir, nil)
		rec := mustStart(t, e, engine.Spec{})
		refused := 0
		fs.mu.Lock()
		fs.plan = func(int, string) fault { refused++; return failTorn }
		fs.mu.Unlock()
		stop := work(t, e, 1, func(context.Context, engine.Attempt) engine.Outcome {
			return engine.Outcome{Response: textAny("response")}
		})
		time.Sleep(time.Second) // sleep: in a bubble
		fs.mu.Lock()
		if refused == 0 {
			t.Error("no claim was refused")
		}
		fs.mu.Unlock()
		fs.revive()
		wait, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if got, err := e.Wait(wait, rec.Name); err != nil || got.State != engine.Succeeded {
			t.Errorf("Wait() = %v, %v; want it to run once there is room", got, err)
		}
		stop()
	})
}

// TestChangedTwiceInABatch: what an operation was before the batch is known also when it
// is not in memory.
func TestChangedTwiceInABatch(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, filepath.Join(t.TempDir(), "operations.db"), &Options{CacheBytes: 1})
	rec := mustStart(t, e, engine.Spec{})
	seq, _ := enginekit.ParseSeqName(rec.Name)
	if e.visible(seq) != nil {
		t.Fatal("the operation is in memory")
	}
	err := e.write(t.Context(), 0, func(b *batch) error {
		for range 2 {
			r, err := b.load(seq)
			if err != nil {
				return err
			}
			after := r.edit()
			after.rec.Revision++
			if _, err := b.update(r, after); err != nil {
				return err
			}
		}
		if base := b.changes[seq].base; base == nil || base.rec.Revision != rec.Revision {
			t.Errorf("before the batch it was %v, want revision %d", base, rec.Revision)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestReadBeforeItIsPublished: subscribers hear of a change that somebody has read from
// the database just before.
func TestReadBeforeItIsPublished(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*batch, *row) error{
		"delete": func(b *batch, r *row) error {
			after := r.edit()
			after.flags |= flagHidden
			_, err := b.update(r, after)
			return err
		},
		"cancel": func(b *batch, r *row) error { return b.failWith(r, r.edit(), enginekit.Cancelled(), now()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := mustOpen(t, filepath.Join(t.TempDir(), "operations.db"), nil)
			changes := e.Subscribe(t.Context())
			rec := mustStart(t, e, engine.Spec{})
			seq, _ := enginekit.ParseSeqName(rec.Name)
			e.mu.Lock()
			e.cache.drop(seq)
			e.mu.Unlock()
			err := e.write(t.Context(), 0, func(b *batch) error {
				r, err := b.load(seq)
				if err != nil {
					return err
				}
				b.onCommit = func() {
					if _, err := e.Get(t.Context(), rec.Name); err != nil && name != "delete" {
						t.Error(err)
					}
				}
				return change(b, r)
			})
			if err != nil {
				t.Fatal(err)
			}
			last := mustStart(t, e, engine.Spec{})
			heard := false
			for c, err := range changes {
				if err != nil {
					t.Fatal(err)
				}
				if c.Record.Name == last.Name {
					break
				}
				heard = heard || c.Deleted || c.Record.State.Terminal()
			}
			if !heard {
				t.Error("a subscriber did not hear of it")
			}
		})
	}
}

// TestFinishIsTriedAgain: what a handler returned is stored once the disk has room again,
// with pauses that double.
func TestFinishIsTriedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		fs, e := openFaulty(t, dir, slog.New(slog.NewTextHandler(&log, nil)))
		rec := mustStart(t, e, engine.Spec{})
		stop := work(t, e, 0, func(context.Context, engine.Attempt) engine.Outcome {
			fs.mu.Lock()
			fs.plan = func(int, string) fault { return failTorn }
			fs.mu.Unlock()
			return engine.Outcome{Response: textAny("response")}
		})
		time.Sleep(time.Second) // sleep: in a bubble
		fs.revive()
		if got, err := e.Wait(t.Context(), rec.Name); err != nil || got.State != engine.Succeeded || got.Attempt != 1 {
			t.Errorf("Wait() = %v, %v; want the end of the first attempt", got, err)
		}
		stop()
		for _, want := range []string{"after=50ms", "after=100ms", "after=200ms"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log has no %q:\n%s", want, log.String())
			}
		}
	})
}
