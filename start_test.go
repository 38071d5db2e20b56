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
	"google.golang.org/grpc/codes"
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
		op, err := Strings.Start(t.Context(), c, func(ctx context.Context, id string) (*longrunningpb.Operation, error) {
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

func TestStartGivesUp(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		err   error
		calls int
	}{
		{"invalid", status.Error(codes.InvalidArgument, "no such book"), 1},
		{"aborted for long", status.Error(codes.Aborted, "busy"), 6},
		{"nil and nil", nil, 6},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				op, err := Strings.Start(t.Context(), NewClient(&fakeService{}), func(context.Context, string) (*longrunningpb.Operation, error) {
					calls++
					return nil, test.err
				})
				if op != nil || err == nil || calls != test.calls {
					t.Errorf("Start = %v, %v after %d calls, want an error after %d", op, err, calls, test.calls)
				}
				if test.err != nil && !errors.Is(err, test.err) {
					t.Errorf("Start: %v does not wrap %v", err, test.err)
				}
			})
		})
	}
}

func TestStartEndsWithContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := Strings.Start(ctx, NewClient(&fakeService{}), func(context.Context, string) (*longrunningpb.Operation, error) {
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
	op, err := Strings.Start(t.Context(), c, func(context.Context, string) (*longrunningpb.Operation, error) {
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
