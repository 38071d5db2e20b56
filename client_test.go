package lro

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
)

// A policy that makes no sense, and types that cannot be decoded into, are
// errors of the methods that make operations, and Start makes no call before it
// returns them.
func TestNoOperationOfWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	service := GetFunc(func(context.Context, string) (*longrunningpb.Operation, error) { return nil, errNoAnswer })
	bad := Policy{FirstPoll: -1}
	of := map[string]func(call StartFunc) []error{
		"policy of the client": func(call StartFunc) []error {
			return make3(Any(), NewClient(service, WithPolicy(bad)), call)
		},
		"policy of the method": func(call StartFunc) []error {
			m := Any()
			m.Policy = &bad
			return make3(m, NewClient(service), call)
		},
		"response": func(call StartFunc) []error {
			return make3(Method[*dynamicpb.Message, *anypb.Any]{}, NewClient(service), call)
		},
		"metadata": func(call StartFunc) []error {
			return make3(Method[*anypb.Any, *dynamicpb.Message]{}, NewClient(service), call)
		},
	}
	for name, test := range of {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			errs := test(func(context.Context, string, ...grpc.CallOption) (*longrunningpb.Operation, error) {
				calls++
				return &longrunningpb.Operation{Name: testName}, nil
			})
			for i, err := range errs {
				if err == nil || !strings.Contains(err.Error(), "FirstPoll") && !strings.Contains(err.Error(), "generated message type") {
					t.Errorf("%s: got %v, want an error that says why", []string{"Wrap", "Resume", "Start"}[i], err)
				}
			}
			if calls != 0 {
				t.Errorf("Start made %d calls before it failed, want none", calls)
			}
		})
	}
	// The last policy counts.
	if _, err := Any().Resume(NewClient(service, WithPolicy(bad), WithPolicy(Policy{})), testName); err != nil {
		t.Errorf("Resume with a policy that replaces a bad one: %v", err)
	}
}

// make3 makes operations in each way and returns the errors.
func make3[R, M proto.Message](m Method[R, M], c *Client, call StartFunc) []error {
	_, wrapped := m.Wrap(c, &longrunningpb.Operation{Name: testName})
	_, resumed := m.Resume(c, testName)
	_, started := m.Start(context.Background(), c, call)
	return []error{wrapped, resumed, started}
}

// What a stub of a service has that the service has not is as if it were not
// there, and what both have is passed on.
func TestStub(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, polledOnly := range []bool{true, false} {
			f := &fakeService{get: endsAt(50 * time.Second), wait: waitsUntil(50 * time.Second)}
			service, most := Service(f), 2 // of 30 s each
			if polledOnly {
				service, most = f.pollOnly(), 0
			}
			counted := &counting{Stub: Stub{service}}
			if _, err := wrap(t, counted).Wait(t.Context()); err != nil {
				t.Errorf("polled only %v: Wait: %v", polledOnly, err)
			}
			if gets, waits := f.counts(); gets != counted.gets || gets == 0 || waits != most {
				t.Errorf("polled only %v: the service got %d polls and %d long polls, want the wrapper's %d, and %d", polledOnly, gets, waits, counted.gets, most)
			}
		}
		stub := Stub{(&fakeService{}).pollOnly()}
		some := Stub{selectiveService{&fakeService{}, func(name string) bool { return name == "long" }}}
		if stub.WaitsFor("long") || !some.WaitsFor("long") || some.WaitsFor("short") {
			t.Error("WaitsFor is not that of the service")
		}
		_, cancelled := stub.CancelOperation(t.Context(), nil)
		_, deleted := stub.DeleteOperation(t.Context(), nil)
		_, listed := stub.ListOperations(t.Context(), nil)
		for _, err := range []error{cancelled, deleted, listed} {
			if status.Code(err) != codes.Unimplemented {
				t.Errorf("a method that the service does not have: %v, want UNIMPLEMENTED", err)
			}
		}
	})
}

// counting is a wrapper as users write them.
type counting struct {
	Stub
	gets int
}

func (c *counting) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	c.gets++
	return c.Stub.GetOperation(ctx, req, opts...)
}
