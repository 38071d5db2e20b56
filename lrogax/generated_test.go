package lrogax_test

import (
	"context"

	"cloud.google.com/go/longrunning"
	lroauto "cloud.google.com/go/longrunning/autogen"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"

	"github.com/go-lro/lro/examples/library/librarypb"
)

// This file has the form of what protoc-gen-go_gapic makes of the library's
// service, so that tests need no client of cloud.google.com/go.

// LibraryClient is a client of the library.
type LibraryClient struct {
	// LROClient is used internally to handle long-running operations.
	LROClient *lroauto.OperationsClient

	stub librarypb.LibraryClient
}

// NewLibraryClient makes one over a connection.
func NewLibraryClient(ctx context.Context, conn *grpc.ClientConn) (*LibraryClient, error) {
	operations, err := lroauto.NewOperationsClient(ctx, option.WithGRPCConn(conn))
	if err != nil {
		return nil, err
	}
	return &LibraryClient{operations, librarypb.NewLibraryClient(conn)}, nil
}

// ExportBooks writes all books of a publisher into an archive.
func (c *LibraryClient) ExportBooks(ctx context.Context, req *librarypb.ExportBooksRequest, _ ...gax.CallOption) (*ExportBooksOperation, error) {
	resp, err := c.stub.ExportBooks(ctx, req)
	if err != nil {
		return nil, err
	}
	return &ExportBooksOperation{longrunning.InternalNewOperation(c.LROClient, resp)}, nil
}

// GetOperation is a utility method from google.longrunning.Operations.
func (c *LibraryClient) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...gax.CallOption) (*longrunningpb.Operation, error) {
	return c.LROClient.GetOperation(ctx, req, opts...)
}

// ExportBooksOperation manages a long-running operation from ExportBooks.
type ExportBooksOperation struct{ lro *longrunning.Operation }

// Poll fetches the latest state of the long-running operation.
func (op *ExportBooksOperation) Poll(ctx context.Context, opts ...gax.CallOption) (*librarypb.ExportBooksResponse, error) {
	var resp librarypb.ExportBooksResponse
	if err := op.lro.Poll(ctx, &resp, opts...); err != nil {
		return nil, err
	}
	if !op.Done() {
		return nil, nil
	}
	return &resp, nil
}

// Metadata returns metadata associated with the long-running operation.
func (op *ExportBooksOperation) Metadata() (*librarypb.ExportBooksMetadata, error) {
	return metadataOf(op.lro)
}

// Done reports whether the long-running operation has completed.
func (op *ExportBooksOperation) Done() bool { return op.lro.Done() }

// Name returns the name of the long-running operation.
func (op *ExportBooksOperation) Name() string { return op.lro.Name() }

// BurnBooksOperation has a google.protobuf.Empty as response.
type BurnBooksOperation struct{ lro *longrunning.Operation }

// Poll fetches the latest state of the long-running operation.
func (op *BurnBooksOperation) Poll(ctx context.Context, opts ...gax.CallOption) error {
	return op.lro.Poll(ctx, nil, opts...)
}

// Metadata returns metadata associated with the long-running operation.
func (op *BurnBooksOperation) Metadata() (*librarypb.ExportBooksMetadata, error) {
	return metadataOf(op.lro)
}

// Done reports whether the long-running operation has completed.
func (op *BurnBooksOperation) Done() bool { return op.lro.Done() }

// Name returns the name of the long-running operation.
func (op *BurnBooksOperation) Name() string { return op.lro.Name() }

func metadataOf(op *longrunning.Operation) (*librarypb.ExportBooksMetadata, error) {
	var meta librarypb.ExportBooksMetadata
	if err := op.Metadata(&meta); err == longrunning.ErrNoMetadata {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return &meta, nil
}

// exportBooksOperation is what ExportBooks returns when the service answers
// with p. It cannot make calls.
func exportBooksOperation(p *longrunningpb.Operation) *ExportBooksOperation {
	return &ExportBooksOperation{longrunning.InternalNewOperation(nil, p)}
}

func burnBooksOperation(p *longrunningpb.Operation) *BurnBooksOperation {
	return &BurnBooksOperation{longrunning.InternalNewOperation(nil, p)}
}
