package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"google.golang.org/grpc"

	"github.com/go-lro/lro/examples/library/librarypb"
)

// export starts an export, shows its progress and prints the result.
func export(ctx context.Context, out io.Writer, conn grpc.ClientConnInterface, publisher string) error {
	op, err := librarypb.NewLibraryLROClient(conn, nil).ExportBooks(ctx, &librarypb.ExportBooksRequest{Parent: publisher})
	if err != nil {
		return err
	}
	for state := range op.Progress(ctx) {
		md, _ := state.Metadata()
		fmt.Fprintf(out, "\r[%-50s] %d of %d books", strings.Repeat("=", int(md.GetProgressPercent())/2), md.GetBooksExported(), md.GetBooksTotal())
	}
	archive, err := op.Wait(ctx)
	if err == nil {
		fmt.Fprintf(out, "\n%s: %d books, %d bytes\n", archive.GetFile(), archive.GetBooks(), archive.GetBytes())
	}
	return err
}
