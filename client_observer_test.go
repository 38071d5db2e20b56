package lro

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Not parallel: AllocsPerRun counts the allocations of the whole process.
func TestObserverCostsNothingWhenUnset(t *testing.T) {
	state := running("")
	service := GetFunc(func(context.Context, string) (*longrunningpb.Operation, error) { return state, nil })
	for _, test := range []struct {
		name     string
		observer *Observer
	}{
		{"none", nil},
		{"without functions", &Observer{}},
	} {
		op := wrap(t, service, WithObserver(test.observer))
		bare := testing.AllocsPerRun(1000, func() {
			k := &call{}
			k.values = t.Context()
			op.client.callGet(&k.limited, &k.poll, op.name)
		})
		hooked := testing.AllocsPerRun(1000, func() {
			k := &call{number: 1}
			k.values = t.Context()
			op.observeCall(k)
		})
		if hooked != bare {
			t.Errorf("observer %s: a poll with the hook allocates %v times, want the %v of one without", test.name, hooked, bare)
		}
	}
}

// eventLog is an observer that writes down what it is told.
type eventLog struct {
	mu    sync.Mutex
	lines []string
	waits int // begun so far
}

type waitNumber struct{} // key of the wait's number in a context

func (l *eventLog) add(ctx context.Context, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf("wait %v ", ctx.Value(waitNumber{}))+fmt.Sprintf(format, args...))
}

func (l *eventLog) observer() *Observer {
	return &Observer{
		WaitStart: func(ctx context.Context, e WaitStart) context.Context {
			l.mu.Lock()
			l.waits++
			ctx = context.WithValue(ctx, waitNumber{}, l.waits)
			l.mu.Unlock()
			l.add(ctx, "begins")
			return ctx
		},
		WaitEnd: func(ctx context.Context, e WaitEnd) {
			l.add(ctx, "ends after %v and %d polls, done %t, %v", e.Elapsed, e.Polls, e.Snapshot.Done(), e.Err)
		},
		PollEnd: func(ctx context.Context, e PollEnd) {
			l.add(ctx, "poll %d", e.Number)
		},
	}
}

func (l *eventLog) want(t *testing.T, lines ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if diff := cmp.Diff(lines, l.lines); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
}

func TestObserverOfGroup(t *testing.T) {
	t.Parallel()
	t.Run("done", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var log eventLog
			op := wrap(t, (&fakeService{get: endsAt(1500 * time.Millisecond)}).pollOnly(), WithPolicy(eachSecond), WithObserver(log.observer()))
			if err := WaitAll(t.Context(), op); err != nil {
				t.Fatalf("WaitAll: %v", err)
			}
			// Not after synctest.Wait: the end is told before it is yielded.
			log.want(t, "wait 1 begins", "wait 1 poll 1", "wait 1 poll 2", "wait 1 ends after 1s and 2 polls, done true, <nil>")
		})
	})
	t.Run("failed for good", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var log eventLog
			service := &fakeService{get: func(context.Context, int) (*longrunningpb.Operation, error) {
				return nil, status.Error(codes.PermissionDenied, "not yours")
			}}
			op := wrap(t, service.pollOnly(), WithPolicy(eachSecond), WithObserver(log.observer()))
			if err := WaitAll(t.Context(), op); status.Code(err) == codes.OK {
				t.Fatalf("WaitAll: got %v, want an error", err)
			}
			log.want(t, "wait 1 begins", "wait 1 poll 1",
				"wait 1 ends after 0s and 1 polls, done false, rpc error: code = PermissionDenied desc = not yours")
		})
	})
	t.Run("two iterations", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var log eventLog
			op := wrap(t, (&fakeService{get: endsAt(3500 * time.Millisecond)}).pollOnly(), WithPolicy(eachSecond), WithObserver(log.observer()))
			var g Group[Handle]
			g.Add(op)
			ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
			defer cancel()
			for _, err := range g.Completed(ctx) {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Completed yields %v, want the end of ctx", err)
				}
			}
			for _, err := range g.Completed(t.Context()) {
				if err != nil {
					t.Errorf("Completed yields %v, want a done operation", err)
				}
			}
			log.want(t,
				// The third is the last before the deadline.
				"wait 1 begins", "wait 1 poll 1", "wait 1 poll 2", "wait 1 poll 3", "wait 1 ends after 1.5s and 3 polls, done false, <nil>",
				"wait 2 begins", "wait 2 poll 1", "wait 2 poll 2", "wait 2 ends after 1s and 2 polls, done true, <nil>")
		})
	})
	t.Run("left during a call", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var log eventLog
			service := &fakeService{get: func(ctx context.Context, _ int) (*longrunningpb.Operation, error) {
				<-ctx.Done()
				return nil, status.FromContextError(ctx.Err()).Err()
			}}
			op := wrap(t, service.pollOnly(), WithPolicy(eachSecond), WithObserver(log.observer()))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if _, err := WaitAny(ctx, op); err == nil {
				t.Error("WaitAny of an operation that hangs: got no error")
			}
			synctest.Wait()
			log.want(t, "wait 1 begins", "wait 1 poll 1", "wait 1 ends after 1s and 1 polls, done false, <nil>")
		})
	})
	t.Run("done elsewhere during the first call", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var log eventLog
			service := &fakeService{get: func(_ context.Context, n int) (*longrunningpb.Operation, error) {
				if n == 1 {
					time.Sleep(time.Minute)
				}
				return succeeded("x"), nil
			}}
			op := wrap(t, service.pollOnly(), WithPolicy(Policy{AttemptTimeout: time.Hour}), WithObserver(log.observer()))
			time.AfterFunc(time.Second, func() {
				if _, err := op.Poll(t.Context()); err != nil {
					t.Errorf("Poll: %v", err)
				}
			})
			begin := time.Now()
			if err := WaitAll(t.Context(), op); err != nil {
				t.Fatalf("WaitAll: %v", err)
			}
			if took := time.Since(begin); took != time.Second {
				t.Errorf("WaitAll took %v, want the second until Poll found the end", took)
			}
			time.Sleep(2 * time.Minute) // for the call under way
			log.want(t, "wait 1 begins", "wait 1 poll 1", "wait 1 ends after 1m0s and 1 polls, done true, <nil>")
		})
	})
	t.Run("done elsewhere before the first call", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var log eventLog
			observer := log.observer()
			op := wrap(t, (&fakeService{get: endsAt(0)}).pollOnly(), WithPolicy(eachSecond), WithObserver(observer))
			begin := observer.WaitStart
			observer.WaitStart = func(ctx context.Context, e WaitStart) context.Context {
				if _, err := op.Poll(t.Context()); err != nil {
					t.Errorf("Poll: %v", err)
				}
				return begin(ctx, e)
			}
			if err := WaitAll(t.Context(), op); err != nil {
				t.Fatalf("WaitAll: %v", err)
			}
			synctest.Wait()
			log.want(t, "wait 1 begins", "wait 1 ends after 0s and 0 polls, done true, <nil>")
		})
	})
}

func TestCallGivenUpIsNoError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log eventLog
		service := &fakeService{get: func(ctx context.Context, n int) (*longrunningpb.Operation, error) {
			if n > 10 {
				return succeeded("x"), nil
			}
			<-ctx.Done()
			return nil, status.FromContextError(ctx.Err()).Err()
		}}
		op := resume(t, service.pollOnly(), WithPolicy(eachSecond), WithObserver(log.observer()))
		var want []string
		for i := range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := op.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Wait %d of a service that hangs: got %v, want the end of ctx", i+1, err)
			}
			cancel()
			synctest.Wait()
			want = append(want, fmt.Sprintf("wait %d begins", i+1), fmt.Sprintf("wait %d poll 1", i+1),
				fmt.Sprintf("wait %d ends after 1s and 1 polls, done false, <nil>", i+1))
		}
		log.want(t, want...)
		// With no soft errors tolerated, one of them would end this wait.
		got, err := op.Wait(t.Context())
		wantValue(t, got, err, "x")
	})
}

// Two observers both see everything, each with its own link, and the context
// nests.
func TestObserversTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type key string
		var log []string
		named := func(name string) *Observer {
			return &Observer{
				Started: func(context.Context, Started) any { return name },
				WaitStart: func(ctx context.Context, e WaitStart) context.Context {
					log = append(log, name+" wait "+e.Link.(string))
					return context.WithValue(ctx, key(name), true)
				},
				PollEnd: func(ctx context.Context, _ PollEnd) {
					if ctx.Value(key("a")) == nil || ctx.Value(key("b")) == nil {
						t.Errorf("%s: a poll without both contexts", name)
					}
					log = append(log, name+" poll")
				},
				WaitEnd: func(context.Context, WaitEnd) { log = append(log, name+" end") },
			}
		}
		c := NewClient((&fakeService{get: endsAt(0)}).pollOnly(), WithObserver(named("a")), WithObserver(nil), WithObserver(named("b")))
		op, err := Strings.Start(t.Context(), c, func(context.Context, string, ...grpc.CallOption) (*longrunningpb.Operation, error) {
			return running(""), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Join(log, ", "), "a wait a, b wait b, b poll, a poll, b end, a end"; got != want {
			t.Errorf("observers saw %q, want %q", got, want)
		}
	})
}
