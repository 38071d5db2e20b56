package lrogax

import (
	"context"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro/internal/gaxcall"
)

// WithPathPrefix sets what stands before the name in the paths of a REST
// client, such as "v1beta1". It stands after the host, so that a path in the
// client's endpoint must be repeated. Default: "v1", after the endpoint. Over
// gRPC it means nothing.
func WithPathPrefix(prefix string) Option {
	return func(s *service) { s.Prefix = "/" + strings.Trim(prefix, "/") }
}

// listREST lists below the name: GET /v1/{name}/operations is where the
// services of Google have it, but for the name "operations" of
// google/longrunning/operations.proto, which the generated code assumes for
// all.
func (s *service) listREST(ctx context.Context, req *longrunningpb.ListOperationsRequest, opts []grpc.CallOption) (*longrunningpb.ListOperationsResponse, error) {
	// The generated method has no routing header of its own, so ctx keeps its one.
	ctx = s.Outgoing(ctx, "")
	if name := req.GetName(); name != "operations" && !strings.HasSuffix(name, "/operations") {
		req = proto.CloneOf(req)
		req.Name = strings.TrimPrefix(name+"/operations", "/")
	}
	it := s.client.ListOperations(ctx, req, s.Options(opts, req.GetName())...)
	page, err := gaxcall.Within(ctx, func() (*longrunningpb.ListOperationsResponse, error) { return fetch(it, req) })
	if err != nil {
		return nil, s.Failure(err, opts)
	}
	return page, nil
}
