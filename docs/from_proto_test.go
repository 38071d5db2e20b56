package docs_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"

	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/lrotest"
)

// exportOf is the code of from-proto.md.
func exportOf(ctx context.Context, conn grpc.ClientConnInterface) (string, error) {
	library := librarypb.NewLibraryLROClient(conn, nil)
	op, err := library.ExportBooks(ctx, &librarypb.ExportBooksRequest{Parent: "publishers/acme"})
	if err != nil {
		return "", err
	}
	archive, err := op.Wait(ctx) // *librarypb.ExportBooksResponse
	return archive.GetFile(), err
}

// exporting is a service whose exports take an hour.
type exporting struct {
	librarypb.UnimplementedLibraryServer
	operations *lrotest.Server
}

func (e exporting) ExportBooks(_ context.Context, req *librarypb.ExportBooksRequest) (*longrunningpb.Operation, error) {
	return e.operations.Add("",
		lrotest.Running(&librarypb.ExportBooksMetadata{Parent: req.GetParent()}).For(time.Hour),
		lrotest.Succeeded(&librarypb.ExportBooksResponse{File: req.GetParent() + ".tar"}),
	).Proto(), nil
}

func TestFromProto(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		conn := srv.Dial(func(r grpc.ServiceRegistrar) { librarypb.RegisterLibraryServer(r, exporting{operations: &srv}) })
		defer conn.Close()
		got, err := exportOf(t.Context(), conn)
		if want := "publishers/acme.tar"; err != nil || got != want {
			t.Errorf("exportOf: got (%q, %v), want %q", got, err, want)
		}
	})
}
