package transporttest

import (
	"context"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
)

// name is that of the operation in most cases.
const name = "projects/p/locations/l/operations/test"

// values is the method most cases use: both types are strings.
var values = lro.Method[*wrapperspb.StringValue, *wrapperspb.StringValue]{Name: "test.Values"}

// service answers from functions and remembers how it was called. A nil
// function is a method that it does not implement.
type service struct {
	longrunningpb.UnimplementedOperationsServer

	get    func(ctx context.Context, n int) (*longrunningpb.Operation, error)
	wait   func(ctx context.Context, req *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error)
	cancel func(ctx context.Context) error
	delete func(ctx context.Context) error
	list   func(ctx context.Context, req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error)

	mu    sync.Mutex
	calls []call
}

// call is one that a service got.
type call struct {
	method string
	name   string
	at     time.Time
	md     metadata.MD
	left   time.Duration // until the deadline; 0 for none
}

func (s *service) note(ctx context.Context, method, name string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	md, _ := metadata.FromIncomingContext(ctx)
	c := call{method: method, name: name, at: time.Now(), md: md.Copy()}
	if deadline, ok := ctx.Deadline(); ok {
		c.left = time.Until(deadline)
	}
	s.calls = append(s.calls, c)
	for _, c := range s.calls {
		if c.method == method {
			n++
		}
	}
	return n
}

// seen returns the calls of a method.
func (s *service) seen(method string) []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var some []call
	for _, c := range s.calls {
		if c.method == method {
			some = append(some, c)
		}
	}
	return some
}

func (s *service) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	n := s.note(ctx, "get", req.GetName())
	if s.get == nil {
		return nil, unimplemented
	}
	return s.get(ctx, n)
}

func (s *service) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
	s.note(ctx, "wait", req.GetName())
	if s.wait == nil {
		return nil, unimplemented
	}
	return s.wait(ctx, req)
}

func (s *service) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest) (*emptypb.Empty, error) {
	s.note(ctx, "cancel", req.GetName())
	if s.cancel == nil {
		return nil, unimplemented
	}
	return &emptypb.Empty{}, s.cancel(ctx)
}

func (s *service) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest) (*emptypb.Empty, error) {
	s.note(ctx, "delete", req.GetName())
	if s.delete == nil {
		return nil, unimplemented
	}
	return &emptypb.Empty{}, s.delete(ctx)
}

func (s *service) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
	s.note(ctx, "list", req.GetName())
	if s.list == nil {
		return nil, unimplemented
	}
	return s.list(ctx, req)
}

var unimplemented = status.Error(codes.Unimplemented, "no such method")

// answers returns each answer in turn, and the last for ever.
func answers(all ...*longrunningpb.Operation) func(context.Context, int) (*longrunningpb.Operation, error) {
	return func(_ context.Context, n int) (*longrunningpb.Operation, error) {
		return all[min(n, len(all))-1], nil
	}
}

// after answers running until the time has passed, then done.
func after(d time.Duration) func(context.Context, int) (*longrunningpb.Operation, error) {
	end := time.Now().Add(d)
	return func(context.Context, int) (*longrunningpb.Operation, error) {
		if time.Now().Before(end) {
			return running(""), nil
		}
		return succeeded("done"), nil
	}
}

func running(progress string) *longrunningpb.Operation {
	op := &longrunningpb.Operation{Name: name}
	if progress != "" {
		op.Metadata = pack(wrapperspb.String(progress))
	}
	return op
}

func succeeded(response string) *longrunningpb.Operation {
	return done(&longrunningpb.Operation_Response{Response: pack(wrapperspb.String(response))})
}

func responded(response *anypb.Any) *longrunningpb.Operation {
	return done(&longrunningpb.Operation_Response{Response: response})
}

func failed(st *spb.Status) *longrunningpb.Operation {
	return done(&longrunningpb.Operation_Error{Error: st})
}

func done(result any) *longrunningpb.Operation {
	op := &longrunningpb.Operation{Name: name, Done: true}
	switch r := result.(type) {
	case *longrunningpb.Operation_Response:
		op.Result = r
	case *longrunningpb.Operation_Error:
		op.Result = r
	}
	return op
}

func pack(m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	if err != nil {
		panic(err)
	}
	return a
}

func statusOf(code codes.Code, message string, details ...proto.Message) *spb.Status {
	st := &spb.Status{Code: int32(code), Message: message}
	for _, d := range details {
		st.Details = append(st.Details, pack(d))
	}
	return st
}

func errorOf(code codes.Code, message string, details ...proto.Message) error {
	return status.ErrorProto(statusOf(code, message, details...))
}

func retryIn(d time.Duration) *errdetails.RetryInfo {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(d)}
}

// unknown is an Any of a type that is linked nowhere.
func unknown() *anypb.Any {
	return &anypb.Any{TypeUrl: "type.googleapis.com/test.nobody.Knows", Value: []byte("\x0a\x03abc\x10\x01")}
}

// wrapped makes a future of an operation that has just been started.
func wrapped(t *testing.T, c *lro.Client) *lro.Operation[*wrapperspb.StringValue, *wrapperspb.StringValue] {
	t.Helper()
	op, err := values.Wrap(c, running(""))
	if err != nil {
		t.Fatalf("Wrap: %v", err)
	}
	return op
}
