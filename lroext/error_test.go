package lroext

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/computeop"
	"github.com/go-lro/lro/lrotest"
)

func entry(code, message string, details ...*computeop.ErrorDetails) *computeop.Errors {
	e := &computeop.Errors{ErrorDetails: details}
	if code != "" {
		e.Code = &code
	}
	if message != "" {
		e.Message = &message
	}
	return e
}

// D19: an operation that failed with an HTTP status or a text alone lost its
// class in Python, and with error.errors alone it was a success, there and in
// Go's generated client.
func TestD19Errors(t *testing.T) {
	t.Parallel()
	quota := entry("QUOTA_EXCEEDED", "Quota 'CPUS' exceeded.",
		&computeop.ErrorDetails{ErrorInfo: &computeop.ErrorInfo{Reason: new("CPUS"), Domain: new("compute.googleapis.com"), Metadatas: map[string]string{"limit": "24"}}},
		&computeop.ErrorDetails{Help: &computeop.Help{Links: []*computeop.HelpLink{{Description: new("d"), Url: new("u")}}}},
		&computeop.ErrorDetails{LocalizedMessage: &computeop.LocalizedMessage{Locale: new("de"), Message: new("voll")}})
	for name, test := range map[string]struct {
		op      *computeop.Operation
		code    codes.Code // OK for a success
		message string
	}{
		"nothing":            {&computeop.Operation{}, codes.OK, ""},
		"HTTP 200":           {&computeop.Operation{HttpErrorStatusCode: proto.Int32(200), HttpErrorMessage: new("OK")}, codes.OK, ""},
		"code alone":         {&computeop.Operation{HttpErrorStatusCode: proto.Int32(404)}, codes.NotFound, "HTTP status 404 Not Found"},
		"unknown code alone": {&computeop.Operation{HttpErrorStatusCode: proto.Int32(2112)}, codes.Unknown, "HTTP status 2112"},
		"message alone":      {&computeop.Operation{HttpErrorMessage: new("BAD REQUEST")}, codes.Unknown, "BAD REQUEST"},
		"code and message":   {&computeop.Operation{HttpErrorStatusCode: proto.Int32(400), HttpErrorMessage: new("BAD REQUEST")}, codes.InvalidArgument, "BAD REQUEST"},
		"errors alone": {&computeop.Operation{Error: &computeop.Error{Errors: []*computeop.Errors{entry("A", "first"), entry("B", "second")}}},
			codes.Unknown, "A: first; B: second"},
		"errors and 200": {&computeop.Operation{HttpErrorStatusCode: proto.Int32(200), Error: &computeop.Error{Errors: []*computeop.Errors{entry("A", "")}}}, codes.Unknown, "A"},
		"all": {&computeop.Operation{HttpErrorStatusCode: proto.Int32(403), HttpErrorMessage: new("FORBIDDEN"), Error: &computeop.Error{Errors: []*computeop.Errors{quota}}},
			codes.PermissionDenied, "QUOTA_EXCEEDED: Quota 'CPUS' exceeded."},
		"exists": {&computeop.Operation{HttpErrorStatusCode: proto.Int32(409), Error: &computeop.Error{Errors: []*computeop.Errors{entry("RESOURCE_ALREADY_EXISTS", "x")}}},
			codes.AlreadyExists, "RESOURCE_ALREADY_EXISTS: x"},
		"conflict":    {&computeop.Operation{HttpErrorStatusCode: proto.Int32(409)}, codes.Aborted, "HTTP status 409 Conflict"},
		"cancelled":   {&computeop.Operation{HttpErrorStatusCode: proto.Int32(499)}, codes.Canceled, "HTTP status 499"},
		"empty entry": {&computeop.Operation{Error: &computeop.Error{Errors: []*computeop.Errors{{}}}}, codes.Unknown, "error without a code or message"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var srv lrotest.Server
				srv.Add(zonal, lrotest.Succeeded(test.op))
				client, _ := serve(t, &srv)
				op := resume(t, client, zonal)
				done, err := op.Wait(t.Context())
				if test.code == codes.OK {
					if err != nil || done.GetName() != "x" {
						t.Errorf("Wait = %v, %v, want a success", done, err)
					}
					return
				}
				failed, ok := errors.AsType[*lro.OperationError](err)
				if !ok || failed.Code() != test.code || failed.Message() != test.message {
					t.Fatalf("Wait: %v, want an *OperationError of code %v and message %q", err, test.code, test.message)
				}
				if op.Snapshot().Cancelled() != (test.code == codes.Canceled) {
					t.Errorf("Cancelled() = %v", op.Snapshot().Cancelled())
				}
				if m, ok := op.Metadata(); !ok || m.GetName() != "x" {
					t.Errorf("metadata %v, want the operation", m)
				}
			})
		})
	}
	t.Run("details", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var srv lrotest.Server
			srv.Add(zonal, lrotest.Failed(codes.ResourceExhausted, "full", quota))
			client, _ := serve(t, &srv)
			_, err := resume(t, client, zonal).Wait(t.Context())
			if status.Code(err) != codes.ResourceExhausted {
				t.Errorf("Wait: %v, want RESOURCE_EXHAUSTED", err)
			}
			got, _ := lro.Detail[*computeop.Errors](err)
			if diff := cmp.Diff(quota, got, protocmp.Transform()); diff != "" {
				t.Errorf("entry (-want +got):\n%s", diff)
			}
			info, _ := lro.Detail[*errdetails.ErrorInfo](err)
			want := &errdetails.ErrorInfo{Reason: "CPUS", Domain: "compute.googleapis.com", Metadata: map[string]string{"limit": "24"}}
			if diff := cmp.Diff(want, info, protocmp.Transform()); diff != "" {
				t.Errorf("ErrorInfo (-want +got):\n%s", diff)
			}
			if help, _ := lro.Detail[*errdetails.Help](err); len(help.GetLinks()) != 1 || help.GetLinks()[0].GetUrl() != "u" {
				t.Errorf("Help %v", help)
			}
			if text, _ := lro.Detail[*errdetails.LocalizedMessage](err); text.GetMessage() != "voll" {
				t.Errorf("LocalizedMessage %v", text)
			}
		})
	})
}

// D19: Python's cancelled() is true for whichever operation was asked to be
// cancelled, also where it succeeded. Compute cannot cancel at all.
func TestD19CancelledIsWhatHappened(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		srv.Add(zonal, lrotest.Running(running(1)), lrotest.Succeeded(nil))
		client, _ := serve(t, &srv)
		op := resume(t, client, zonal)
		if took, err := op.Cancel(t.Context()); took || status.Code(err) != codes.Unimplemented {
			t.Errorf("Cancel = %v, %v, want UNIMPLEMENTED", took, err)
		}
		if _, err := op.Wait(t.Context()); err != nil || op.Snapshot().Cancelled() {
			t.Errorf("Wait: %v, cancelled %v, want a success", err, op.Snapshot().Cancelled())
		}
	})
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		srv.Add(zonal, lrotest.Succeeded(&computeop.Operation{Warnings: []*computeop.Warning{{Code: new("NO_RESULTS_ON_PAGE"), Message: new("w")}}}))
		client, _ := serve(t, &srv)
		done, err := resume(t, client, zonal).Wait(t.Context())
		if err != nil || len(done.GetWarnings()) != 1 || done.GetWarnings()[0].GetMessage() != "w" {
			t.Errorf("Wait = %v, %v, want the warning", done, err)
		}
	})
}
