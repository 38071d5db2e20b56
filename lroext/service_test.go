package lroext

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/computeop"
	"github.com/go-lro/lro/lrotest"
)

func TestListAndDelete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := &lrotest.Server{Filter: func(filter string, op *longrunningpb.Operation) bool {
			return filter == "status != DONE" && !op.GetDone()
		}}
		for i := range 5 {
			srv.Add(fmt.Sprintf("projects/p/zones/z/operations/%d", i))
		}
		srv.Add("projects/p/zones/z/operations/done", lrotest.Succeeded(nil))
		srv.Add("projects/p/global/operations/x")
		client, _ := serve(t, srv)
		var names []string
		for op, err := range client.List(t.Context(), &longrunningpb.ListOperationsRequest{Name: "projects/p/zones/z", PageSize: 2, Filter: "status != DONE"}) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, op.GetName())
		}
		if want := "projects/p/zones/z/operations/0"; len(names) != 5 || names[0] != want {
			t.Errorf("names %q, want 5 from %q", names, want)
		}
		if n := len(srv.Calls(lrotest.ListOperations)); n != 3 {
			t.Errorf("%d calls, want one for each page of 2", n)
		}
		if err := client.Delete(t.Context(), names[0]); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Get(t.Context(), names[0]); status.Code(err) != codes.NotFound {
			t.Errorf("Get of a deleted operation: %v, want NOT_FOUND", err)
		}
		for _, err := range client.List(t.Context(), &longrunningpb.ListOperationsRequest{Name: "operations"}) {
			if status.Code(err) != codes.InvalidArgument {
				t.Errorf("List of no scope: %v, want INVALID_ARGUMENT", err)
			}
		}
	})
}

// A project has its operations in zones, regions and its global scope.
func TestListAggregated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := &lrotest.Server{Filter: func(_ string, op *longrunningpb.Operation) bool { return !op.GetDone() }}
		want := []string{
			"projects/p/global/operations/1", "projects/p/regions/r/operations/2", "projects/p/zones/a/operations/3", "projects/p/zones/b/operations/4",
		}
		for _, name := range want {
			srv.Add(name)
		}
		srv.Add("projects/p/zones/a/operations/done", lrotest.Succeeded(nil))
		srv.Add("projects/q/zones/a/operations/1")
		client, _ := serve(t, srv)
		for _, project := range []string{"projects/p", "projects/p/aggregated", "https://compute.googleapis.com/compute/v1/projects/p/aggregated/operations"} {
			var names []string
			for op, err := range client.List(t.Context(), &longrunningpb.ListOperationsRequest{Name: project, PageSize: 3, Filter: "status != DONE"}) {
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, op.GetName())
			}
			if !slices.Equal(names, want) {
				t.Errorf("List of %q: %q, want %q", project, names, want)
			}
		}
		if _, err := client.Get(t.Context(), "projects/p/aggregated/operations/1"); status.Code(err) != codes.InvalidArgument {
			t.Errorf("Get in no scope: %v, want INVALID_ARGUMENT", err)
		}
	})
}

// A link's host gets nothing: the client's endpoint is called, and a redirect of
// it is not followed.
func TestCredentialsStay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var hosts []string
		redirect := false
		web := lrotest.NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hosts = append(hosts, r.Host)
			if redirect {
				http.Redirect(w, r, "http://evil.example/", http.StatusTemporaryRedirect)
				return
			}
			_, _ = io.WriteString(w, `{"name": "x", "status": "DONE"}`)
		}))
		defer web.Close()
		client := clientOf(t, web.URL, web.Client())
		if _, err := resume(t, client, "https://evil.example/compute/v1/"+zonal).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		redirect = true
		if _, err := resume(t, client, zonal).Poll(t.Context()); err == nil {
			t.Error("Poll succeeded after a redirect")
		}
		for _, host := range hosts {
			if "http://"+host != web.URL {
				t.Errorf("called %s", host)
			}
		}
	})
}

// secret are credentials of a call.
type secret struct{ secure bool }

func (s secret) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer t"}, nil
}
func (s secret) RequireTransportSecurity() bool { return s.secure }

// Outgoing metadata and credentials of the call are headers, and credentials that
// need TLS are not sent without.
func TestHeaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []string
		web := lrotest.NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = append(got, r.Header.Get("Authorization"), strings.Join(r.Header.Values("X-Own-Bin"), " "), r.Header.Get("X-Goog-Request-Params"))
			_, _ = io.WriteString(w, `{"name": "x", "status": "DONE"}`)
		}))
		defer web.Close()
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-own-bin", "\x01")
		for _, secure := range []bool{false, true} {
			client := clientOf(t, web.URL, web.Client(), lro.WithCallOptions(grpc.PerRPCCredentials(secret{secure})))
			if _, err := resume(t, client, zonal).Poll(ctx); secure != (status.Code(err) == codes.Unauthenticated) {
				t.Errorf("Poll with credentials that need TLS %v: %v", secure, err)
			}
		}
		if want := []string{"Bearer t", "AQ", ""}; !slices.Equal(got, want) {
			t.Errorf("headers %q, want %q", got, want)
		}
	})
}

// Answers that are no operation would be one that never ends.
func TestForeignAnswers(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `{"hello": 1}`, `[]`, `<html>`, ``, `{"error": {"code": 503}}`, `{"name": 7}`} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				web := lrotest.NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
				defer web.Close()
				_, err := resume(t, clientOf(t, web.URL, web.Client()), zonal).Poll(t.Context())
				if status.Code(err) != codes.Internal {
					t.Errorf("Poll: %v, want INTERNAL", err)
				}
			})
		})
	}
}

func TestNewHTTPServiceErrors(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "compute.googleapis.com", "ftp://x/", "https://u:p@x/", "https://x/?a=b", "https://x/#f", "://"} {
		if _, err := NewHTTPService[*computeop.Operation](base, nil); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("NewHTTPService(%q): %v, want an error without the password", base, err)
		}
	}
	if _, err := NewHTTPService[*wrapperspb.StringValue]("https://x", nil); err == nil || !strings.Contains(err.Error(), "google.protobuf.StringValue") {
		t.Errorf("NewHTTPService of a StringValue: %v, want an error that names it", err)
	}
	if _, err := Resume[*computeop.Operation](lro.NewClient(Service()), "operations/1"); err == nil {
		t.Error("Resume of a name of google.longrunning succeeded")
	}
}

func TestServiceWithoutScope(t *testing.T) {
	t.Parallel()
	client := lro.NewClient(Service())
	_, err := resume(t, client, zonal).Wait(t.Context())
	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "[project zone]") {
		t.Errorf("Wait: %v, want FAILED_PRECONDITION that says which client is missing", err)
	}
	client = lro.NewClient(Service(Scope{}))
	if _, err = resume(t, client, zonal).Wait(t.Context()); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("Wait: %v, want FAILED_PRECONDITION", err)
	}
}

// The resource is got after the end of its operation, and again while a replica
// does not know it.
func TestResource(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fails codes.Code
		times int
		want  string
	}{
		"at once":         {codes.OK, 0, "vm"},
		"not found twice": {codes.NotFound, 2, "vm"},
		"never found":     {codes.NotFound, 1000, ""},
		"not allowed":     {codes.PermissionDenied, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var srv lrotest.Server
				srv.Add(zonal, lrotest.Running(nil), lrotest.Succeeded(&computeop.Operation{}))
				client, _ := serve(t, &srv)
				calls := 0
				got, err := Resource(t.Context(), resume(t, client, zonal), func(_ context.Context, done *computeop.Operation) (string, error) {
					if calls++; calls <= test.times {
						return "", status.Error(test.fails, "no")
					}
					return "vm", nil
				})
				if got != test.want || (err == nil) != (test.want != "") {
					t.Errorf("Resource = %q, %v, want %q", got, err, test.want)
				}
				if err != nil && status.Code(err) != test.fails {
					t.Errorf("Resource: %v, want code %v", err, test.fails)
				}
				if test.want == "" && test.fails != codes.NotFound && calls != 1 {
					t.Errorf("%d calls, want 1", calls)
				}
			})
		})
	}
	t.Run("failed", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var srv lrotest.Server
			srv.Add(zonal, lrotest.Failed(codes.Aborted, "broken"))
			client, _ := serve(t, &srv)
			_, err := Resource(t.Context(), resume(t, client, zonal), func(context.Context, *computeop.Operation) (string, error) { panic("called") })
			if _, ok := errors.AsType[*lro.OperationError](err); !ok {
				t.Errorf("Resource: %v, want the operation's error", err)
			}
		})
	})
}
