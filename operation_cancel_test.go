package lro

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// failTimes is a CancelOperation that fails so often, and then does what then
// does.
func failTimes(n int, code codes.Code, then func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if n--; n >= 0 {
			return status.Error(code, "not now")
		}
		return then(ctx)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cancelled := false
		f := &fakeService{}
		f.cancel = func(context.Context) error { cancelled = true; return nil }
		f.get = func(context.Context, int) (*longrunningpb.Operation, error) {
			if cancelled {
				return failed(codes.Canceled, "as you wished"), nil
			}
			return running(""), nil
		}
		op := resume(t, f.pollOnly())
		if sent, err := op.Cancel(t.Context()); sent || codeOf(err) != codes.Unimplemented {
			t.Errorf("Cancel without the method: %v, %v, want UNIMPLEMENTED", sent, err)
		}
		op = resume(t, f)
		_, err := op.CancelAndWait(t.Context())
		end, ok := errors.AsType[*OperationError](err)
		if !ok || !end.Cancelled() || !op.Snapshot().Cancelled() {
			t.Fatalf("CancelAndWait: %v, want a cancelled *OperationError", err)
		}
		if sent, err := op.Cancel(t.Context()); sent || err != nil {
			t.Errorf("Cancel of a done operation: %v, %v, want false and no call", sent, err)
		}
	})
}

func TestCancelRefusedBecauseDone(t *testing.T) {
	t.Parallel()
	f := &fakeService{get: endsAt(0)}
	for _, code := range []codes.Code{codes.FailedPrecondition, codes.NotFound} {
		f.cancel = func(context.Context) error { return status.Error(code, "too late") }
		op := resume(t, f)
		if sent, err := op.Cancel(t.Context()); sent || err != nil || !op.Done() {
			t.Errorf("Cancel that is refused with %v: %v, %v, done %v, want false, nil, true", code, sent, err, op.Done())
		}
	}
}

func TestCancelAndWaitRepeats(t *testing.T) {
	t.Parallel()
	type got struct {
		value    string
		err      error
		requests int
		took     time.Duration
	}
	for _, test := range []struct {
		name  string
		fail  int
		code  codes.Code
		end   time.Duration // when the operation ends by itself
		check func(*testing.T, got)
	}{
		{"until it is taken", 5, codes.Unavailable, time.Hour, func(t *testing.T, g got) {
			if end, ok := errors.AsType[*OperationError](g.err); !ok || !end.Cancelled() || g.requests != 6 {
				t.Errorf("CancelAndWait: %v after %d requests, want it cancelled after 6", g.err, g.requests)
			}
		}},
		{"until it ends by itself", math.MaxInt, codes.Unavailable, 30 * time.Second, func(t *testing.T, g got) {
			if g.err != nil || g.value != "done" || g.requests < 5 {
				t.Errorf("CancelAndWait: %q, %v after %d requests, want the response after several", g.value, g.err, g.requests)
			}
		}},
		{"until ctx ends", math.MaxInt, codes.Unavailable, time.Hour, func(t *testing.T, g got) {
			stopped, ok := errors.AsType[*WaitError](g.err)
			if !ok || !errors.Is(g.err, context.DeadlineExceeded) || !strings.Contains(g.err.Error(), "may still run: cancel operation") {
				t.Errorf("CancelAndWait: %v, want the *WaitError of the deadline, and that it may still run", g.err)
			}
			if ok && stopped.Polls == 0 {
				t.Error("no polls, want it to wait meanwhile")
			}
		}},
		{"for a while", math.MaxInt, codes.Internal, time.Hour, func(t *testing.T, g got) {
			if _, ok := errors.AsType[*WaitError](g.err); !ok || codeOf(g.err) != codes.Internal || g.requests < 6 || g.took < 30*time.Second || g.took >= time.Minute {
				t.Errorf("CancelAndWait: %v after %d requests and %v, want a *WaitError of INTERNAL after 30s", g.err, g.requests, g.took)
			}
		}},
		{"not at all", math.MaxInt, codes.PermissionDenied, time.Hour, func(t *testing.T, g got) {
			if _, ok := errors.AsType[*WaitError](g.err); !ok || codeOf(g.err) != codes.PermissionDenied || g.requests != 1 || g.took != 0 {
				t.Errorf("CancelAndWait: %v after %d requests and %v, want a *WaitError of PERMISSION_DENIED at once", g.err, g.requests, g.took)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var g got
				cancelled := false
				state := endsAt(test.end)
				f := &fakeService{}
				f.get = func(ctx context.Context, n int) (*longrunningpb.Operation, error) {
					f.mu.Lock()
					defer f.mu.Unlock()
					if cancelled {
						return failed(codes.Canceled, "as you wished"), nil
					}
					return state(ctx, n)
				}
				cancel := failTimes(test.fail, test.code, func(context.Context) error { cancelled = true; return nil })
				f.cancel = func(ctx context.Context) error {
					f.mu.Lock()
					defer f.mu.Unlock()
					g.requests++
					return cancel(ctx)
				}
				ctx, stop := context.WithTimeout(t.Context(), time.Minute)
				defer stop()
				begin := time.Now()
				value, err := wrap(t, f).CancelAndWait(ctx)
				g.value, g.err, g.took = value.GetValue(), err, time.Since(begin)
				test.check(t, g)
			})
		})
	}
}

func TestCancelOnEnd(t *testing.T) {
	t.Parallel()
	type step = func(context.Context) error
	stop := func(f *fakeService, end *longrunningpb.Operation) step {
		return func(context.Context) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.get = func(context.Context, int) (*longrunningpb.Operation, error) { return end, nil }
			return nil
		}
	}
	for _, test := range []struct {
		name   string
		cancel func(*fakeService) step
		check  func(t *testing.T, value string, err error)
	}{
		{"cancelled", func(f *fakeService) step { return stop(f, failed(codes.Canceled, "stopped")) },
			func(t *testing.T, _ string, err error) {
				if end, ok := errors.AsType[*OperationError](err); !ok || !end.Cancelled() {
					t.Errorf("Wait: %v, want a cancelled *OperationError", err)
				}
			}},
		{"won the race", func(f *fakeService) step { return stop(f, succeeded("made it")) },
			func(t *testing.T, value string, err error) {
				if err != nil || value != "made it" {
					t.Errorf("Wait = %q, %v, want the response", value, err)
				}
			}},
		{"keeps running", func(*fakeService) step { return func(context.Context) error { return nil } },
			func(t *testing.T, _ string, err error) {
				if _, ok := errors.AsType[*WaitError](err); !ok || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Wait: %v, want the *WaitError of the deadline", err)
				}
			}},
		{"refused", func(*fakeService) step {
			return func(context.Context) error { return status.Error(codes.PermissionDenied, "hands off") }
		}, func(t *testing.T, _ string, err error) {
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "may still run: ") || !strings.Contains(err.Error(), "hands off") {
				t.Errorf("Wait: %v, want the deadline and why cancelling failed", err)
			}
		}},
		{"back within the grace", func(f *fakeService) step {
			return failTimes(4, codes.Unavailable, stop(f, failed(codes.Canceled, "stopped")))
		},
			func(t *testing.T, _ string, err error) {
				if end, ok := errors.AsType[*OperationError](err); !ok || !end.Cancelled() {
					t.Errorf("Wait: %v, want a cancelled *OperationError", err)
				}
			}},
		{"away all the time", func(f *fakeService) step { return failTimes(math.MaxInt, codes.Unavailable, nil) },
			func(t *testing.T, _ string, err error) {
				if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "may still run: ") {
					t.Errorf("Wait: %v, want the deadline and that it may still run", err)
				}
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeService{get: endsAt(24 * time.Hour)}
				f.cancel = test.cancel(f)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				begin := time.Now()
				got, err := wrap(t, f).Wait(ctx, CancelOnEnd(10*time.Second))
				test.check(t, got.GetValue(), err)
				if took := time.Since(begin); took > 70*time.Second {
					t.Errorf("Wait took %v, want at most the minute and the grace", took)
				}
			})
		})
	}
}

// Requests to cancel follow the service's headers, and have the time limit of the
// operation's own policy.
func TestCancelHonoursHeadersAndPolicy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var at []time.Duration
		var limit time.Duration
		f := &fakeService{get: endsAt(time.Hour), trailer: metadata.Pairs("retry-after", "50")}
		f.cancel = func(ctx context.Context) error {
			at = append(at, time.Since(begin))
			deadline, _ := ctx.Deadline()
			limit = time.Until(deadline)
			if len(at) < 3 {
				return unavailable(len(at))
			}
			f.get = endsAt(0)
			return nil
		}
		method := Strings
		method.Policy = &Policy{AttemptTimeout: time.Second}
		op, err := method.Wrap(NewClient(f), running(""))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.CancelAndWait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(at) != 3 || at[1] != 50*time.Second || at[2] != 100*time.Second {
			t.Errorf("requests at %v, want each 50s", at)
		}
		if limit != time.Second {
			t.Errorf("a request had %v, want the policy's 1s", limit)
		}
	})
}
