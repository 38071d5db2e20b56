package remote_test

import (
	"context"
	"strings"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro/console"
	"github.com/go-lro/lro/console/remote"
)

// service is a service that answers as it is told.
type service struct {
	list  func(*longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error)
	get   *longrunningpb.Operation
	calls []string
}

func (s *service) ListOperations(_ context.Context, req *longrunningpb.ListOperationsRequest, _ ...grpc.CallOption) (*longrunningpb.ListOperationsResponse, error) {
	s.calls = append(s.calls, "list "+req.GetName()+" "+req.GetFilter())
	return s.list(req)
}

func (s *service) GetOperation(context.Context, *longrunningpb.GetOperationRequest, ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return s.get, nil
}

func (s *service) CancelOperation(_ context.Context, req *longrunningpb.CancelOperationRequest, _ ...grpc.CallOption) (*emptypb.Empty, error) {
	s.calls = append(s.calls, "cancel "+req.GetName())
	return nil, nil
}

func (s *service) DeleteOperation(_ context.Context, req *longrunningpb.DeleteOperationRequest, _ ...grpc.CallOption) (*emptypb.Empty, error) {
	s.calls = append(s.calls, "delete "+req.GetName())
	return nil, nil
}

func newSource(t *testing.T, s remote.Service) *remote.Source {
	t.Helper()
	src, err := remote.New(s, remote.Config{Parent: "projects/p"})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return src
}

func TestSource(t *testing.T) {
	t.Parallel()
	op := &longrunningpb.Operation{Name: "operations/o1"}
	s := &service{list: func(req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
		if req.GetPageSize() != 7 || req.GetPageToken() != "t" {
			t.Errorf("ListOperations(%v), want page size 7 and token t", req)
		}
		return &longrunningpb.ListOperationsResponse{Operations: []*longrunningpb.Operation{op, nil}, NextPageToken: "next"}, nil
	}}
	src := newSource(t, s)
	page, err := src.List(t.Context(), console.Query{Filter: "f", PageSize: 7, PageToken: "t"})
	if err != nil || len(page.Operations) != 1 || page.Operations[0].Message != op || page.Operations[0].Info != nil || page.Next != "next" {
		t.Errorf("List = %+v, %v", page, err)
	}
	if err := src.Cancel(t.Context(), "a"); err != nil {
		t.Errorf("Cancel = %v", err)
	}
	if err := src.Delete(t.Context(), "b"); err != nil {
		t.Errorf("Delete = %v", err)
	}
	if got := strings.Join(s.calls, "; "); got != "list projects/p f; cancel a; delete b" {
		t.Errorf("calls = %q", got)
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	if _, err := newSource(t, &service{}).Get(t.Context(), "o"); status.Code(err) != codes.Internal {
		t.Errorf("Get of a service that answers nothing = %v, want INTERNAL", err)
	}
	nameless := &longrunningpb.Operation{Done: true}
	op, err := newSource(t, &service{get: nameless}).Get(t.Context(), "o")
	if err != nil || op.Message.GetName() != "o" || !op.Message.GetDone() || nameless.GetName() != "" {
		t.Errorf("Get of an operation without a name = %v, %v, want a copy with the name", op, err)
	}
}

// getter has the one method that a service must have.
type getter struct{}

func (getter) GetOperation(context.Context, *longrunningpb.GetOperationRequest, ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return &longrunningpb.Operation{}, nil
}

func TestLacks(t *testing.T) {
	t.Parallel()
	src := newSource(t, getter{})
	_, err := src.List(t.Context(), console.Query{})
	for call, err := range map[string]error{"List": err, "Cancel": src.Cancel(t.Context(), "a"), "Delete": src.Delete(t.Context(), "a")} {
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("%s of a service without it = %v, want UNIMPLEMENTED", call, err)
		}
	}
	if src.FiltersState(t.Context()) {
		t.Error("FiltersState of a service that cannot list = true")
	}
}

func TestFiltersState(t *testing.T) {
	t.Parallel()
	wrong := status.Error(codes.InvalidArgument, "no")
	away := status.Error(codes.Unavailable, "away")
	tests := []struct {
		name         string
		bad, running error // answers to a state that does not exist, and to RUNNING
		want         bool
		calls        int // of two questions
	}{
		{"knows states", wrong, nil, true, 2},
		{"knows no field state", wrong, wrong, false, 2},
		{"ignores filters", nil, nil, false, 2},
		{"is away", away, away, false, 2},
		{"goes away", wrong, away, false, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &service{list: func(req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
				if strings.Contains(req.GetFilter(), "RUNNING") {
					return nil, tt.running
				}
				return nil, tt.bad
			}}
			src := newSource(t, s)
			first, second := src.FiltersState(t.Context()), src.FiltersState(t.Context())
			if first != tt.want || second != tt.want || len(s.calls) != tt.calls {
				t.Errorf("FiltersState = %t, %t in calls %q, want %t in %d", first, second, s.calls, tt.want, tt.calls)
			}
		})
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	if _, err := remote.New(nil, remote.Config{}); err == nil {
		t.Error("New(nil) = nil error")
	}
}
