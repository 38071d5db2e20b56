package lrogax

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
)

const detailsBody = `{"error": {"code": 409, "message": "at once", "status": "ALREADY_EXISTS", "details": [
	{"@type": "type.googleapis.com/nobody.Knows", "a": 1},
	{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "TWICE", "domain": "test"}
]}}`

func TestRESTErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		code    int
		body    string
		want    codes.Code
		message string
		reason  string // of the ErrorInfo
	}{
		{"AIP-193", 409, detailsBody, codes.AlreadyExists, "at once", "TWICE"},
		{"list of one", 409, "[" + detailsBody + "]", codes.AlreadyExists, "at once", "TWICE"},
		{"without status", 404, `{"error": {"code": 404, "message": "no"}}`, codes.NotFound, "no", ""},
		{"strange status", 403, `{"error": {"status": "NO_SUCH_CODE"}}`, codes.PermissionDenied, "HTTP status 403 Forbidden", ""},
		{"status OK", 500, `{"error": {"status": "OK", "message": "fine"}}`, codes.Internal, "fine", ""},
		{"cancelled", 499, ``, codes.Canceled, "HTTP status 499", ""},
		{"proxy", 502, `<html>bad gateway</html>`, codes.Unavailable, "HTTP status 502 Bad Gateway", ""},
		{"empty", 503, ``, codes.Unavailable, "HTTP status 503 Service Unavailable", ""},
		{"error is a text", 400, `{"error": "invalid_grant"}`, codes.InvalidArgument, "HTTP status 400 Bad Request", ""},
		{"empty list", 429, `[]`, codes.ResourceExhausted, "HTTP status 429 Too Many Requests", ""},
		{"no redirect", 304, ``, codes.Unknown, "HTTP status 304 Not Modified", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, _ := serveREST(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.code)
				_, _ = io.WriteString(w, test.body)
			})
			_, err := New(client).GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: testName})
			st, ok := status.FromError(err)
			if !ok || st.Code() != test.want || st.Message() != test.message {
				t.Errorf("status.FromError(%v): got %v, want %v %q", err, st, test.want, test.message)
			}
			info, _ := lro.Detail[*errdetails.ErrorInfo](err)
			if info.GetReason() != test.reason {
				t.Errorf("lro.Detail(%v): got %v, want reason %q", err, info, test.reason)
			}
			generated, ok := errors.AsType[*apierror.APIError](err)
			if !ok || generated.HTTPCode() != test.code {
				t.Errorf("errors.AsType[*apierror.APIError](%v): got %v, want HTTP status %d", err, generated, test.code)
			}
		})
	}
}

func TestRESTRetryAfter(t *testing.T) {
	t.Parallel()
	client, _ := serveREST(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	for _, s := range []lro.Service{New(client), Service(&whole{client, nil})} {
		var header, trailer metadata.MD
		_, err := s.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: testName}, grpc.Trailer(&trailer), grpc.Header(&header))
		if got := header.Get("retry-after"); status.Code(err) != codes.Unavailable || len(got) != 1 || got[0] != "7" {
			t.Errorf("GetOperation of %T: got retry-after %q, %v, want 7, UNAVAILABLE", s, got, err)
		}
	}
}

func TestRESTWithoutAnswer(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	defer close(hang)
	ended, end := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer end()
	for _, test := range []struct {
		name    string
		ctx     context.Context
		handler http.HandlerFunc
		want    codes.Code
	}{
		{"connection breaks", t.Context(), func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, codes.Unavailable},
		{"body breaks off", t.Context(), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"name":`)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, codes.Unavailable},
		{"deadline", ended, func(http.ResponseWriter, *http.Request) { <-hang }, codes.DeadlineExceeded},
		{"no JSON", t.Context(), func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, codes.Internal},
		{"nothing", t.Context(), func(http.ResponseWriter, *http.Request) {}, codes.Internal},
		{"huge and wrong", t.Context(), func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) }, codes.Internal},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, _ := serveREST(t, test.handler)
			op, err := New(client).GetOperation(test.ctx, &longrunningpb.GetOperationRequest{Name: testName})
			if op != nil || status.Code(err) != test.want {
				t.Errorf("GetOperation: got %v, %v, want %v", op, err, test.want)
			}
		})
	}
}
