package lroext

import (
	"context"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/gaxcall"
)

// requestIDField makes a method start one operation however often it is called
// with the same value. 483 of Compute's 503 methods that start operations have
// it.
const requestIDField = "request_id"

// Start starts an operation, once, in spite of answers that are lost; see
// [lro.Method.Start] for what is repeated, and for errors. call is a generated
// method and req its request:
//
//	op, err := lroext.Start(ctx, client, instances.Insert, &computepb.InsertInstanceRequest{…})
//
// req is not modified. Its request_id is used if it is set, else a random one. A
// method whose request has no such field is called as [lro.WithoutRequestID]
// describes. The operation's name is made of its links, else of the fields of req
// that [StartedBy] uses. Its method is the RPC whose request is a Req.
func Start[Req, Op proto.Message, W Generated[Op]](ctx context.Context, c *lro.Client, call func(context.Context, Req, ...gax.CallOption) (W, error), req Req, opts ...lro.StartOption) (*lro.Operation[Op, Op], error) {
	md := req.ProtoReflect().Descriptor()
	id := md.Fields().ByName(requestIDField)
	switch {
	case id == nil || id.Kind() != protoreflect.StringKind:
		id = nil
		opts = append([]lro.StartOption{lro.WithoutRequestID()}, opts...)
	case req.ProtoReflect().Get(id).String() != "":
		opts = append([]lro.StartOption{lro.WithRequestID(req.ProtoReflect().Get(id).String())}, opts...)
	}
	var m lro.Method[Op, Op]
	for rpc := range rpcsOf(md) {
		if rpc.Input() == md {
			m.Name = string(rpc.FullName())
		}
	}
	return m.Start(ctx, c, func(ctx context.Context, requestID string, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
		req := proto.CloneOf(req)
		if id != nil && requestID != "" {
			req.ProtoReflect().Set(id, protoreflect.ValueOfString(requestID))
		}
		started, err := call(ctx, req)
		if err != nil {
			return nil, gaxcall.Transport{REST: true}.Failure(err, opts)
		}
		return Proto(started, startedBy(req))
	}, opts...)
}
