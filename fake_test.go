package lro

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type stringValue = *wrapperspb.StringValue

// Strings is the method most tests use.
var Strings = Method[*wrapperspb.StringValue, *wrapperspb.StringValue]{Name: "test.Strings"}

// fakeService answers from functions and counts its calls. A nil function
// means a method that the server does not implement.
type fakeService struct {
	get    func(ctx context.Context, n int) (*longrunningpb.Operation, error)
	wait   func(ctx context.Context, n int, timeout time.Duration) (*longrunningpb.Operation, error)
	cancel func(ctx context.Context) error

	header, trailer metadata.MD // of CancelOperation

	mu    sync.Mutex
	gets  int
	waits int
	calls []time.Time
}

func (f *fakeService) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	f.mu.Lock()
	f.gets++
	n := f.gets
	f.calls = append(f.calls, time.Now())
	f.mu.Unlock()
	return f.get(ctx, n)
}

func (f *fakeService) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	f.mu.Lock()
	f.waits++
	n := f.waits
	f.mu.Unlock()
	if f.wait == nil {
		return nil, status.Error(codes.Unimplemented, "no such method")
	}
	return f.wait(ctx, n, req.GetTimeout().AsDuration())
}

func (f *fakeService) CancelOperation(ctx context.Context, _ *longrunningpb.CancelOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	setMetadata(opts, f.header, f.trailer)
	if f.cancel == nil {
		return nil, status.Error(codes.Unimplemented, "no such method")
	}
	return &emptypb.Empty{}, f.cancel(ctx)
}

func (f *fakeService) counts() (gets, waits int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gets, f.waits
}

// setMetadata gives a caller what it asked for by grpc.Header and grpc.Trailer.
func setMetadata(opts []grpc.CallOption, header, trailer metadata.MD) {
	for _, o := range opts {
		switch o := o.(type) {
		case grpc.HeaderCallOption:
			*o.HeaderAddr = header
		case grpc.TrailerCallOption:
			*o.TrailerAddr = trailer
		}
	}
}

// pollOnly hides every method but GetOperation.
func (f *fakeService) pollOnly() Service { return getOnly{f} }

type getOnly struct{ f *fakeService }

func (g getOnly) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return g.f.GetOperation(ctx, req, opts...)
}

const testName = "operations/test"

func anyOf(m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		panic(err)
	}
	return a
}

func running(metadata string) *longrunningpb.Operation {
	op := &longrunningpb.Operation{Name: testName}
	if metadata != "" {
		op.Metadata = anyOf(wrapperspb.String(metadata))
	}
	return op
}

func succeeded(response string) *longrunningpb.Operation {
	return &longrunningpb.Operation{
		Name: testName, Done: true,
		Result: &longrunningpb.Operation_Response{Response: anyOf(wrapperspb.String(response))},
	}
}

func failed(code codes.Code, message string, details ...proto.Message) *longrunningpb.Operation {
	st := &spb.Status{Code: int32(code), Message: message}
	for _, d := range details {
		st.Details = append(st.Details, anyOf(d))
	}
	return &longrunningpb.Operation{
		Name: testName, Done: true,
		Result: &longrunningpb.Operation_Error{Error: st},
	}
}

// endsAt answers running until the given time has passed since now, then done.
func endsAt(after time.Duration) func(context.Context, int) (*longrunningpb.Operation, error) {
	begin := time.Now()
	return func(context.Context, int) (*longrunningpb.Operation, error) {
		if time.Since(begin) < after {
			return running(""), nil
		}
		return succeeded("done"), nil
	}
}

// waitsUntil is a WaitOperation that answers when the given time has passed,
// or at its timeout.
func waitsUntil(after time.Duration) func(context.Context, int, time.Duration) (*longrunningpb.Operation, error) {
	begin := time.Now()
	return func(ctx context.Context, _ int, timeout time.Duration) (*longrunningpb.Operation, error) {
		end := time.NewTimer(after - time.Since(begin))
		defer end.Stop()
		limit := time.NewTimer(timeout)
		defer limit.Stop()
		select {
		case <-end.C:
			return succeeded("done"), nil
		case <-limit.C:
			return running(""), nil
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
}

func wrap(t *testing.T, s Service, opts ...ClientOption) *Operation[*wrapperspb.StringValue, *wrapperspb.StringValue] {
	t.Helper()
	op, err := Strings.Wrap(NewClient(s, opts...), running(""))
	if err != nil {
		t.Fatalf("Wrap: %v", err)
	}
	return op
}

func resume(t *testing.T, s Service, opts ...ClientOption) *Operation[*wrapperspb.StringValue, *wrapperspb.StringValue] {
	t.Helper()
	op, err := Strings.Resume(NewClient(s, opts...), testName)
	if err != nil {
		t.Fatalf("Resume(%q): %v", testName, err)
	}
	return op
}

func wantValue(t *testing.T, got *wrapperspb.StringValue, err error, want string) {
	t.Helper()
	if err != nil || got.GetValue() != want {
		t.Fatalf("got (%v, %v), want %q", got, err, want)
	}
}

func unavailable(i int) error { return status.Error(codes.Unavailable, fmt.Sprintf("down %d", i)) }

func retryIn(d time.Duration) *errdetails.RetryInfo {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(d)}
}
