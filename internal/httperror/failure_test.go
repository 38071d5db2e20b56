package httperror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
)

// The errors of clients that others wrote, in their forms.
type (
	googleapiError struct { // google.golang.org/api/googleapi.Error
		Code    int
		Message string
		Details []any
		Body    string
		Header  http.Header
	}
	genaiError struct { // google.golang.org/genai.APIError
		Code    int
		Message string
		Status  string
		Details []map[string]any
	}
	responseError struct{ Response *http.Response } // as of go-github
	smithyError   struct{ code int }                // as of AWS
	databaseError struct{ Code int }                // of no HTTP
)

func (e *googleapiError) Error() string    { return e.Message }
func (e genaiError) Error() string         { return e.Message }
func (e *responseError) Error() string     { return e.Response.Status }
func (e *smithyError) Error() string       { return "smithy" }
func (e *smithyError) HTTPStatusCode() int { return e.code }
func (e databaseError) Error() string      { return "no table" }

func TestFailure(t *testing.T) {
	t.Parallel()
	header := http.Header{"Retry-After": {"7"}}
	known := status.Error(codes.NotFound, "gone")
	for name, tt := range map[string]struct {
		err     error
		code    codes.Code
		message string // not checked if empty
	}{
		"googleapi":         {&googleapiError{Code: 403, Message: "no"}, codes.PermissionDenied, "no"},
		"googleapi, body":   {&googleapiError{Code: 409, Message: "no", Body: detailsBody, Header: header}, codes.AlreadyExists, "at once"},
		"googleapi, a page": {&googleapiError{Code: 502, Body: "<title>Bad Gateway</title>"}, codes.Unavailable, "HTTP status 502 Bad Gateway"},
		"genai":             {genaiError{Code: 403, Message: "no", Status: "PERMISSION_DENIED"}, codes.PermissionDenied, "no"},
		"genai, status":     {genaiError{Code: 400, Message: "m", Status: "FAILED_PRECONDITION"}, codes.FailedPrecondition, "m"},
		"genai, details": {genaiError{Code: 409, Message: "m", Status: "ALREADY_EXISTS", Details: []map[string]any{
			{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "TWICE"},
		}}, codes.AlreadyExists, "m"},
		"wrapped":       {fmt.Errorf("get: %w", genaiError{Code: 404, Message: "m"}), codes.NotFound, "m"},
		"joined":        {errors.Join(io.EOF, genaiError{Code: 404}), codes.NotFound, "HTTP status 404 Not Found"},
		"response":      {&responseError{&http.Response{StatusCode: 429, Header: header}}, codes.ResourceExhausted, ""},
		"smithy":        {&smithyError{503}, codes.Unavailable, ""},
		"has a status":  {fmt.Errorf("get: %w", known), codes.NotFound, ""},
		"no HTTP":       {databaseError{1146}, codes.Unknown, ""},
		"no connection": {&url.Error{Op: "Get", Err: &net.OpError{Op: "dial", Err: errors.New("refused")}}, codes.Unavailable, ""},
		"broken off":    {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), codes.Unavailable, ""},
		"timeout":       {&url.Error{Op: "Get", Err: context.DeadlineExceeded}, codes.DeadlineExceeded, ""},
		"cancelled":     {&url.Error{Op: "Get", Err: context.Canceled}, codes.Canceled, ""},
		"of a program":  {errors.New("cannot decode"), codes.Unknown, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got metadata.MD
			err := Failure(tt.err, []grpc.CallOption{grpc.Header(&got)})
			if st := status.Convert(err); st.Code() != tt.code || tt.message != "" && st.Message() != tt.message {
				t.Errorf("Failure(%#v): %v, want %v %q", tt.err, st, tt.code, tt.message)
			}
			if !errors.Is(err, tt.err) && err.Error() != tt.err.Error() {
				t.Errorf("Failure(%#v) = %v, want that it wraps the error", tt.err, err)
			}
			if info, ok := lro.Detail[*errdetails.ErrorInfo](err); ok != (tt.code == codes.AlreadyExists) || ok && info.GetReason() != "TWICE" {
				t.Errorf("Failure(%#v): detail %v, %t", tt.err, info, ok)
			}
			if wants := name == "googleapi, body" || name == "response"; wants != (len(got["retry-after"]) == 1) {
				t.Errorf("Failure(%#v): header %v", tt.err, got)
			}
		})
	}
	if Failure(nil, nil) != nil {
		t.Error("Failure(nil) is an error")
	}
}

const detailsBody = `{"error": {"code": 409, "message": "at once", "status": "ALREADY_EXISTS", "details": [
	{"@type": "type.googleapis.com/nobody.Knows", "a": 1},
	{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "TWICE", "domain": "test"}
]}}`

func FuzzStatusOf(f *testing.F) {
	for _, body := range []string{detailsBody, "[" + detailsBody + "]", `{"error":"x"}`, `[]`, `[1]`, `null`, `{"error":{"details":[null,1,{"@type":""}]}}`, "\xff"} {
		f.Add(404, "", body)
	}
	f.Add(0, "m", `{"error":{"status":"OK"}}`)
	f.Fuzz(func(t *testing.T, httpCode int, message, body string) {
		st := StatusOf(httpCode, message, []byte(body))
		if st.Code() == codes.OK {
			t.Errorf("StatusOf(%d, %q, %q): got OK", httpCode, message, body)
		}
		_ = st.Err().Error()
	})
}
