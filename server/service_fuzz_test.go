package server_test

import (
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
)

// Whatever a caller sends, the answer is a proper one, and the operation that
// was not meant stays as it is.
func FuzzService(f *testing.F) {
	k, kinds := one(simKind{}, echo)
	r := newRig(f, rigOptions{kinds: kinds, idle: true, config: server.Config{Parent: "projects/p"}})
	op := r.start(f, k, nil, nil)
	service := r.srv.Operations()
	for _, seed := range []struct{ name, filter, token, kind, id string }{
		{"operations/x", "done:true", "", "sim", ""},
		{"projects/p/operations/../x", "(", "AQ", "none", "\x00"},
		{"", "metadata.state=RUNNING OR kind=sim", "zzzz", "", "id"},
		{"projects/-", `name:"*"`, "", "sim", "\xff"},
	} {
		f.Add(seed.name, seed.filter, seed.token, seed.kind, seed.id, int64(0), int32(0), int32(10))
	}
	allowed := map[codes.Code]bool{codes.OK: true, codes.InvalidArgument: true, codes.NotFound: true}
	f.Fuzz(func(t *testing.T, name, filter, page, kind, id string, seconds int64, nanos, size int32) {
		ctx, ops := t.Context(), service
		calls := map[string]error{}
		_, calls["get"] = ops.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
		_, calls["list"] = ops.ListOperations(ctx, &longrunningpb.ListOperationsRequest{Name: name, Filter: filter, PageToken: page, PageSize: size})
		_, calls["list all"] = ops.ListOperations(ctx, &longrunningpb.ListOperationsRequest{Name: "-", Filter: filter})
		if name != op.GetName() {
			_, calls["wait"] = ops.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: name, Timeout: &durationpb.Duration{Seconds: seconds, Nanos: nanos}})
			_, calls["cancel"] = ops.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: name})
			_, calls["delete"] = ops.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: name})
		}
		_, calls["start"] = r.srv.Starter().StartOperation(ctx, &lropb.StartOperationRequest{Kind: kind, Parent: name, RequestId: id})
		for call, err := range calls {
			if !allowed[status.Code(err)] {
				t.Errorf("%s = %v, want OK, INVALID_ARGUMENT or NOT_FOUND", call, err)
			}
			if _, err := proto.Marshal(status.Convert(err).Proto()); err != nil {
				t.Errorf("the error of %s cannot be sent: %v", call, err)
			}
		}
		if now, err := ops.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: op.GetName()}); err != nil || !proto.Equal(now, op) {
			t.Errorf("GetOperation of the other one = %v, %v, want it unchanged", now, err)
		}
	})
}
