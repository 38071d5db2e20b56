package lroconnect

import (
	"context"
	"fmt"
	"net/http"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"connectrpc.com/connect"
	"google.golang.org/grpc"

	"github.com/go-lro/lro/internal/httpcall"
)

// path is below which the procedures of the service are.
const path = "/google.longrunning.Operations/"

// The procedures.
const (
	getOperation    = path + "GetOperation"
	listOperations  = path + "ListOperations"
	cancelOperation = path + "CancelOperation"
	deleteOperation = path + "DeleteOperation"
	waitOperation   = path + "WaitOperation"
)

// maxRequest is the default limit of a request, in bytes, as in gRPC.
const maxRequest = 4 << 20

// NewHandler returns a handler that serves srv over Connect, gRPC and gRPC-Web,
// and the path to mount it on, as connect-go's generated code does.
//
// srv is called as a grpc.Server calls it: headers of the request are incoming
// metadata (the host is ":authority"), the peer has the remote address and TLS
// state, grpc.Method names the method, and grpc.SetHeader and grpc.SetTrailer set
// headers and trailers of the answer. ctx ends when the client goes away and at
// its deadline.
//
// The options are connect-go's. Requests are limited to 4 MiB unless there is a
// connect.WithReadMaxBytes. Every call is let in: put what authenticates callers
// around the handler, or into connect.WithInterceptors.
//
// A WaitOperation may take as long as its timeout, so the WriteTimeout of the
// http.Server must be longer, or 0. gRPC without TLS needs
// http.Protocols.SetUnencryptedHTTP2.
//
// srv must not be nil. The handler never changes and is safe for concurrent use
// if srv is.
func NewHandler(srv longrunningpb.OperationsServer, opts ...connect.HandlerOption) (string, http.Handler) {
	opts = append([]connect.HandlerOption{
		connect.WithReadMaxBytes(maxRequest),
		connect.WithCodec(jsonCodec{codecJSON}),
		connect.WithCodec(jsonCodec{codecJSONUTF8}),
	}, opts...)
	procedures := map[string]http.Handler{
		getOperation:    newProcedure(getOperation, srv.GetOperation, opts),
		listOperations:  newProcedure(listOperations, srv.ListOperations, opts),
		cancelOperation: newProcedure(cancelOperation, srv.CancelOperation, opts),
		deleteOperation: newProcedure(deleteOperation, srv.DeleteOperation, opts),
		waitOperation:   newProcedure(waitOperation, srv.WaitOperation, opts),
	}
	return path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		procedure := procedures[r.URL.Path]
		if procedure == nil {
			http.NotFound(w, r)
			return
		}
		procedure.ServeHTTP(w, r.WithContext(httpcall.Incoming(r)))
	})
}

func newProcedure[Req, Resp any](name string, call func(context.Context, *Req) (*Resp, error), opts []connect.HandlerOption) http.Handler {
	return connect.NewUnaryHandler(name, func(ctx context.Context, req *connect.Request[Req]) (*connect.Response[Resp], error) {
		stream := httpcall.NewStream(name)
		resp, err := call(grpc.NewContextWithServerTransportStream(ctx, stream), req.Msg)
		if err != nil {
			failed := toConnect(err)
			httpcall.SetValid(failed.Meta(), stream.Header())
			httpcall.SetValid(failed.Meta(), stream.Trailer())
			return nil, failed
		}
		if resp == nil { // an empty operation would be one that never ends
			return nil, connect.NewError(connect.CodeInternal, fmt.Errorf("%s returned no message and no error", name))
		}
		answer := connect.NewResponse(resp)
		httpcall.SetValid(answer.Header(), stream.Header())
		httpcall.SetValid(answer.Trailer(), stream.Trailer())
		return answer, nil
	}, opts...)
}
