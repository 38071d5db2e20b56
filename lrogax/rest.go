package lrogax

import (
	"context"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// WithPathPrefix sets what stands before the name in the paths of a REST
// client, such as "v1beta1". It stands after the host, so that a path in the
// client's endpoint must be repeated. Default: "v1", after the endpoint. Over
// gRPC it means nothing.
func WithPathPrefix(prefix string) Option {
	return func(s *service) { s.prefix = "/" + strings.Trim(prefix, "/") }
}

// listREST lists below the name: GET /v1/{name}/operations is where the
// services of Google have it, but for the name "operations" of
// google/longrunning/operations.proto, which the generated code assumes for
// all.
func (s *service) listREST(ctx context.Context, req *longrunningpb.ListOperationsRequest, opts []grpc.CallOption) (*longrunningpb.ListOperationsResponse, error) {
	// The generated method has no routing header of its own, so ctx keeps its one.
	ctx = s.outgoing(ctx, "")
	if name := req.GetName(); name != "operations" && !strings.HasSuffix(name, "/operations") {
		req = proto.CloneOf(req)
		req.Name = strings.TrimPrefix(name+"/operations", "/")
	}
	it := s.client.ListOperations(ctx, req, s.options(opts, req.GetName())...)
	type answer struct {
		page *longrunningpb.ListOperationsResponse
		err  error
	}
	answered := make(chan answer, 1)
	go func() { // the generated method sends its request without ctx
		page, err := fetch(it, req)
		answered <- answer{page, err}
	}()
	select {
	case a := <-answered:
		if a.err != nil {
			return nil, s.failure(a.err, opts)
		}
		return a.page, nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}
