package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/examples/library/librarypb"
)

// ExportBooks is the method as its callers know it.
var ExportBooks = lro.Method[*librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata]{
	Name: "example.library.v1.Library.ExportBooks",
}

// export starts an export, shows its progress and prints the result.
func export(ctx context.Context, out io.Writer, addr, publisher string) error {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	service := librarypb.NewLibraryClient(conn)
	operations := lro.NewClientConn(conn)

	op, err := ExportBooks.Start(ctx, operations, func(ctx context.Context, requestID string, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
		return service.ExportBooks(ctx, &librarypb.ExportBooksRequest{Parent: publisher, RequestId: requestID}, opts...)
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "started", op.Name())
	for state, err := range op.Progress(ctx) {
		if err != nil {
			return err
		}
		if md, ok := state.Metadata(); ok {
			fmt.Fprintf(out, "%d of %d books\n", md.GetBooksExported(), md.GetBooksTotal())
		}
	}
	archive, err := op.Result()
	if failed, ok := errors.AsType[*lro.OperationError](err); ok && failed.Cancelled() {
		return errors.New("somebody cancelled the export")
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %d books, %d bytes\n", archive.GetFile(), archive.GetBooks(), archive.GetBytes())
	return nil
}
