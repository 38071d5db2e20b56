package docs_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"

	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
)

// The code of the README's section on serving.

// Your service, which starts operations.
type service struct {
	librarypb.UnimplementedLibraryServer
	operations *server.Server
}

// A kind of operation: its name, which is stored, and its three messages.
var exportBooks = server.Kind[*librarypb.ExportBooksRequest, *librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata]{
	Name: "export-books",
}

func (s *service) ExportBooks(ctx context.Context, req *librarypb.ExportBooksRequest) (*longrunningpb.Operation, error) {
	return exportBooks.Start(ctx, s.operations, req, nil) // durable when it returns
}

// The work. It may run again, after a crash for example; task.Save stores checkpoints for that.
func runExport(ctx context.Context, task *server.Task[*librarypb.ExportBooksMetadata], req *librarypb.ExportBooksRequest) (*librarypb.ExportBooksResponse, error) {
	task.Report(&librarypb.ExportBooksMetadata{Parent: req.GetParent()}) // shown at once to callers that this process serves, and soon to others
	return &librarypb.ExportBooksResponse{}, nil
}

func serve(ctx context.Context, file string, grpcServer *grpc.Server, listener net.Listener) error {
	engine, err := sqlite.Open(ctx, file, nil)
	if err != nil {
		return err
	}
	operations, err := server.New(engine, server.Config{}, exportBooks.Handle(runExport))
	if err != nil {
		return errors.Join(err, engine.Close())
	}
	librarypb.RegisterLibraryServer(grpcServer, &service{operations: operations})
	operations.Register(grpcServer) // google.longrunning.Operations
	// Runs handlers and answers calls until ctx ends, then lets both finish.
	return errors.Join(operations.Serve(ctx, grpcServer, listener), engine.Close())
}

func TestServe(t *testing.T) {
	t.Parallel()
	stops(t, func(ctx context.Context, listener net.Listener) error {
		return serve(ctx, filepath.Join(t.TempDir(), "operations.db"), grpc.NewServer(), listener)
	})
}
