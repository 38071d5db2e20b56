package lro_test

import (
	"context"
	"errors"
	"fmt"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/examples/library/librarypb"
)

// These stand for what a program has.
var (
	ctx  = context.Background()
	conn *grpc.ClientConn
	op   *lro.Operation[*librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata]
	req  = &librarypb.ExportBooksRequest{}
)

// What the method's operations return, and their metadata: declared once.
var ExportBooks = lro.Method[*librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata]{}

func waitForExport(ctx context.Context, conn *grpc.ClientConn, req *librarypb.ExportBooksRequest) (*librarypb.ExportBooksResponse, error) {
	client := lro.NewClientConn(conn) // one for all operations of the service
	started, err := librarypb.NewLibraryClient(conn).ExportBooks(ctx, req)
	if err != nil {
		return nil, err // if the answer was lost, an operation may have been started: see Method.Start
	}
	op, err := ExportBooks.Wrap(client, started)
	if err != nil {
		return nil, err
	}
	return op.Wait(ctx)
}

// Start an operation by a stub of your own, and wait for it.
func Example() {
	archive, err := waitForExport(ctx, conn, req)
	fmt.Println(archive.GetFile(), err)
}

// Show progress while waiting.
func ExampleOperation_Progress() {
	for state, err := range op.Progress(ctx) {
		if err != nil {
			return // we stopped waiting
		}
		if md, ok := state.Metadata(); ok {
			fmt.Println(md.GetProgressPercent(), "%")
		}
	}
	resp, err := op.Result()
	fmt.Println(resp, err)
}

// Tell the three kinds of errors apart.
func ExampleOperation_Wait() {
	resp, err := op.Wait(ctx)
	if failed, ok := errors.AsType[*lro.OperationError](err); ok {
		fmt.Println("it failed:", failed.Code(), failed.Message(), failed.Details())
	}
	if stopped, ok := errors.AsType[*lro.WaitError](err); ok {
		// ctx ended, or the service refused to tell: errors.Is and status.Code know.
		fmt.Println("we stopped waiting, it may still run:", stopped.Name, op.Token())
	}
	if broken, ok := errors.AsType[*lro.ResultError](err); ok {
		fmt.Println("it succeeded, but this is no archive:", broken.Response)
	}
	fmt.Println(resp.GetFile())
}

// Go on in another process.
func ExampleMethod_Resume() {
	client := lro.NewClientConn(conn)

	op, err := ExportBooks.Resume(client, "publishers/acme/operations/17") // or what Token returned
	if err != nil {
		return
	}
	resp, err := op.Wait(ctx)
	fmt.Println(resp, err)
}

// Start an operation once, although answers may be lost.
func ExampleMethod_Start() {
	library := librarypb.NewLibraryClient(conn)
	client := lro.NewClientConn(conn, lro.WithOnStart(func(ctx context.Context, s lro.Started) error {
		return save(ctx, s.Token) // before anybody polls it
	}))

	op, err := ExportBooks.Start(ctx, client, func(ctx context.Context, requestID string, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
		return library.ExportBooks(ctx, &librarypb.ExportBooksRequest{Parent: "publishers/acme", RequestId: requestID}, opts...)
	})
	fmt.Println(op, err)
}

func save(context.Context, string) error { return nil }

// Wait for many, as they end.
func ExampleGroup() {
	var exports []*lro.Operation[*librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata]

	group := lro.GroupOf(exports...)
	group.QPS = 100
	for op, err := range group.Completed(ctx) {
		if err != nil {
			fmt.Println(err, op.Token()) // not ended: ctx did, or it cannot be waited for
			continue
		}
		archive, err := op.Result()
		fmt.Println(op.Name(), archive.GetFile(), err)
	}
}

// Wait for all, and use their results.
func ExampleWaitAll() {
	var exports []*lro.Operation[*librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata]

	if err := lro.WaitAll(ctx, exports...); err != nil {
		fmt.Println("not all succeeded:", err)
	}
	for _, op := range exports {
		archive, err := op.Result()
		fmt.Println(op.Name(), archive.GetFile(), err)
	}
}
