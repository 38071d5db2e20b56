package lroconnect

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"connectrpc.com/connect"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro/internal/httpcall"
)

// maxResponse is the default limit of an answer, in bytes, as of lrohttp's client.
const maxResponse = 16 << 20

// Client calls google.longrunning.Operations through connect-go. It has the
// methods of the gRPC stub, so that lro.NewClient takes it as it is.
//
// Outgoing gRPC metadata of a call's ctx becomes headers. Of the call options
// grpc.Header, grpc.Trailer and grpc.PerRPCCredentials have their effect; for an
// error, headers and trailers are the same, its metadata.
//
// Errors have a gRPC status, and wrap the *connect.Error. One that is not the
// service's, such as the page of a proxy, has the code UNKNOWN unless its code
// says that a repetition may help.
//
// A Client never changes and is safe for concurrent use. It starts no goroutines
// and need not be closed; connections are those of its HTTP client.
type Client struct {
	base   *url.URL
	get    *connect.Client[longrunningpb.GetOperationRequest, longrunningpb.Operation]
	list   *connect.Client[longrunningpb.ListOperationsRequest, longrunningpb.ListOperationsResponse]
	cancel *connect.Client[longrunningpb.CancelOperationRequest, emptypb.Empty]
	remove *connect.Client[longrunningpb.DeleteOperationRequest, emptypb.Empty]
	wait   *connect.Client[longrunningpb.WaitOperationRequest, longrunningpb.Operation]
}

var _ longrunningpb.OperationsClient = (*Client)(nil)

// NewClient returns a client of the service at baseURL, such as
// "https://library.example". It makes no call. The options are connect-go's:
// connect.WithGRPC and connect.WithGRPCWeb choose another protocol than Connect,
// and [WithJSON] JSON. Answers are limited to 16 MiB unless there is a
// connect.WithReadMaxBytes. As in connect-go, a URL that cannot be parsed is the
// error of each call.
//
// The HTTP client must not be nil. Its Timeout, if it has one, limits long polls
// too; use deadlines of ctx instead. To notice an HTTP/2 connection that was
// dropped silently, set SendPingTimeout and PingTimeout of its Transport.HTTP2.
func NewClient(httpClient connect.HTTPClient, baseURL string, opts ...connect.ClientOption) *Client {
	base, err := url.Parse(baseURL)
	if err != nil {
		base = &url.URL{} // connect.NewClient finds the same error
	}
	opts = append([]connect.ClientOption{connect.WithReadMaxBytes(maxResponse)}, opts...)
	return &Client{
		base:   base,
		get:    newUnary[longrunningpb.GetOperationRequest, longrunningpb.Operation](httpClient, baseURL, getOperation, opts),
		list:   newUnary[longrunningpb.ListOperationsRequest, longrunningpb.ListOperationsResponse](httpClient, baseURL, listOperations, opts),
		cancel: newUnary[longrunningpb.CancelOperationRequest, emptypb.Empty](httpClient, baseURL, cancelOperation, opts),
		remove: newUnary[longrunningpb.DeleteOperationRequest, emptypb.Empty](httpClient, baseURL, deleteOperation, opts),
		wait:   newUnary[longrunningpb.WaitOperationRequest, longrunningpb.Operation](httpClient, baseURL, waitOperation, opts),
	}
}

func newUnary[Req, Resp any](httpClient connect.HTTPClient, baseURL, procedure string, opts []connect.ClientOption) *connect.Client[Req, Resp] {
	return connect.NewClient[Req, Resp](httpClient, strings.TrimRight(baseURL, "/")+procedure, opts...)
}

// GetOperation returns the latest state of an operation.
func (c *Client) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return call(ctx, c, c.get, req, opts)
}

// ListOperations returns a page of the operations under a parent.
func (c *Client) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest, opts ...grpc.CallOption) (*longrunningpb.ListOperationsResponse, error) {
	return call(ctx, c, c.list, req, opts)
}

// CancelOperation requests the cancellation of an operation.
func (c *Client) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	return call(ctx, c, c.cancel, req, opts)
}

// DeleteOperation deletes an operation. It does not cancel it.
func (c *Client) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	return call(ctx, c, c.remove, req, opts)
}

// WaitOperation returns the state of an operation when it is done or the timeout
// has passed.
func (c *Client) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	return call(ctx, c, c.wait, req, opts)
}

func call[Req, Resp any](ctx context.Context, c *Client, unary *connect.Client[Req, Resp], req *Req, opts []grpc.CallOption) (*Resp, error) {
	o := httpcall.OptionsOf(opts)
	r := connect.NewRequest(req)
	if err := o.Outgoing(ctx, c.base, r.Header()); err != nil {
		return nil, err
	}
	resp, err := unary.CallUnary(ctx, r)
	if err != nil {
		meta := metaOf(err)
		o.Received(meta, meta)
		return nil, toStatus(ctx, r.Spec().Procedure, err)
	}
	o.Received(resp.Header(), resp.Trailer())
	return resp.Msg, nil
}

func metaOf(err error) http.Header {
	if failed := asConnect(err); failed != nil {
		return failed.Meta()
	}
	return nil
}
