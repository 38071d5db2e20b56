package server_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/lropb"
)

// sleeper is a handler that takes as long as it is asked to.
func sleeper(ctx context.Context, t task, req request) (response, error) {
	select {
	case <-time.After(req.GetDuration().AsDuration()):
		return echo(ctx, t, req)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestWaitTimes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		duration time.Duration // of the operation
		timeout  *durationpb.Duration
		deadline time.Duration // of the call; 0 for none
		after    time.Duration
		done     bool
	}{
		{"ends", 3 * time.Hour, nil, 0, 3 * time.Hour, true},
		{"ends within the timeout", 2 * time.Second, durationpb.New(3 * time.Second), 0, 2 * time.Second, true},
		{"timeout", time.Hour, durationpb.New(3 * time.Second), 0, 3 * time.Second, false},
		{"no timeout, deadline", time.Hour, nil, 10 * time.Second, 9800 * time.Millisecond, false},
		{"no timeout, short deadline", time.Hour, nil, time.Second, 950 * time.Millisecond, false},
		{"timeout is shorter", time.Hour, durationpb.New(2 * time.Second), 10 * time.Second, 2 * time.Second, false},
		{"deadline is shorter", time.Hour, durationpb.New(time.Minute), 10 * time.Second, 9800 * time.Millisecond, false},
		{"zero timeout", time.Hour, &durationpb.Duration{}, 0, 0, false},
		{"longest timeout", time.Hour, &durationpb.Duration{Seconds: 315_576_000_000}, 0, time.Hour, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k, kinds := one(simKind{}, sleeper)
				r := newRig(t, rigOptions{kinds: kinds})
				name := r.start(t, k, &lropb.SimulateRequest{Duration: durationpb.New(tc.duration)}, nil).GetName()
				synctest.Wait()
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if tc.deadline > 0 {
					ctx, cancel = context.WithTimeout(ctx, tc.deadline)
				}
				defer cancel()
				begin := time.Now()
				op, err := r.ops.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: name, Timeout: tc.timeout})
				if err != nil || op.GetDone() != tc.done || op.GetName() != name {
					t.Errorf("WaitOperation = %v, %v, want OK and done %t", op, err, tc.done)
				}
				// The server measures the deadline a moment later than the caller.
				if took := time.Since(begin); took < tc.after-time.Millisecond || took > tc.after+time.Millisecond {
					t.Errorf("WaitOperation took %s, want %s", took, tc.after)
				}
			})
		})
	}
}

func TestWaitRefuses(t *testing.T) {
	t.Parallel()
	k, kinds := one(simKind{}, untilCancelled)
	r := newRig(t, rigOptions{kinds: kinds})
	name := r.start(t, k, nil, nil).GetName()
	for _, timeout := range []*durationpb.Duration{
		durationpb.New(-1), {Seconds: -5}, {Seconds: 1, Nanos: -1}, {Nanos: 1_000_000_000}, {Seconds: 315_576_000_001},
	} {
		_, err := r.ops.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{Name: name, Timeout: timeout})
		wantError(t, "WaitOperation with "+timeout.String(), err, codes.InvalidArgument, "INVALID_TIMEOUT")
	}
	_, err := r.ops.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{Name: "operations/none"})
	wantError(t, "WaitOperation of nothing", err, codes.NotFound, "OPERATION_NOT_FOUND")
}

// A call of a client that has gone away ends, and as cancelled.
func TestWaitEndsWithItsCall(t *testing.T) {
	t.Parallel()
	k, kinds := one(simKind{}, untilCancelled)
	r := newRig(t, rigOptions{kinds: kinds})
	name := r.start(t, k, nil, nil).GetName()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.srv.Operations().WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: name})
	wantError(t, "WaitOperation of a client that left", err, codes.Canceled, "CALL_ENDED")
}

// Otherwise GracefulStop would wait for the end of every operation.
func TestWaitEndsWithWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, kinds := one(simKind{}, untilCancelled)
		r := newRig(t, rigOptions{kinds: kinds})
		name := r.start(t, k, nil, nil).GetName()
		synctest.Wait()
		answers := make(chan error, 1)
		go func() {
			op, err := r.ops.WaitOperation(context.Background(), &longrunningpb.WaitOperationRequest{Name: name})
			if err == nil && op.GetDone() {
				err = status.Error(codes.Internal, "done")
			}
			answers <- err
		}()
		synctest.Wait()
		select {
		case err := <-answers:
			t.Fatalf("WaitOperation = %v before Work has ended", err)
		default:
		}
		r.stopWork()
		if err := <-answers; err != nil {
			t.Errorf("WaitOperation = %v, want the latest state", err)
		}
	})
}

// TestWaitAfterAPause: a server that works again has calls wait again.
func TestWaitAfterAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, kinds := one(simKind{}, sleeper)
		r := newRig(t, rigOptions{kinds: kinds})
		r.stopWork()
		ctx, stop := context.WithCancel(t.Context())
		worked := make(chan error, 1)
		go func() { worked <- r.srv.Work(ctx) }()
		synctest.Wait()
		name := r.start(t, k, &lropb.SimulateRequest{Duration: durationpb.New(time.Minute)}, nil).GetName()
		op, err := r.ops.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{Name: name})
		if err != nil || !op.GetDone() {
			t.Errorf("WaitOperation = %v, %v, want the end", op, err)
		}
		stop()
		if err := <-worked; err != nil {
			t.Errorf("Work = %v", err)
		}
	})
}

// A front end that never works is no reason to answer at once.
func TestWaitWithoutWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, kinds := one(simKind{}, echo)
		r := newRig(t, rigOptions{kinds: kinds, idle: true})
		name := r.start(t, k, nil, nil).GetName()
		begin := time.Now()
		op, err := r.ops.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{Name: name, Timeout: durationpb.New(time.Minute)})
		if err != nil || op.GetDone() || time.Since(begin) != time.Minute {
			t.Errorf("WaitOperation = %v, %v after %s, want the state after a minute", op, err, time.Since(begin))
		}
	})
}

func TestWaitIsWoken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, kinds := one(simKind{}, untilCancelled)
		r := newRig(t, rigOptions{kinds: kinds})
		for _, tc := range []struct {
			act  func(t testing.TB, name string)
			code codes.Code
		}{{r.cancel, codes.OK}, {r.delete, codes.NotFound}} {
			name := r.start(t, k, nil, nil).GetName()
			synctest.Wait()
			answers := make(chan error, 1)
			go func() {
				_, err := r.ops.WaitOperation(context.Background(), &longrunningpb.WaitOperationRequest{Name: name})
				answers <- err
			}()
			synctest.Wait()
			tc.act(t, name)
			if err := <-answers; status.Code(err) != tc.code {
				t.Errorf("WaitOperation = %v, want %s", err, tc.code)
			}
		}
	})
}
