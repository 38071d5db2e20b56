package lro_test

import (
	"context"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"

	"github.com/go-lro/lro"
)

// What a poll costs beside the bare stub's call, in allocations: of the program
// that polls and, since both ends are in one process here, of what the deadline
// and the headers cost the server.
func TestPollAllocations(t *testing.T) {
	const name = "projects/p/locations/l/operations/0123456789abcdefghijklmnop"
	conn := dial(t, func(s *grpc.Server) {
		longrunningpb.RegisterOperationsServer(s, constant{op: runningWith(t, name, 60)})
	})
	stub := longrunningpb.NewOperationsClient(conn)
	op, err := lro.Any().Resume(lro.NewClient(stub), name)
	if err != nil {
		t.Fatal(err)
	}
	const runs = 2000
	ctx := context.Background()
	bare := testing.AllocsPerRun(runs, func() {
		if _, err := stub.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name}); err != nil {
			t.Fatal(err)
		}
	})
	poll := testing.AllocsPerRun(runs, func() {
		if _, err := op.Poll(ctx); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("bare stub %v, Poll %v: +%v", bare, poll, poll-bare)
	if poll-bare > 30 {
		t.Errorf("Poll makes %v allocations more than the bare stub's %v, want at most 30", poll-bare, bare)
	}
}
