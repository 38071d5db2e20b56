package kintest

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"

	"google.golang.org/api/option"
	sqladmin "google.golang.org/api/sqladmin/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lrotest"
)

// newSQL returns Cloud SQL's own client of a fake that plays a script, and what
// is called to cancel an operation.
func newSQL(t *testing.T, s *script, onCancel func()) *sqladmin.Service {
	t.Helper()
	const (
		state = `{"kind": "sql#operation", "name": "op-1", "targetProject": "p", "operationType": "CREATE", "status": `
		pages = "/v1/projects/p/operations/op-1"
	)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/projects/p/instances", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, state+`"PENDING"}`)
	})
	mux.HandleFunc("GET /v1/projects/p/instances/db", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, `{"name": "db", "connectionName": "p:us-central1:db"}`)
	})
	mux.HandleFunc("POST "+pages+"/cancel", func(w http.ResponseWriter, _ *http.Request) {
		onCancel()
		reply(w, http.StatusOK, `{}`)
	})
	mux.HandleFunc("GET "+pages, func(w http.ResponseWriter, _ *http.Request) {
		s.serve(w, "op-1", map[answer]string{
			running:   state + `"RUNNING"}`,
			succeeded: state + `"DONE", "targetId": "db"}`,
			failed: state + `"DONE", "error": {"kind": "sql#operationErrors", "errors": [
				{"kind": "sql#operationError", "code": "ERROR_RDBMS", "message": "out of disk"},
				{"kind": "sql#operationError", "code": "INTERNAL_ERROR", "message": "rolled back"}]}}`,
		})
	})
	web := lrotest.NewHTTPServer(mux)
	t.Cleanup(web.Close)
	return must(sqladmin.NewService(t.Context(), option.WithEndpoint(web.URL), option.WithHTTPClient(web.Client())))
}

func TestCloudSQL(t *testing.T) {
	t.Parallel()
	want := expected{"op-1", "p:us-central1:db", codes.Unknown, "ERROR_RDBMS: out of disk; INTERNAL_ERROR: rolled back"}
	testRecipe(t, want, func(t *testing.T, s *script) recipe {
		sql := newSQL(t, s, nil)
		client := sqlOperations(sql, "p")
		return recipe{
			start: func(ctx context.Context) (string, error) {
				instance, err := createDatabase(ctx, sql, "p", &sqladmin.DatabaseInstance{Name: "db"})
				if err != nil {
					return "", err
				}
				return instance.ConnectionName, nil
			},
			resume: func(ctx context.Context, name string) (string, error) {
				op, err := client.Resume(name)
				if err != nil {
					return "", err
				}
				done, err := op.Wait(ctx)
				if err != nil {
					return "", err
				}
				if done.TargetId != "db" || done.OperationType != "CREATE" {
					t.Errorf("the result is %+v, want the operation", done)
				}
				return want.result, nil
			},
		}
	})
}

func TestCloudSQLReason(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cancelled := false
		sql := newSQL(t, &script{steps: []answer{running, failed}}, func() { cancelled = true })
		op := must(sqlOperations(sql, "p").Resume("op-1"))
		if _, err := op.Cancel(t.Context()); err != nil || !cancelled {
			t.Errorf("cancelled %t, %v", cancelled, err)
		}
		_, err := op.Wait(t.Context())
		if info, ok := lro.Detail[*errdetails.ErrorInfo](err); !ok || info.GetReason() != "ERROR_RDBMS" {
			t.Errorf("reason of %v: %q, want ERROR_RDBMS", err, info.GetReason())
		}
	})
}
