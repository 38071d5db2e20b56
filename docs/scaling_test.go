package docs_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
)

// The code of scaling.md.

// both serves the operations of two servers, told apart by their parents.
type both struct {
	old, now longrunningpb.OperationsServer // what Server.Operations returns
	nowUnder string                         // parent of the new server, such as "projects/p/locations/l"
}

func (b both) of(name string) longrunningpb.OperationsServer {
	if name == b.nowUnder || strings.HasPrefix(name, b.nowUnder+"/") {
		return b.now
	}
	return b.old
}

func (b both) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	return b.of(req.GetName()).GetOperation(ctx, req)
}

func (b both) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
	return b.of(req.GetName()).ListOperations(ctx, req) // the name of a list is its parent
}

func (b both) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
	return b.of(req.GetName()).WaitOperation(ctx, req)
}

func (b both) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest) (*emptypb.Empty, error) {
	return b.of(req.GetName()).CancelOperation(ctx, req)
}

func (b both) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest) (*emptypb.Empty, error) {
	return b.of(req.GetName()).DeleteOperation(ctx, req)
}

var _ longrunningpb.OperationsServer = both{}

func TestBoth(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	open := func(parent string) *server.Server {
		eng, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "operations.db"), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { eng.Close() })
		srv, err := server.New(eng, server.Config{Parent: parent}, Export.Declare())
		if err != nil {
			t.Fatal(err)
		}
		return srv
	}
	old, now := open("projects/p"), open("projects/p/locations/l")
	b := both{old: old.Operations(), now: now.Operations(), nowUnder: "projects/p/locations/l"}
	for srv, parent := range map[*server.Server]string{old: "projects/p", now: "projects/p/locations/l"} {
		op, err := Export.Start(ctx, srv, &librarypb.ExportBooksRequest{Parent: "publishers/acme"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: op.GetName()}); err != nil {
			t.Errorf("GetOperation(%q): %v", op.GetName(), err)
		}
		if _, err := b.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: op.GetName()}); err != nil {
			t.Errorf("CancelOperation(%q): %v", op.GetName(), err)
		}
		if op, err := b.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: op.GetName()}); err != nil || !op.GetDone() {
			t.Errorf("WaitOperation(%q) = %v, %v, want the end", op.GetName(), op, err)
		}
		list, err := b.ListOperations(ctx, &longrunningpb.ListOperationsRequest{Name: parent})
		if err != nil || len(list.GetOperations()) != 1 || list.GetOperations()[0].GetName() != op.GetName() {
			t.Errorf("ListOperations(%q) = %v, %v, want %q alone", parent, list, err, op.GetName())
		}
		if _, err := b.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: op.GetName()}); err != nil {
			t.Errorf("DeleteOperation(%q): %v", op.GetName(), err)
		}
		if _, err := b.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: op.GetName()}); status.Code(err) != codes.NotFound {
			t.Errorf("GetOperation(%q) after its deletion: %v, want %v", op.GetName(), err, codes.NotFound)
		}
	}
}
