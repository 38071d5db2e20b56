package lro

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// A state younger than the margin needs no last poll, and one serves all whose
// deadlines are near.
func TestDeadlinesSharePolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(time.Hour)}
		op := wrap(t, f.pollOnly(), WithPolicy(Policy{Jitter: -1}))
		var wg sync.WaitGroup
		for i := range 5000 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Duration(i)*20*time.Microsecond)
				defer cancel()
				if _, err := op.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Wait: %v, want the deadline", err)
				}
			})
		}
		wg.Wait()
		// By the plain schedule 14 in 10 s; 100 ms of deadlines need one for each
		// margin of 20 ms.
		if gets, _ := f.counts(); gets > 20 {
			t.Errorf("made %d polls, want at most 20", gets)
		}
	})
}

// What a service asks for binds the last poll before a deadline and later waits.
func TestHintOutlivesItsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hinted, err := status.New(codes.Unavailable, "busy").WithDetails(retryIn(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		end := endsAt(59 * time.Second)
		f := &fakeService{get: func(ctx context.Context, n int) (*longrunningpb.Operation, error) {
			if n == 1 {
				return nil, hinted.Err()
			}
			return end(ctx, n)
		}}
		op := resume(t, f.pollOnly())
		begin := time.Now()
		for time.Since(begin) < 59*time.Second {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := op.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Wait: %v, want the deadline", err)
			}
			cancel()
		}
		if gets, _ := f.counts(); gets != 1 {
			t.Errorf("made %d polls within the minute, want 1", gets)
		}
		got, err := op.Wait(t.Context())
		wantValue(t, got, err, "done")
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("the next poll came after %v, want a minute", took)
		}
	})
}

// Another's Poll ends a wait whose own call hangs.
func TestPollEndsWaitWhoseCallHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		given := make(chan struct{})
		f := &fakeService{get: func(ctx context.Context, n int) (*longrunningpb.Operation, error) {
			if n == 1 {
				<-ctx.Done()
				close(given)
				return nil, status.FromContextError(ctx.Err()).Err()
			}
			return succeeded("done"), nil
		}}
		op := resume(t, f.pollOnly())
		begin := time.Now()
		time.AfterFunc(time.Second, func() { _, _ = op.Poll(t.Context()) })
		got, err := op.Wait(t.Context())
		wantValue(t, got, err, "done")
		if took := time.Since(begin); took != time.Second {
			t.Errorf("Wait took %v, want the second until Poll found the end", took)
		}
		<-given // the call that hung was given up
	})
}

// A call carries the credentials of a caller that waits, and a refusal of them
// is told to that caller only.
func TestCredentialsAreTheCallersOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var seen []string
		end := endsAt(10 * time.Second)
		f := &fakeService{get: func(ctx context.Context, n int) (*longrunningpb.Operation, error) {
			md, _ := metadata.FromOutgoingContext(ctx)
			user := strings.Join(md.Get("user"), ",")
			mu.Lock()
			seen = append(seen, user)
			mu.Unlock()
			if user == "expired" {
				return nil, status.Error(codes.Unauthenticated, "who?")
			}
			return end(ctx, n)
		}}
		as := func(user string) context.Context {
			return metadata.NewOutgoingContext(t.Context(), metadata.Pairs("user", user))
		}
		op := resume(t, f.pollOnly())
		var wg sync.WaitGroup
		first, leave := context.WithCancel(as("first"))
		wg.Go(func() { _, _ = op.Wait(first) })
		synctest.Wait()
		wg.Go(func() {
			got, err := op.Wait(as("second"))
			if err != nil || got.GetValue() != "done" {
				t.Errorf("Wait of the second: %v, %v, want done", got, err)
			}
		})
		synctest.Wait()
		leave()
		time.Sleep(2 * time.Second)
		mu.Lock()
		if seen[0] != "first" || seen[len(seen)-1] != "second" {
			t.Errorf("calls were made for %q, want the second's once the first has left", seen)
		}
		mu.Unlock()
		wg.Wait()

		op = resume(t, f.pollOnly())
		f.get = func(ctx context.Context, n int) (*longrunningpb.Operation, error) {
			md, _ := metadata.FromOutgoingContext(ctx)
			if md.Get("user")[0] == "expired" {
				return nil, status.Error(codes.Unauthenticated, "who?")
			}
			return succeeded("done"), nil
		}
		results := make([]error, 4)
		for i, user := range []string{"expired", "good", "good", "expired"} {
			wg.Go(func() { _, results[i] = op.Wait(as(user)) })
			// All of them have joined before the first call is answered.
		}
		wg.Wait()
		for _, i := range []int{1, 2} {
			if results[i] != nil {
				t.Errorf("Wait with good credentials: %v, want none of another's error", results[i])
			}
		}
	})
}

// An Unauthenticated caller gets its own error while the others wait on.
func TestRefusalEndsOnlyItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		end := endsAt(10 * time.Second)
		f := &fakeService{get: func(ctx context.Context, n int) (*longrunningpb.Operation, error) {
			time.Sleep(10 * time.Millisecond) // sleep: in a bubble
			md, _ := metadata.FromOutgoingContext(ctx)
			if md.Get("user")[0] == "expired" {
				return nil, status.Error(codes.PermissionDenied, "not yours")
			}
			return end(ctx, n)
		}}
		op := resume(t, f.pollOnly())
		var wg sync.WaitGroup
		wait := func(user string, want codes.Code) {
			wg.Go(func() {
				ctx := metadata.NewOutgoingContext(t.Context(), metadata.Pairs("user", user))
				begin := time.Now()
				if _, err := op.Wait(ctx); status.Code(err) != want {
					t.Errorf("Wait of %q: %v, want %v", user, err, want)
				} else if took := time.Since(begin); err != nil && took > time.Second {
					t.Errorf("Wait of %q failed after %v, want at once", user, took)
				}
			})
			synctest.Wait()
		}
		wait("expired", codes.PermissionDenied)
		wait("good", codes.OK)
		wait("good", codes.OK)
		wg.Wait()
	})
}

// Cancel makes the wait poll at once, or after the call that is under way.
func TestCancelPollsAtOnce(t *testing.T) {
	t.Parallel()
	for _, busy := range []bool{false, true} {
		t.Run(fmt.Sprint(busy), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var cancelled atomic.Bool
				f := &fakeService{}
				f.cancel = func(context.Context) error { cancelled.Store(true); return nil }
				f.get = func(_ context.Context, n int) (*longrunningpb.Operation, error) {
					done := cancelled.Load()
					if n == 1 && busy {
						time.Sleep(2 * time.Second) // sleep: in a bubble
					}
					if done {
						return failed(codes.Canceled, "cancelled"), nil
					}
					return running(""), nil
				}
				op := resume(t, struct {
					getOnly
					canceller
				}{getOnly{f}, f}, WithPolicy(Policy{FirstPoll: time.Hour, MaxInterval: time.Hour}))
				begin := time.Now()
				time.AfterFunc(time.Second, func() {
					if ok, err := op.Cancel(t.Context()); !ok || err != nil {
						t.Errorf("Cancel: %v, %v", ok, err)
					}
				})
				_, err := op.Wait(t.Context())
				if e, ok := errors.AsType[*OperationError](err); !ok || !e.Cancelled() {
					t.Errorf("Wait: %v, want it cancelled", err)
				}
				want := time.Second
				if busy {
					want = 2 * time.Second
				}
				if took := time.Since(begin); took != want {
					t.Errorf("Wait took %v, want %v", took, want)
				}
			})
		})
	}
}

// The first who watches ends a long poll that was meant for those who want the
// end only.
func TestProgressEndsALongPollOfOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: func(context.Context, int) (*longrunningpb.Operation, error) { return running("half"), nil }, wait: waitsUntil(time.Hour)}
		op := wrap(t, f)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = op.Wait(ctx) })
		synctest.Wait()
		begin := time.Now()
		for s := range op.Progress(ctx) {
			if m, ok := s.Metadata(); ok && m.GetValue() == "half" {
				break
			}
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("Progress showed the state after %v, want at once", took)
		}
		cancel()
		wg.Wait()
	})
}

// A client serves callers inside and outside of a bubble, and in several, at the
// same time.
func TestClientInAndOutOfBubbles(t *testing.T) {
	t.Parallel()
	polled := make(chan struct{}, 1)
	service := GetFunc(func(context.Context, string) (*longrunningpb.Operation, error) {
		return running(""), nil
	})
	polling := &Observer{PollStart: func(ctx context.Context, e PollStart) context.Context {
		if e.Method == "outside" {
			signal(polled)
		}
		return ctx
	}}
	c := NewClient(service, WithPolicy(Policy{FirstPoll: time.Millisecond}), WithObserver(polling))
	method := Strings
	method.Name = "outside"
	outside, err := method.Wrap(c, running(""))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { _, _ = outside.Wait(ctx) })
	<-polled
	method.Name = "inside"
	for range 3 {
		synctest.Test(t, func(t *testing.T) {
			op, err := method.Wrap(c, running(""))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			if _, err := op.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Wait in a bubble: %v, want the deadline", err)
			}
			if err := WaitAll(ctx, op); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("WaitAll in a bubble: %v, want the deadline", err)
			}
			// One operation cannot be waited for in two bubbles at once.
			if _, err := outside.Wait(t.Context()); !errors.Is(err, errOtherBubble) {
				t.Errorf("Wait for what is waited for outside: %v, want an error that says so", err)
			}
			if err := WaitAll(t.Context(), outside); !errors.Is(err, errOtherBubble) {
				t.Errorf("WaitAll for what is waited for outside: %v, want an error that says so", err)
			}
			if _, err := outside.Poll(t.Context()); err != nil {
				t.Errorf("Poll in a bubble: %v", err)
			}
		})
	}
}

// A poll from outside of the bubble in which a caller watches the operation does
// not wake it, which would end the process. It takes the state in.
func TestPollOfWhatIsWatchedInABubble(t *testing.T) {
	t.Parallel()
	service := GetFunc(func(context.Context, string) (*longrunningpb.Operation, error) {
		op := running("")
		op.Metadata = anyOf(wrapperspb.String("news"))
		return op, nil
	})
	c := NewClient(service, WithPolicy(Policy{FirstPoll: time.Hour, MaxInterval: time.Hour}))
	op, err := Strings.Wrap(c, running(""))
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	begun, polled := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(polled)
		<-begun
		if s, err := op.Poll(context.Background()); err != nil || !s.Time().After(begin) {
			t.Errorf("Poll: state of %v, %v, want a new one", s.Time(), err)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			for range op.Progress(ctx) {
			}
		})
		synctest.Wait()
		close(begun)
		<-polled
		wg.Wait()
	})
}

// Callers that come and go at random all learn what is true.
func TestWaitersComeAndGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		operations, waiters := 500, 10_000
		if testing.Short() {
			waiters = 1000
		}
		begin := time.Now()
		f := &fleet{begin: begin, took: 5 * time.Millisecond, end: func(name string) time.Duration {
			var i int
			fmt.Sscanf(name, "operations/%d", &i)
			return time.Duration(i) * time.Minute / time.Duration(operations)
		}}
		var log waitCount
		ops := handles(t, NewClient(f, WithObserver(log.observer())), operations)
		var wg sync.WaitGroup
		for i := range waiters {
			rnd := rand.New(rand.NewPCG(1, uint64(i)))
			wg.Go(func() {
				for time.Since(begin) < time.Minute {
					time.Sleep(rand.N(5 * time.Second)) // sleep: in a bubble
					op := ops[rnd.IntN(operations)]
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rnd.Int64N(int64(20*time.Second))))
					err := waitSomehow(ctx, op.(*Operation[stringValue, stringValue]), i%10)
					if err != nil && !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("%s: %v, want success or the deadline", op.Name(), err)
					}
					if err == nil && !op.Done() {
						t.Errorf("%s: waiting succeeded, but it is not done", op.Name())
					}
					cancel()
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		log.check(t)
		for _, op := range ops {
			if w := &op.untyped().wait; w.members != nil || w.lane != nil || w.call() != nil {
				t.Fatalf("%s: left behind %+v", op.Name(), w)
			}
		}
		if c := ops[0].untyped().client; len(c.schedulers) != 0 {
			t.Errorf("%d schedulers are left without waits", len(c.schedulers))
		}
	})
}

// waitSomehow waits in one of the ways there are: most callers use Wait.
func waitSomehow(ctx context.Context, op *Operation[stringValue, stringValue], way int) (err error) {
	switch way {
	case 0:
		return WaitAll(ctx, op)
	case 1:
		return (<-op.Await(ctx)).Err
	case 2:
		for _, err = range op.Progress(ctx) {
		}
		return err
	default:
		_, err = op.Wait(ctx)
		return err
	}
}

func waitFor(ctx context.Context, op Handle, grouped bool) error {
	if grouped {
		return WaitAll(ctx, op)
	}
	_, err := op.(*Operation[stringValue, stringValue]).Wait(ctx)
	return err
}

// waitCount checks that the observer is told of ends as of begins, and of polls
// between.
type waitCount struct {
	mu     sync.Mutex
	open   int
	faults []string
}

type waitCountKey struct{}

func (l *waitCount) observer() *Observer {
	type state struct{ ended bool }
	return &Observer{
		WaitStart: func(ctx context.Context, e WaitStart) context.Context {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.open++
			return context.WithValue(ctx, waitCountKey{}, &state{})
		},
		PollEnd: func(ctx context.Context, e PollEnd) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if s, ok := ctx.Value(waitCountKey{}).(*state); !ok || s.ended {
				l.faults = append(l.faults, "a poll outside of its wait: "+e.Operation)
			}
		},
		WaitEnd: func(ctx context.Context, e WaitEnd) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.open--
			s := ctx.Value(waitCountKey{}).(*state)
			if s.ended {
				l.faults = append(l.faults, "a second end: "+e.Operation)
			}
			s.ended = true
		},
	}
}

func (l *waitCount) check(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open != 0 || len(l.faults) > 0 {
		t.Errorf("%d waits have not ended for the observer; %d faults, such as %q", l.open, len(l.faults), append(l.faults, "")[0])
	}
}

// A service that ignores the timeout of WaitOperation keeps no progress from
// those who watch.
func TestProgressBesideALongPollThatOverstays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		f := &fakeService{wait: func(ctx context.Context, n int, _ time.Duration) (*longrunningpb.Operation, error) {
			return waitsUntil(14*time.Second)(ctx, n, time.Hour)
		}}
		f.get = func(context.Context, int) (*longrunningpb.Operation, error) {
			if time.Since(begin) >= 14*time.Second {
				return succeeded("done"), nil
			}
			return running(time.Since(begin).Truncate(time.Second).String()), nil
		}
		shown := 0
		for _, err := range wrap(t, f, WithPolicy(Policy{MaxInterval: time.Second})).Progress(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			shown++
		}
		if shown < 13 {
			t.Errorf("Progress showed %d states in 14 s, want nearly all 14", shown)
		}
	})
}

// A connection has fewer streams than the client has long polls open: a request
// to cancel gets one all the same.
func TestCancelGetsAStream(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		streams int
		grouped bool
	}{{1, false}, {2, false}, {1, true}, {2, true}} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				// Callers of a full channel are served in the order they came, as
				// those who wait for a stream are.
				open := make(chan struct{}, test.streams)
				stream := func(ctx context.Context, call func() (*longrunningpb.Operation, error)) (*longrunningpb.Operation, error) {
					select {
					case open <- struct{}{}:
						defer func() { <-open }()
						return call()
					case <-ctx.Done():
						return nil, status.FromContextError(ctx.Err()).Err()
					}
				}
				f := &fakeService{}
				f.get = func(ctx context.Context, _ int) (*longrunningpb.Operation, error) {
					return stream(ctx, func() (*longrunningpb.Operation, error) { return running(""), nil })
				}
				wait := waitsUntil(time.Hour)
				f.wait = func(ctx context.Context, n int, timeout time.Duration) (*longrunningpb.Operation, error) {
					return stream(ctx, func() (*longrunningpb.Operation, error) { return wait(ctx, n, timeout) })
				}
				f.cancel = func(ctx context.Context) error {
					_, err := stream(ctx, func() (*longrunningpb.Operation, error) { return nil, nil })
					return err
				}
				c := NewClient(f)
				ctx, leave := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				defer wg.Wait()
				defer leave()
				var last *Operation[stringValue, stringValue]
				for range 2 * test.streams {
					op, err := Strings.Wrap(c, running(""))
					if err != nil {
						t.Fatal(err)
					}
					last = op
					wg.Go(func() { _ = waitFor(ctx, op, test.grouped) })
					synctest.Wait()
				}
				begin := time.Now()
				if _, err := last.Cancel(t.Context()); err != nil || time.Since(begin) > 2*time.Second {
					t.Errorf("Cancel: %v after %v, want success within 2s", err, time.Since(begin))
				}
			})
		})
	}
}

// Progress takes the options of Wait.
func TestProgressCancelsOnEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var cancelled atomic.Bool
		f := &fakeService{cancel: func(context.Context) error { cancelled.Store(true); return nil }}
		f.get = func(context.Context, int) (*longrunningpb.Operation, error) {
			if cancelled.Load() {
				return failed(codes.Canceled, "cancelled"), nil
			}
			return running(""), nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var last Snapshot[stringValue, stringValue]
		for s, err := range wrap(t, f).Progress(ctx, CancelOnEnd(time.Minute)) {
			if err != nil {
				t.Fatalf("Progress: %v, want the end of the cancelled operation", err)
			}
			last = s
		}
		if !last.Cancelled() {
			t.Error("the last state is not that of a cancelled operation")
		}
	})
}

// No later pause shortens "never again".
func TestLongPollsPausedForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := NewClient(&fakeService{})
		c.pauseLongPoll(forever)
		c.pauseLongPoll(time.Minute)
		time.Sleep(time.Hour) // sleep: in a bubble
		if c.longPollUsable() {
			t.Error("WaitOperation is used again")
		}
	})
}

// NextPoll is not called for what WaitOperation answers, and so does not put off the
// poll that follows when long polls are given up.
func TestNextPollFollowsGetOperationAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		called := 0
		f := &fakeService{get: endsAt(time.Hour), wait: waitsUntil(100 * time.Second)}
		op := wrap(t, f, WithPolicy(Policy{NextPoll: func(Policy) func(Raw, time.Duration) time.Duration {
			return func(Raw, time.Duration) time.Duration { called++; return 0 }
		}}))
		ctx, cancel := context.WithTimeout(t.Context(), 99*time.Second)
		defer cancel()
		_, _ = op.Wait(ctx)
		if gets, waits := f.counts(); called != gets || waits < 3 {
			t.Errorf("NextPoll was called %d times, after %d calls of GetOperation and %d of WaitOperation", called, gets, waits)
		}
	})
}
