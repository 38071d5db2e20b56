package docs_test

import (
	"context"

	"github.com/go-lro/lro/examples/library/librarypb"
)

import (
	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lrogax"
)

// wait has the code of the first screen of README.md, which shows the second
// group of imports too.
func wait(ctx context.Context, library *LibraryClient, req *librarypb.ExportBooksRequest) (*librarypb.ExportBooksResponse, error) {
	client := lro.NewClient(lrogax.Service(library)) // once, for all operations of the service

	started, err := library.ExportBooks(ctx, req) // a client that Google generated
	if err != nil {
		return nil, err
	}
	return lrogax.Wait(ctx, client, started) // instead of started.Wait(ctx)
}
