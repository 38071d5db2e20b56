package kintest

import (
	"context"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	sqladmin "google.golang.org/api/sqladmin/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lroext"
)

// The recipe of docs/kin.md for Cloud SQL.

// sqlService has the operations of a project in Cloud SQL, by their IDs.
type sqlService struct {
	operations *sqladmin.OperationsService
	project    string
}

func (s sqlService) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	op, err := s.operations.Get(s.project, req.GetName()).Context(ctx).Do()
	if err != nil {
		return nil, restError(err)
	}
	return sqlState(op)
}

func sqlState(op *sqladmin.Operation) (*longrunningpb.Operation, error) {
	packed, err := pack(op)
	state := &longrunningpb.Operation{Name: op.Name, Metadata: packed, Done: op.Status == "DONE"}
	if state.Done {
		state.Result = &longrunningpb.Operation_Response{Response: packed}
	}
	if state.Done && op.Error != nil {
		var texts []string
		failed := &spb.Status{Code: int32(codes.Unknown)}
		for _, e := range op.Error.Errors {
			texts = append(texts, e.Code+": "+e.Message)
			info, _ := anypb.New(&errdetails.ErrorInfo{Reason: e.Code, Domain: "sqladmin.googleapis.com"})
			failed.Details = append(failed.Details, info)
		}
		failed.Message = strings.Join(texts, "; ")
		state.Result = &longrunningpb.Operation_Error{Error: failed}
	}
	return state, err
}

func (s sqlService) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest, _ ...grpc.CallOption) (*emptypb.Empty, error) {
	_, err := s.operations.Cancel(s.project, req.GetName()).Context(ctx).Do()
	return &emptypb.Empty{}, restError(err)
}

var sqlMethod lro.Method[*structpb.Struct, *structpb.Struct]

func createDatabase(ctx context.Context, client *lro.Client, sql *sqladmin.Service, project string, instance *sqladmin.DatabaseInstance) (*sqladmin.DatabaseInstance, error) {
	started, err := sql.Instances.Insert(project, instance).Context(ctx).Do()
	if err != nil {
		return nil, err
	}
	state, err := sqlState(started)
	if err != nil {
		return nil, err
	}
	op, err := sqlMethod.Wrap(client, state)
	if err != nil {
		return nil, err
	}
	return lroext.Resource(ctx, op, func(ctx context.Context, _ *structpb.Struct) (*sqladmin.DatabaseInstance, error) {
		return sql.Instances.Get(project, instance.Name).Context(ctx).Do()
	})
}
