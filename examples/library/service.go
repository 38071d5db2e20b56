package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path"
	"path/filepath"
	"time"

	"google.golang.org/grpc"

	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/examples/library/librarypb/librarypbserver"
	"github.com/go-lro/lro/lrohttp"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
)

// ExportBooks does the work of an operation. It may be one of several attempts,
// so it continues from the checkpoint that the one before saved last.
func (l *library) ExportBooks(ctx context.Context, task *server.Task[*librarypb.ExportBooksMetadata], req *librarypb.ExportBooksRequest) (*librarypb.ExportBooksResponse, error) {
	archive, err := l.openArchive(path.Base(task.Name()), req.GetParent(), task.Checkpoint())
	if err != nil {
		return nil, err
	}
	defer archive.close()
	for !archive.full() {
		checkpoint, err := archive.add(ctx)
		if err != nil {
			return nil, err
		}
		task.Report(archive.progress())
		if checkpoint != nil {
			if err := task.Save(ctx, checkpoint); err != nil {
				return nil, err
			}
		}
	}
	return archive.finish()
}

// serve serves the library and its operations over gRPC, and the operations over
// HTTP/JSON, until ctx ends or something fails.
func serve(ctx context.Context, library *library, listener, web net.Listener) (err error) {
	engine, err := sqlite.Open(ctx, filepath.Join(library.dir, "operations.db"), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	kinds := librarypbserver.NewLibraryKinds()
	kinds.ExportBooks.Validate = library.checkExport
	// A short drain: exports continue from their checkpoints after a restart.
	operations, err := server.New(engine, server.Config{Drain: time.Second}, librarypbserver.HandleLibrary(library, kinds)...)
	if err != nil {
		return err
	}
	rest, err := lrohttp.NewHandler(operations.Operations())
	if err != nil {
		return err
	}
	grpcServer := grpc.NewServer()
	librarypbserver.RegisterLibrary(grpcServer, operations, library, kinds)
	return operations.Serve(ctx, grpcServer, listener, server.HTTP(&http.Server{Handler: rest}, web))
}
