package transporttest

import (
	"context"
	"errors"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
)

var waitCases = []testCase{
	{"success", func(b bench) {
		op := wrapped(b.T, b.client(&service{get: after(10 * time.Second)}))
		got, err := op.Wait(b.Context())
		if err != nil || got.GetValue() != "done" {
			b.Fatalf("Wait = %v, %v, want \"done\"", got, err)
		}
	}},
	{"failure with details", func(b bench) {
		st := statusOf(codes.FailedPrecondition, "the shelf is full",
			&errdetails.ErrorInfo{Reason: "SHELF_FULL", Domain: "library.example", Metadata: map[string]string{"shelf": "a/b"}},
			retryIn(1500*time.Millisecond))
		_, err := wrapped(b.T, b.client(&service{get: answers(running(""), failed(st))})).Wait(b.Context())
		got, ok := errors.AsType[*lro.OperationError](err)
		if !ok || !proto.Equal(got.GRPCStatus().Proto(), st) {
			b.Errorf("Wait: got %v, want an OperationError of %v", err, st)
		}
		if info, ok := lro.Detail[*errdetails.ErrorInfo](err); !ok || info.GetReason() != "SHELF_FULL" {
			b.Errorf("Detail[ErrorInfo](%v) = %v, %t", err, info, ok)
		}
	}},
	{"cancel", func(b bench) {
		cancelled := make(chan struct{})
		s := &service{
			get: func(context.Context, int) (*longrunningpb.Operation, error) {
				select {
				case <-cancelled:
					return failed(statusOf(codes.Canceled, "cancelled by the caller")), nil
				default:
					return running(""), nil
				}
			},
			cancel: func(context.Context) error {
				close(cancelled)
				return nil
			},
		}
		op := wrapped(b.T, b.client(s))
		if sent, err := op.Cancel(b.Context()); err != nil || !sent {
			b.Fatalf("Cancel = %t, %v, want true", sent, err)
		}
		_, err := op.Wait(b.Context())
		if got, ok := errors.AsType[*lro.OperationError](err); !ok || !got.Cancelled() {
			b.Errorf("Wait: got %v, want an OperationError that is Cancelled", err)
		}
		if calls := s.seen("cancel"); len(calls) != 1 || calls[0].name != name {
			b.Errorf("CancelOperation got %+v, want one call for %q", calls, name)
		}
	}},
	{"long poll", func(b bench) {
		end := time.Now().Add(100 * time.Second)
		get := after(100 * time.Second)
		s := &service{
			get: get,
			wait: func(ctx context.Context, req *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
				select {
				case <-time.After(min(time.Until(end), req.GetTimeout().AsDuration())):
					return get(ctx, 0)
				case <-ctx.Done():
					return nil, context.Cause(ctx)
				}
			},
		}
		got, err := wrapped(b.T, b.client(s)).Wait(b.Context())
		if err != nil || got.GetValue() != "done" {
			b.Fatalf("Wait = %v, %v, want \"done\"", got, err)
		}
		if late := time.Since(end); late > 100*time.Millisecond {
			b.Errorf("Wait returned %v late, want at most 100ms", late)
		}
		// 100 s by calls of 30 s each, and one GetOperation that confirms.
		if waits, gets := len(s.seen("wait")), len(s.seen("get")); waits != 4 || gets > 2 {
			b.Errorf("got %d WaitOperation and %d GetOperation calls, want 4 and at most 2", waits, gets)
		}
	}},
	{"no long poll", func(b bench) {
		s := &service{get: after(time.Minute)}
		if got, err := wrapped(b.T, b.client(s)).Wait(b.Context()); err != nil || got.GetValue() != "done" {
			b.Fatalf("Wait = %v, %v, want \"done\"", got, err)
		}
		if waits := len(s.seen("wait")); waits != 1 {
			b.Errorf("got %d WaitOperation calls of a service without it, want 1", waits)
		}
	}},
	{"progress", func(b bench) {
		s := &service{get: answers(running("a"), running("a"), running("b"), withMetadata(succeeded("done"), "c"))}
		op, err := values.Resume(b.client(s), name)
		if err != nil {
			b.Fatal(err)
		}
		var got []string
		for snapshot, err := range op.Progress(b.Context()) {
			if err != nil {
				b.Fatalf("Progress: %v", err)
			}
			m, ok := snapshot.Metadata()
			if !ok {
				b.Fatalf("snapshot %v has no metadata: %v", snapshot.Proto(), snapshot.MetadataErr())
			}
			got = append(got, m.GetValue())
		}
		if diff := cmp.Diff([]string{"a", "b", "c"}, got); diff != "" {
			b.Errorf("metadata of Progress (-want +got):\n%s", diff)
		}
	}},
	{"caller gives up", func(b bench) {
		gone := make(chan struct{})
		s := &service{get: func(ctx context.Context, _ int) (*longrunningpb.Operation, error) {
			<-ctx.Done()
			close(gone)
			return nil, context.Cause(ctx)
		}}
		ctx, cancel := context.WithTimeout(b.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		_, err := wrapped(b.T, b.client(s)).Wait(ctx)
		if took := time.Since(begin); took != 3*time.Second {
			b.Errorf("Wait returned after %v, want 3s", took)
		}
		if _, ok := errors.AsType[*lro.WaitError](err); !ok || !errors.Is(err, context.DeadlineExceeded) {
			b.Errorf("Wait: got %v, want a WaitError of context.DeadlineExceeded", err)
		}
		<-gone // the server notices, or the bubble is deadlocked
	}},
	{"deadline reaches the server", func(b bench) {
		s := &service{get: answers(succeeded("done"))}
		ctx, cancel := context.WithTimeout(b.Context(), 7*time.Second)
		defer cancel()
		if _, err := b.client(s).Get(ctx, name); err != nil {
			b.Fatal(err)
		}
		if left := s.seen("get")[0].left; left <= 0 || left > 7*time.Second {
			b.Errorf("GetOperation had %v left, want at most 7s", left)
		}
	}},
}

func withMetadata(op *longrunningpb.Operation, progress string) *longrunningpb.Operation {
	op.Metadata = pack(wrapperspb.String(progress))
	return op
}
