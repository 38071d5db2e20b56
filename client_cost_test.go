// The race detector has sync.Pool drop what it is given now and then, so counts of
// allocations vary under it.

//go:build !race

package lro_test

import (
	"context"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro"
)

// What a poll costs beside the bare stub's call, in allocations. Client and server
// are in one process here, so what headers cost the server counts too. ADR 10 says
// what they are.
func TestPollAllocations(t *testing.T) {
	const (
		name  = "projects/p/locations/l/operations/0123456789abcdefghijklmnop"
		polls = 2000
		// What Poll makes more at most, and a poll of a wait.
		mostPoll, mostWait = 10, 12.5
	)
	conn := dial(t, func(s *grpc.Server) {
		longrunningpb.RegisterOperationsServer(s, constant{op: runningWith(t, name, 60)})
	})
	ending := &ending{OperationsClient: longrunningpb.NewOperationsClient(conn)}
	policy := lro.Policy{FirstPoll: time.Microsecond, MaxInterval: time.Microsecond, PlainSchedule: true, LongPoll: -1}
	ctx := context.Background()
	stub := func(ctx context.Context, opts ...grpc.CallOption) float64 {
		return testing.AllocsPerRun(polls, func() {
			if _, err := ending.OperationsClient.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name}, opts...); err != nil {
				t.Fatal(err)
			}
		})
	}
	bare := stub(ctx)
	var header, trailer metadata.MD
	hour, stop := context.WithTimeout(ctx, time.Hour)
	defer stop()
	t.Logf("of the bare stub's call: a time limit that the service sees %+.0f, outgoing metadata %+.0f, header and trailer %+.0f",
		stub(hour)-bare, stub(metadata.AppendToOutgoingContext(ctx, "x-goog-request-params", "name=x"))-bare, stub(ctx, grpc.Header(&header), grpc.Trailer(&trailer))-bare)
	op := func() *lro.Operation[*anypb.Any, *anypb.Any] {
		op, err := lro.Any().Resume(lro.NewClient(ending, lro.WithPolicy(policy)), name)
		if err != nil {
			t.Fatal(err)
		}
		return op
	}
	op1 := op()
	poll := testing.AllocsPerRun(polls, func() {
		if _, err := op1.Poll(context.Background()); err != nil {
			t.Fatal(err)
		}
	})
	wait := testing.AllocsPerRun(1, func() {
		ending.left = polls
		if _, err := op().Wait(context.Background()); err == nil {
			t.Fatal("Wait: no error for an operation without a response")
		}
	}) / polls
	t.Logf("bare stub %v, Poll +%v, poll of a wait %+.1f", bare, poll-bare, wait-bare)
	if poll-bare > mostPoll {
		t.Errorf("Poll makes %v allocations more than the bare stub's %v, want at most %v", poll-bare, bare, mostPoll)
	}
	if wait-bare > mostWait {
		t.Errorf("a poll of a wait makes %v allocations more than the bare stub's %v, want at most %v", wait-bare, bare, mostWait)
	}
}

// ending is a service whose operation ends with a call, if left was set.
type ending struct {
	longrunningpb.OperationsClient
	left int
}

func (e *ending) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	op, err := e.OperationsClient.GetOperation(ctx, req, opts...)
	e.left--
	if err == nil {
		op.Done = e.left == 0
	}
	return op, err
}
