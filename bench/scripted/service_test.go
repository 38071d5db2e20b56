package scripted

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// served serves a service with faults until the test ends.
func served(t *testing.T, f Faults) (*Service, *grpc.ClientConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(f)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		stop()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, conn
}

func begin(t *testing.T, conn *grpc.ClientConn, spec Spec) *longrunningpb.Operation {
	t.Helper()
	op := &longrunningpb.Operation{}
	if err := conn.Invoke(t.Context(), StartMethod, wrapperspb.String(fmt.Sprint(spec, "&index=0")), op); err != nil {
		t.Fatalf("Start: %v", err)
	}
	return op
}

func TestService(t *testing.T) {
	t.Parallel()
	s, conn := served(t, Faults{})
	stub := longrunningpb.NewOperationsClient(conn)
	started := begin(t, conn, Spec{Label: "a", Nominal: 100 * time.Millisecond, Waits: true})
	if started.GetDone() || started.GetMetadata() == nil {
		t.Errorf("Start = %v, want a running operation with metadata", started)
	}
	op, err := stub.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{Name: started.GetName()})
	if err != nil || !op.GetDone() {
		t.Fatalf("WaitOperation = %v, %v, want a done operation", op, err)
	}
	parsed, err := ParseName(op.GetName())
	if err != nil {
		t.Fatal(err)
	}
	if now := Now(); now < parsed.End {
		t.Errorf("WaitOperation returned %v before the end", parsed.End-now)
	}
	var response wrapperspb.StringValue
	if err := op.GetResponse().UnmarshalTo(&response); err != nil || response.GetValue() != started.GetName() {
		t.Errorf("response is %v, %v, want the operation's name", &response, err)
	}

	fails := begin(t, conn, Spec{Label: "a", Nominal: time.Nanosecond, Failing: 1})
	op, err = stub.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: fails.GetName()})
	if err != nil || op.GetError().GetMessage() != Failure(fails.GetName()) {
		t.Errorf("GetOperation = %v, %v, want the scripted failure", op, err)
	}
	if _, err := stub.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{Name: fails.GetName()}); status.Code(err) != codes.Unimplemented {
		t.Errorf("WaitOperation of one that does not wait = %v, want UNIMPLEMENTED", err)
	}
	if _, err := stub.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: "operations/x"}); status.Code(err) != codes.NotFound {
		t.Errorf("GetOperation of another's name = %v, want NOT_FOUND", err)
	}
	if got, want := s.Counts("a"), (Counts{Gets: 1, Waits: 2, Starts: 2}); got != want {
		t.Errorf("Counts = %+v, want %+v", got, want)
	}
}

func TestServiceWaitTimesOut(t *testing.T) {
	t.Parallel()
	_, conn := served(t, Faults{})
	name := Operation{Label: "a", End: Never, Waits: true}.Name()
	op, err := longrunningpb.NewOperationsClient(conn).WaitOperation(t.Context(),
		&longrunningpb.WaitOperationRequest{Name: name, Timeout: durationpb.New(time.Millisecond)})
	if err != nil || op.GetDone() {
		t.Errorf("WaitOperation = %v, %v, want a running operation", op, err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		faults Faults
		want   codes.Code
	}{
		{"cut", Faults{Cut: 1}, codes.Unavailable},
		{"lose", Faults{Lose: 1}, codes.DeadlineExceeded},
		{"internal", Faults{Internal: 1}, codes.Internal},
		{"outage", Faults{Outage: time.Hour}, codes.Unavailable},
		{"not yet", Faults{Cut: 1, After: time.Hour}, codes.OK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, conn := served(t, tt.faults)
			stub := longrunningpb.NewOperationsClient(conn)
			op := begin(t, conn, Spec{Label: "a", Nominal: time.Hour})
			limit := 30 * time.Second
			if tt.want == codes.DeadlineExceeded {
				limit = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			if _, err := stub.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: op.GetName()}); status.Code(err) != tt.want {
				t.Errorf("GetOperation = %v, want %v", err, tt.want)
			}
		})
	}
}

// What goes wrong does so as often as asked for.
func TestFaultsDraw(t *testing.T) {
	t.Parallel()
	const n = 20_000
	seen := map[fate]int{}
	for range n {
		seen[Faults{Cut: 0.2, Lose: 0.1, Internal: 0.05}.draw()]++
	}
	for f, want := range map[fate]float64{cut: 0.2, lost: 0.1, internal: 0.05, answered: 0.65} {
		if got := float64(seen[f]) / n; got < want-0.02 || got > want+0.02 { // 5 standard deviations and more
			t.Errorf("fate %d comes with %.3f, want %.2f", f, got, want)
		}
	}
}
