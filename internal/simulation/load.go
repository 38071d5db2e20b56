package simulation

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
)

// Flags of the tests that call [Load].
var (
	callersFlag = flag.String("load.callers", "", "the `numbers` of callers, one load after another; empty skips the test")
	loadForFlag = flag.Duration("load.for", 10*time.Minute, "how long each load lasts")
)

const (
	loadSamples = 20               // of memory and goroutines, over a load
	heapSlack   = 8 << 20          // bytes by which the heap may differ between two samples of the same load
	patience    = 15 * time.Minute // of a caller with one operation, from its start until it is deleted
)

// Load puts callers on the engine that open returns: each starts an operation, waits for its end and
// deletes it, over and over, and repeats what a store refuses that has too much to do.
// It logs how many a second, how long they and their deletes took, and fails t when a call
// fails, or when the heap or the number of goroutines grows meanwhile.
func Load(t *testing.T, open func() engine.Engine) {
	t.Helper()
	if *callersFlag == "" {
		t.Skip("SKIPPED: run make load")
	}
	numbers, err := parseNumbers(*callersFlag)
	if err == nil && slices.Min(numbers) < 1 {
		err = fmt.Errorf("%q: want 1 or more", *callersFlag)
	}
	if err != nil {
		t.Fatalf("callers %v", err)
	}
	e := open()
	for _, n := range numbers {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			l := &load{kind: server.Kind[text, text, details]{Name: "load"}}
			l.server, err = server.New(e, server.Config{PageKey: pageKey}, l.kind.Handle(
				func(_ context.Context, _ *server.Task[details], req text) (text, error) { return req, nil }))
			if err != nil {
				t.Fatal(err)
			}
			l.run(t, n)
		})
	}
}

type load struct {
	kind   server.Kind[text, text, details]
	server *server.Server

	mu      sync.Mutex
	ends    durations // from the start of an operation to its end
	deletes durations
	refused int   // calls, as UNAVAILABLE
	wrong   error // of the last caller that left
	left    int   // callers, because a call failed
}

func (l *load) run(t *testing.T, callers int) {
	ctx, stop := context.WithTimeout(t.Context(), *loadForFlag)
	defer stop()
	var working, calling sync.WaitGroup
	working.Go(func() {
		if err := l.server.Serve(context.WithoutCancel(ctx), nil, nil); err != nil {
			t.Errorf("Serve() = %v", err)
		}
	})
	began := time.Now()
	for range callers {
		calling.Go(func() {
			for ctx.Err() == nil {
				if err := l.one(); err != nil {
					l.mu.Lock()
					l.wrong = err
					l.left++
					l.mu.Unlock()
					return
				}
			}
		})
	}
	samples := sample(ctx)
	calling.Wait()
	took := time.Since(began)
	if err := l.server.Shutdown(context.WithoutCancel(ctx)); err != nil {
		t.Errorf("Shutdown() = %v", err)
	}
	working.Wait()
	if l.wrong != nil {
		t.Errorf("%d callers left, the last because of: %v", l.left, l.wrong)
	}
	t.Logf("%d callers, %v: %d operations, %.0f/s; %d calls were refused", callers,
		took.Round(time.Second), l.ends.n, float64(l.ends.n)/took.Seconds(), l.refused)
	t.Logf("from the start to the end of one: %v", &l.ends)
	t.Logf("to delete one: %v", &l.deletes)
	for i, s := range samples {
		if i%5 == 0 || i == len(samples)-1 {
			t.Logf("after %v: heap %.1f MB, %d goroutines", s.at.Round(time.Second), float64(s.heap)/1e6, s.goroutines)
		}
	}
	if err := flat(samples); err != nil {
		t.Error(err)
	}
}

// one starts an operation, waits for its end and deletes it.
func (l *load) one() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	began := time.Now()
	calls := l.server.Operations()
	op, err := accepted(ctx, l, func() (*longrunningpb.Operation, error) {
		return l.kind.Start(ctx, l.server, wrapperspb.String(strings.Repeat("x", 100)), nil)
	})
	for err == nil && !op.GetDone() {
		wait := &longrunningpb.WaitOperationRequest{Name: op.GetName(), Timeout: durationpb.New(time.Minute)}
		op, err = accepted(ctx, l, func() (*longrunningpb.Operation, error) { return calls.WaitOperation(ctx, wait) })
	}
	if err != nil {
		return fmt.Errorf("start or wait: %w", err)
	}
	if op.GetResponse() == nil {
		return fmt.Errorf("operation %q has failed: %v", op.GetName(), op.GetError())
	}
	ended := time.Now()
	l.count(&l.ends, ended.Sub(began))
	_, err = accepted(ctx, l, func() (*emptypb.Empty, error) {
		return calls.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: op.GetName()})
	})
	if err != nil && status.Code(err) != codes.NotFound { // one that was refused may have deleted it
		return fmt.Errorf("delete: %w", err)
	}
	l.count(&l.deletes, time.Since(ended))
	return nil
}

func (l *load) count(in *durations, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	in.add(took)
}

// accepted repeats a call of l while it is refused, as clients do.
func accepted[R any](ctx context.Context, l *load, call func() (R, error)) (r R, err error) {
	err = repeat(ctx, func() (err error) { r, err = call(); return err }, l.refuses)
	return r, err
}

// refuses counts the calls that the store has too much to do for.
func (l *load) refuses(err error) bool {
	if status.Code(err) != codes.Unavailable {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused++
	return true
}

// usage is what a process uses at a time of its load.
type usage struct {
	at         time.Duration
	heap       uint64 // bytes, after a collection
	goroutines int
}

// sample looks at the process while ctx lasts.
func sample(ctx context.Context) (all []usage) {
	began := time.Now()
	ticker := time.NewTicker(max(*loadForFlag/loadSamples, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return all
		case <-ticker.C:
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			all = append(all, usage{time.Since(began), m.HeapAlloc, runtime.NumGoroutine()})
		}
	}
}

// flat returns an error when the least heap or goroutines of the last quarter are
// more than those of the second one: a call that happens to be under way is no
// growth. The first quarter is for caches to fill.
func flat(samples []usage) error {
	if len(samples) < 8 {
		return nil // too short to tell
	}
	quarter := len(samples) / 4
	least := func(part []usage) usage {
		u := part[0]
		for _, s := range part {
			u.heap, u.goroutines = min(u.heap, s.heap), min(u.goroutines, s.goroutines)
		}
		return u
	}
	before, after := least(samples[quarter:2*quarter]), least(samples[len(samples)-quarter:])
	var errs []error
	if after.heap > before.heap+before.heap/4+heapSlack {
		errs = append(errs, fmt.Errorf("the heap grows: %d bytes, then %d", before.heap, after.heap))
	}
	if after.goroutines > before.goroutines+before.goroutines/4+10 {
		errs = append(errs, fmt.Errorf("goroutines grow: %d, then %d", before.goroutines, after.goroutines))
	}
	return errors.Join(errs...)
}
