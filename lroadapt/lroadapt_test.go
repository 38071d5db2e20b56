package lroadapt_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lroadapt"
)

// job is an operation of a client without messages.
type job struct {
	ID      string         `json:"id"`
	State   string         `json:"state"`
	Percent int            `json:"progressPercent"`
	Error   map[string]any `json:"error,omitempty"`
	File    *file          `json:"file,omitempty"`
}

type file struct {
	Size int64  `json:"size"`
	Hash []byte `json:"hash"`
}

// apiError is as those of clients of HTTP.
type apiError struct {
	Code    int
	Message string
}

func (e apiError) Error() string { return e.Message }

// jobs is a service that answers the polls of any name with the next step, an
// error or a *job; the last stays.
type jobs struct {
	steps     []any
	polls     int
	cancelled string
}

func (j *jobs) source() lroadapt.Source[*job, *file] {
	return lroadapt.Source[*job, *file]{
		Method: "jobs.create",
		Get: func(context.Context, string, ...grpc.CallOption) (*job, error) {
			step := j.steps[min(j.polls, len(j.steps)-1)]
			j.polls++
			if err, ok := step.(error); ok {
				return nil, err
			}
			return step.(*job), nil
		},
		State: func(op *job) lroadapt.State[*file] {
			return lroadapt.State[*file]{Done: op.State == "DONE", Err: lroadapt.StatusError(op.Error), Result: op.File}
		},
		Cancel: func(_ context.Context, name string, _ ...grpc.CallOption) error {
			if j.cancelled = name; name == "forbidden" {
				return apiError{403, "no"}
			}
			return nil
		},
	}
}

var (
	running  = &job{ID: "1", State: "RUNNING", Percent: 40}
	wantFile = &file{Size: math.MaxInt64, Hash: []byte{0, 255}} // of more than 53 bits
	ended    = &job{ID: "1", State: "DONE", Percent: 100, File: wantFile}
)

func TestWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := &jobs{steps: []any{running, apiError{503, "later"}, ended}}
		client := lroadapt.NewClient(j.source())
		op, err := client.Wrap("jobs/1", running)
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := op.Metadata(); !ok || m.Percent != 40 || op.Name() != "jobs/1" {
			t.Errorf("before: %q, %+v, %t", op.Name(), m, ok)
		}
		var percents []int
		for m, err := range op.Progress(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			percents = append(percents, m.Percent)
		}
		if diff := cmp.Diff([]int{40, 100}, percents); diff != "" {
			t.Errorf("progress (-want +got):\n%s", diff)
		}
		got, err := op.Wait(t.Context())
		if diff := cmp.Diff(wantFile, got); err != nil || diff != "" {
			t.Errorf("Wait: %v (-want +got):\n%s", err, diff)
		}
		if again, err := op.Result(); err != nil || again == got || !cmp.Equal(again, got) {
			t.Errorf("Result = %p %+v, %v, want a copy of %p", again, again, err, got)
		}
		if j.polls != 3 {
			t.Errorf("%d polls, want 3", j.polls)
		}

		resumed, err := client.Resume(op.Token())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := resumed.Wait(t.Context()); err != nil || !cmp.Equal(got, wantFile) {
			t.Errorf("Wait after Resume = %+v, %v", got, err)
		}
		other := j.source()
		other.Method = "jobs.update"
		if _, err := lroadapt.NewClient(other).Resume(op.Token()); err == nil {
			t.Error("Resume of a token of another method succeeded")
		}
		var group lro.Group[*lro.Operation[*anypb.Any, *anypb.Any]]
		group.Add(op.Operation, resumed.Operation)
		ended := 0
		for op, err := range group.Completed(t.Context()) {
			a, resultErr := op.Result()
			got, decodeErr := lroadapt.Decode[*file](a)
			if err != nil || resultErr != nil || decodeErr != nil || !cmp.Equal(got, wantFile) {
				t.Errorf("of a group: %+v, %v, %v, %v", got, err, resultErr, decodeErr)
			}
			ended++
		}
		if ended != 2 {
			t.Errorf("%d of a group, want 2", ended)
		}
	})
}

func TestErrors(t *testing.T) {
	t.Parallel()
	failed := func(v map[string]any) *job { return &job{State: "DONE", Error: v, File: wantFile} }
	for name, tt := range map[string]struct {
		step    any
		code    codes.Code
		failure bool // of the operation
	}{
		"refused":        {apiError{403, "no"}, codes.PermissionDenied, false},
		"unauthorized":   {apiError{401, "no"}, codes.Unauthenticated, false},
		"own status":     {status.Error(codes.InvalidArgument, "no"), codes.InvalidArgument, false},
		"nil":            {(*job)(nil), codes.Internal, false},
		"failed":         {failed(map[string]any{"code": 8, "message": "full"}), codes.ResourceExhausted, true},
		"failed by name": {failed(map[string]any{"status": "ABORTED", "message": "full"}), codes.Aborted, true},
		"failed by HTTP": {failed(map[string]any{"code": 404, "message": "gone"}), codes.NotFound, true},
		"without a code": {failed(map[string]any{"message": "broken"}), codes.Unknown, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				j := &jobs{steps: []any{tt.step}}
				op, err := lroadapt.NewClient(j.source()).Resume("jobs/1")
				if err != nil {
					t.Fatal(err)
				}
				begin := time.Now()
				_, err = op.Wait(t.Context())
				if _, ok := errors.AsType[*lro.OperationError](err); ok != tt.failure || status.Code(err) != tt.code {
					t.Errorf("Wait: %v, want code %v, failed %t", err, tt.code, tt.failure)
				}
				if tt.code != codes.Internal && (j.polls != 1 || time.Since(begin) != 0) {
					t.Errorf("%d polls within %v, want 1", j.polls, time.Since(begin))
				}
			})
		})
	}
	t.Run("no result", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			op, err := lroadapt.NewClient((&jobs{steps: []any{&job{State: "DONE"}}}).source()).Resume("jobs/1")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := op.Wait(t.Context()); !isResultError(err) {
				t.Errorf("Wait: %v, want a ResultError", err)
			}
		})
	})
	t.Run("zero source", func(t *testing.T) {
		t.Parallel()
		op, err := lroadapt.NewClient(lroadapt.Source[*job, *file]{}).Resume("jobs/1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Wait(t.Context()); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("Wait: %v, want FAILED_PRECONDITION", err)
		}
		if _, err := op.Cancel(t.Context()); status.Code(err) != codes.Unimplemented {
			t.Errorf("Cancel: %v, want UNIMPLEMENTED", err)
		}
	})
}

func isResultError(err error) bool {
	_, ok := errors.AsType[*lro.ResultError](err)
	return ok
}

func TestCancel(t *testing.T) {
	t.Parallel()
	j := &jobs{steps: []any{running}}
	client := lroadapt.NewClient(j.source())
	for name, want := range map[string]codes.Code{"jobs/1": codes.OK, "forbidden": codes.PermissionDenied} {
		op, err := client.Resume(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Cancel(t.Context()); status.Code(err) != want || j.cancelled != name {
			t.Errorf("Cancel of %q: %v, cancelled %q, want %v", name, err, j.cancelled, want)
		}
	}
}

func TestResource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		op, err := lroadapt.NewClient((&jobs{steps: []any{ended}}).source()).Resume("jobs/1")
		if err != nil {
			t.Fatal(err)
		}
		calls := 0
		got, err := lroadapt.Resource(t.Context(), op, func(_ context.Context, f *file) (int64, error) {
			if calls++; calls < 3 {
				return 0, apiError{404, "not yet"}
			}
			return f.Size, nil
		})
		if err != nil || got != math.MaxInt64 || calls != 3 {
			t.Errorf("Resource = %d, %v after %d calls", got, err, calls)
		}
	})
}

// Messages are kept as they are, and values are those of any type.
func TestMessagesAndValues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := lroadapt.NewClient(lroadapt.Source[*durationpb.Duration, []int]{
			Get: func(context.Context, string, ...grpc.CallOption) (*durationpb.Duration, error) {
				return durationpb.New(time.Minute), nil
			},
			State: func(*durationpb.Duration) lroadapt.State[[]int] {
				return lroadapt.State[[]int]{Done: true, Result: []int{1, 2}}
			},
		})
		op, err := client.Resume("x")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := op.Wait(t.Context()); err != nil || !cmp.Equal(got, []int{1, 2}) {
			t.Errorf("Wait = %v, %v", got, err)
		}
		if m, ok := op.Metadata(); !ok || m.AsDuration() != time.Minute {
			t.Errorf("Metadata = %v, %t", m, ok)
		}
		if a, ok := op.Operation.Metadata(); !ok || a.MessageName() != "google.protobuf.Duration" {
			t.Errorf("the metadata is packed as %v", a)
		} else if _, err := lroadapt.Decode[*job](a); err == nil {
			t.Error("Decode of another type succeeded")
		}
		if _, err := client.Wrap("x", nil); err == nil {
			t.Error("Wrap of nil succeeded")
		}
	})
}

func TestStatusError(t *testing.T) {
	t.Parallel()
	for _, none := range []any{nil, map[string]any(nil), map[string]any{}, (*job)(nil), struct{}{}} {
		if err := lroadapt.StatusError(none); err != nil {
			t.Errorf("StatusError(%#v) = %v, want nil", none, err)
		}
	}
	err := lroadapt.StatusError(map[string]any{"code": 5, "message": "gone", "details": []any{
		map[string]any{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "GONE"}, "text",
	}})
	if info, ok := lro.Detail[*errdetails.ErrorInfo](err); status.Code(err) != codes.NotFound || !ok || info.GetReason() != "GONE" {
		t.Errorf("%v with %v", err, info)
	}
	if err := lroadapt.StatusError(func() {}); err == nil {
		t.Error("StatusError of a value without JSON = nil")
	}
}
