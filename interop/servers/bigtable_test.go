package servers

import (
	"context"
	"errors"
	"slices"
	"testing"

	"cloud.google.com/go/bigtable/admin/apiv2/adminpb"
	"cloud.google.com/go/bigtable/bttest"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/go-lro/lro"
)

var updateTable = lro.Method[*adminpb.Table, *adminpb.UpdateTableMetadata]{
	Name: "google.bigtable.admin.v2.BigtableTableAdmin.UpdateTable",
}

const (
	instance = "projects/p/instances/i"
	table    = instance + "/tables/books"
)

func startBigtable(t *testing.T) *grpc.ClientConn {
	t.Helper()
	srv, err := bttest.NewServer("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	return dial(t, srv.Addr)
}

// protect starts an operation that protects the table from deletion.
func protect(ctx context.Context, conn *grpc.ClientConn) (*longrunningpb.Operation, error) {
	return adminpb.NewBigtableTableAdminClient(conn).UpdateTable(ctx, &adminpb.UpdateTableRequest{
		Table:      &adminpb.Table{Name: table, DeletionProtection: true},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"deletion_protection"}},
	})
}

// The operation is done when it is started: no call may be made, as no
// server would answer it.
func TestBigtableDoneAtStart(t *testing.T) {
	t.Parallel()
	conn := startBigtable(t)
	if _, err := adminpb.NewBigtableTableAdminClient(conn).CreateTable(long(t), &adminpb.CreateTableRequest{Parent: instance, TableId: "books"}); err != nil {
		t.Fatal(err)
	}
	started, err := protect(long(t), conn)
	if err != nil {
		t.Fatal(err)
	}
	polls := 0
	op, err := updateTable.Wrap(lro.NewClientConn(conn, lro.WithObserver(&lro.Observer{
		PollStart: func(ctx context.Context, _ lro.PollStart) context.Context { polls++; return ctx },
	})), started)
	if err != nil {
		t.Fatal(err)
	}
	got, err := op.Wait(long(t))
	if err != nil || got.GetName() != table || !got.GetDeletionProtection() {
		t.Errorf("Wait: got %v, %v, want the protected table", got, err)
	}
	if md, ok := op.Metadata(); !ok || md.GetName() != table || md.GetEndTime() == nil {
		t.Errorf("Metadata: got %v, %v, want the table and times", md, ok)
	}
	var states []bool
	for s, err := range op.Progress(long(t)) {
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, s.Done())
	}
	if want := []bool{true}; !slices.Equal(states, want) {
		t.Errorf("Progress: done %v, want %v", states, want)
	}
	if taken, err := op.Cancel(long(t)); taken || err != nil {
		t.Errorf("Cancel: got %v, %v, want false without a call", taken, err)
	}
	if snapshot, err := op.Poll(long(t)); err != nil || !snapshot.Done() {
		t.Errorf("Poll: got done %v, %v, want done without a call", snapshot.Done(), err)
	}
	if polls != 0 {
		t.Errorf("%d polls, want none", polls)
	}
}

// The server has no google.longrunning.Operations.
func TestBigtableHasNoOperations(t *testing.T) {
	t.Parallel()
	client := lro.NewClientConn(startBigtable(t))
	const name = "projects/my-project/operations/1234" // the name it gives to all
	op, err := updateTable.Resume(client, name)
	if err != nil {
		t.Fatal(err)
	}
	_, err = op.Wait(long(t))
	stopped, ok := errors.AsType[*lro.WaitError](err)
	if !ok || status.Code(err) != codes.Unimplemented || stopped.Polls != 1 {
		t.Errorf("Wait: %v, want UNIMPLEMENTED after one poll", err)
	}
	if errors.Is(err, lro.ErrNotFound) || errors.Is(err, lro.ErrGone) {
		t.Errorf("Wait: %v, want nothing said about the operation", err)
	}
	if _, err := op.Poll(long(t)); status.Code(err) != codes.Unimplemented {
		t.Errorf("Poll: %v, want UNIMPLEMENTED", err)
	}
	if taken, err := op.Cancel(long(t)); taken || status.Code(err) != codes.Unimplemented {
		t.Errorf("Cancel: got %v, %v, want UNIMPLEMENTED", taken, err)
	}
	if err := op.Delete(long(t)); status.Code(err) != codes.Unimplemented {
		t.Errorf("Delete: %v, want UNIMPLEMENTED", err)
	}
	for _, err := range client.List(long(t), &longrunningpb.ListOperationsRequest{Name: instance}) {
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("List: %v, want UNIMPLEMENTED", err)
		}
	}
}

// What the service refuses was not started.
func TestBigtableRefusesToStart(t *testing.T) {
	t.Parallel()
	conn := startBigtable(t)
	client := lro.NewClientConn(conn)
	for _, tt := range []struct {
		name string
		call func(context.Context) (*longrunningpb.Operation, error)
		want codes.Code
	}{
		{"no such table", func(ctx context.Context) (*longrunningpb.Operation, error) { return protect(ctx, conn) }, codes.NotFound},
		{"no such method", func(ctx context.Context) (*longrunningpb.Operation, error) {
			return adminpb.NewBigtableInstanceAdminClient(conn).CreateInstance(ctx, &adminpb.CreateInstanceRequest{Parent: "projects/p"})
		}, codes.Unimplemented},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			op, err := updateTable.Start(long(t), client, func(ctx context.Context, _ string, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
				return tt.call(ctx)
			})
			if op != nil || status.Code(err) != tt.want {
				t.Errorf("Start: got %v, %v, want %v", op, err, tt.want)
			}
		})
	}
}
