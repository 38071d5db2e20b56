package lro

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestStartRetriesUnderOneRequestID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ids []string
		var recorded []Started
		c := NewClient(&fakeService{}, WithOnStart(func(_ context.Context, s Started) error {
			recorded = append(recorded, s)
			return nil
		}))
		op, err := Strings.Start(t.Context(), c, func(ctx context.Context, id string, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
			ids = append(ids, id)
			switch len(ids) {
			case 1:
				return nil, unavailable(1)
			case 2:
				<-ctx.Done() // the answer is lost
				return nil, status.FromContextError(ctx.Err()).Err()
			case 3:
				return nil, status.Error(codes.Internal, "stream reset")
			}
			return running(""), nil
		})
		if err != nil {
			t.Fatalf("Start: %v", err)
		}
		uuid4 := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
		for _, id := range ids {
			if id != ids[0] || !uuid4.MatchString(id) {
				t.Errorf("request IDs %q, want one UUID4 for all", ids)
			}
		}
		want := Started{Operation: testName, Method: "test.Strings", Token: op.Token(), RequestID: ids[0]}
		if len(recorded) != 1 || recorded[0] != want {
			t.Errorf("recorded %+v, want once %+v", recorded, want)
		}
	})
}

// Each row is what the attempts of a start fail with; the last is repeated.
func TestStartGivesUp(t *testing.T) {
	t.Parallel()
	fail := func(c codes.Code) error { return status.Error(c, "no") }
	busy, err := status.New(codes.FailedPrecondition, "busy").WithDetails(retryIn(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	credentials := status.Error(codes.Unauthenticated, "transport: per-RPC creds failed due to error: no token")
	for _, test := range []struct {
		name     string
		opts     []StartOption
		attempts []error
		calls    int // 0 for as many as it takes
		code     codes.Code
		may      bool
	}{
		{"invalid", nil, []error{fail(codes.InvalidArgument)}, 1, codes.InvalidArgument, false},
		{"invalid after a lost answer", nil, []error{fail(codes.Unavailable), fail(codes.InvalidArgument)}, 2, codes.InvalidArgument, true},
		{"refused after a refusal", nil, []error{fail(codes.ResourceExhausted), fail(codes.PermissionDenied)}, 2, codes.PermissionDenied, false},
		{"invalid after a hint", nil, []error{busy.Err(), fail(codes.InvalidArgument)}, 2, codes.InvalidArgument, false},
		{"aborted for long", nil, []error{fail(codes.Aborted)}, 0, codes.Aborted, false},
		{"nil and nil", nil, []error{nil}, 0, codes.Unknown, true},
		{"answer too large", nil, []error{status.Error(codes.ResourceExhausted, "grpc: received message larger than max (9 vs. 8)")}, 1, codes.ResourceExhausted, true},
		{"no ID, lost", []StartOption{WithoutRequestID()}, []error{fail(codes.Unavailable)}, 1, codes.Unavailable, true},
		{"no ID, timed out", []StartOption{WithoutRequestID()}, []error{context.DeadlineExceeded}, 1, codes.DeadlineExceeded, true},
		{"no ID, refused", []StartOption{WithoutRequestID()}, []error{fail(codes.ResourceExhausted), credentials, fail(codes.Internal)}, 3, codes.Internal, true},
		{"no ID, invalid", []StartOption{WithoutRequestID()}, []error{fail(codes.InvalidArgument)}, 1, codes.InvalidArgument, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				calls, begin := 0, time.Now()
				op, err := Strings.Start(t.Context(), NewClient(&fakeService{}), func(context.Context, string, ...grpc.CallOption) (*longrunningpb.Operation, error) {
					calls++
					return nil, test.attempts[min(calls, len(test.attempts))-1]
				}, test.opts...)
				failed, ok := errors.AsType[*StartError](err)
				if op != nil || !ok || codeOf(err) != test.code || failed.MayHaveStarted != test.may {
					t.Errorf("Start = %v, %v, want a *StartError of %v that says %v", op, err, test.code, test.may)
				}
				if strings.Contains(err.Error(), "no operation was started") == test.may {
					t.Errorf("Start: %v, want it to say whether one may have been started", err)
				}
				if test.calls != 0 && calls != test.calls {
					t.Errorf("made %d calls, want %d", calls, test.calls)
				}
				if took := time.Since(begin); test.calls == 0 && took < 30*time.Second {
					t.Errorf("gave up after %d calls and %v, want 30s", calls, took)
				}
			})
		})
	}
}

// A service that never answers a start is given up, as one that fails is.
func TestStartGivesUpCallsThatHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		calls := 0
		_, err := Strings.Start(ctx, NewClient(&fakeService{}), func(ctx context.Context, _ string, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
			calls++
			<-ctx.Done()
			return nil, status.FromContextError(ctx.Err()).Err()
		})
		failed, ok := errors.AsType[*StartError](err)
		if !ok || !failed.MayHaveStarted || ctx.Err() != nil || calls != defaultPolicy.SoftErrors+1 {
			t.Errorf("Start: %v after %d calls, want that it may have been started after %d", err, calls, defaultPolicy.SoftErrors+1)
		}
	})
}

// The error of a start names the end of its ctx also where the call would not have
// been repeated.
func TestStartThatIsNotRepeatedEndsWithContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := Strings.Start(ctx, NewClient(&fakeService{}), func(ctx context.Context, _ string, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
			<-ctx.Done()
			return nil, status.FromContextError(ctx.Err()).Err()
		}, WithoutRequestID())
		failed, ok := errors.AsType[*StartError](err)
		if !ok || !failed.MayHaveStarted || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Start: %v, want a *StartError with the end of ctx", err)
		}
	})
}

// Errors that are never in a row do not add up.
func TestStartCountsRows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		_, err := Strings.Start(t.Context(), NewClient(&fakeService{}), func(context.Context, string, ...grpc.CallOption) (*longrunningpb.Operation, error) {
			calls++
			switch {
			case calls == 100:
				return running(""), nil
			case calls%3 == 0:
				return nil, unavailable(calls)
			}
			return nil, status.Error(codes.Internal, "reset")
		})
		if err != nil {
			t.Errorf("Start: %v, want the operation of the 100th call", err)
		}
	})
}

func TestStartWithRequestID(t *testing.T) {
	t.Parallel()
	var got string
	var recorded Started
	c := NewClient(&fakeService{}, WithOnStart(func(_ context.Context, s Started) error { recorded = s; return nil }))
	call := func(_ context.Context, id string, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
		got = id
		return running(""), nil
	}
	if _, err := Strings.Start(t.Context(), c, call, WithRequestID("mine")); err != nil || got != "mine" || recorded.RequestID != "mine" {
		t.Errorf("Start: %v with request ID %q, recorded %q, want mine", err, got, recorded.RequestID)
	}
	if _, err := Strings.Start(t.Context(), c, call, WithoutRequestID()); err != nil || got != "" || recorded.RequestID != "" {
		t.Errorf("Start: %v with request ID %q, recorded %q, want none", err, got, recorded.RequestID)
	}
	for name, opts := range map[string][]StartOption{"empty": {WithRequestID("")}, "both": {WithRequestID("a"), WithoutRequestID()}} {
		if _, err := Strings.Start(t.Context(), c, call, opts...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// When the service asks to be called again is read from headers and trailers too.
func TestStartHonoursHeaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin, calls := time.Now(), 0
		_, err := Strings.Start(t.Context(), NewClient(&fakeService{}), func(_ context.Context, _ string, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
			if calls++; calls > 2 {
				return running(""), nil
			}
			setMetadata(opts, metadata.Pairs("retry-after", "40"), metadata.Pairs("grpc-retry-pushback-ms", "50000"))
			return nil, unavailable(calls)
		})
		if took := time.Since(begin); err != nil || took != 100*time.Second {
			t.Errorf("Start: %v after %v, want 2 pauses of 50s", err, took)
		}
	})
}

func TestStartEndsWithContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := Strings.Start(ctx, NewClient(&fakeService{}), func(context.Context, string, ...grpc.CallOption) (*longrunningpb.Operation, error) {
			return nil, unavailable(1)
		})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "down 1") {
			t.Errorf("Start: %v, want the deadline and the last attempt's error", err)
		}
	})
}

func TestStartHookFails(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	c := NewClient(&fakeService{}, WithOnStart(func(context.Context, Started) error { return full }))
	op, err := Strings.Start(t.Context(), c, func(context.Context, string, ...grpc.CallOption) (*longrunningpb.Operation, error) {
		return running(""), nil
	})
	if !errors.Is(err, full) || op == nil || op.Name() != testName {
		t.Errorf("Start = %v, %v, want the running operation and %v", op, err, full)
	}
}

func TestAwait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		op := wrap(t, &fakeService{get: endsAt(time.Second)})
		select {
		case out := <-op.Await(t.Context()):
			wantValue(t, out.Result, out.Err, "done")
		case <-time.After(time.Minute):
			t.Fatal("Await: no outcome within a minute")
		}
		out, open := <-op.Await(t.Context())
		wantValue(t, out.Result, out.Err, "done")
		if !open {
			t.Error("channel closed without an outcome")
		}
	})
}

func TestOnDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{get: endsAt(time.Second)}
		op := wrap(t, f)
		calls := make(chan Outcome[string], 10)
		record := func(out Outcome[string]) { calls <- out }
		callback := func(o Outcome[stringValue]) { record(Outcome[string]{o.Result.GetValue(), o.Err}) }
		op.OnDone(t.Context(), callback)
		soon, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		op.OnDone(soon, callback)
		if out := <-calls; !errors.Is(out.Err, context.DeadlineExceeded) {
			t.Errorf("callback of the short ctx got %v, want its deadline", out)
		}
		if out := <-calls; out.Err != nil || out.Result != "done" {
			t.Errorf("callback got %v, want done", out)
		}
		// Registered after the end, and calling the operation from within.
		<-op.OnDone(t.Context(), func(Outcome[stringValue]) {
			got, err := op.Wait(t.Context())
			record(Outcome[string]{got.GetValue(), err})
		})
		if out := <-calls; out.Err != nil || out.Result != "done" {
			t.Errorf("late callback got %v, want done", out)
		}
		synctest.Wait()
		if len(calls) != 0 {
			t.Errorf("%d more calls than callbacks", len(calls))
		}
	})
}
