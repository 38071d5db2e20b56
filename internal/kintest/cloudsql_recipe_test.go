package kintest

import (
	"context"
	"strings"

	sqladmin "google.golang.org/api/sqladmin/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"github.com/go-lro/lro/lroadapt"
)

// The recipe of docs/kin.md for Cloud SQL.

// sqlOperations are the operations of a project in Cloud SQL, by their IDs.
func sqlOperations(sql *sqladmin.Service, project string) *lroadapt.Client[*sqladmin.Operation, *sqladmin.Operation] {
	return lroadapt.NewClient(lroadapt.Source[*sqladmin.Operation, *sqladmin.Operation]{
		Get: func(ctx context.Context, name string, _ ...grpc.CallOption) (*sqladmin.Operation, error) {
			return sql.Operations.Get(project, name).Context(ctx).Do()
		},
		Cancel: func(ctx context.Context, name string, _ ...grpc.CallOption) error {
			_, err := sql.Operations.Cancel(project, name).Context(ctx).Do()
			return err
		},
		State: func(op *sqladmin.Operation) lroadapt.State[*sqladmin.Operation] {
			return lroadapt.State[*sqladmin.Operation]{Done: op.Status == "DONE", Result: op, Err: sqlError(op.Error)}
		},
	})
}

// sqlError returns what an operation failed with. The codes are Cloud SQL's own.
func sqlError(failed *sqladmin.OperationErrors) error {
	if failed == nil {
		return nil
	}
	var texts []string
	var reasons []protoadapt.MessageV1
	for _, e := range failed.Errors {
		texts = append(texts, e.Code+": "+e.Message)
		reasons = append(reasons, &errdetails.ErrorInfo{Reason: e.Code, Domain: "sqladmin.googleapis.com"})
	}
	st, _ := status.New(codes.Unknown, strings.Join(texts, "; ")).WithDetails(reasons...)
	return st.Err()
}

func createDatabase(ctx context.Context, sql *sqladmin.Service, project string, instance *sqladmin.DatabaseInstance) (*sqladmin.DatabaseInstance, error) {
	started, err := sql.Instances.Insert(project, instance).Context(ctx).Do()
	if err != nil {
		return nil, err
	}
	op, err := sqlOperations(sql, project).Wrap(started.Name, started)
	if err != nil {
		return nil, err
	}
	return lroadapt.Resource(ctx, op, func(ctx context.Context, _ *sqladmin.Operation) (*sqladmin.DatabaseInstance, error) {
		return sql.Instances.Get(project, instance.Name).Context(ctx).Do()
	})
}
