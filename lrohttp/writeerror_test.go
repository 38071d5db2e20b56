package lrohttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/lrohttp"
)

// tooLarge is an error with an HTTP status of its own.
type tooLarge struct{ error }

func (tooLarge) HTTPStatus() int { return http.StatusRequestEntityTooLarge }

func (e tooLarge) Unwrap() error { return e.error }

func TestWriteError(t *testing.T) {
	t.Parallel()
	retry, err := anypb.New(&errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		err    error
		code   int
		want   string // part of the body
		header string // such as "Retry-After: 2"
	}{
		{status.Error(codes.NotFound, "no book"), 404, `"message":"no book","status":"NOT_FOUND"`, "Cache-Control: no-store"},
		{status.Error(codes.Unauthenticated, "who?"), 401, `"code":401`, "Www-Authenticate: Bearer"},
		{context.DeadlineExceeded, 504, `"DEADLINE_EXCEEDED"`, ""},
		{errors.New("plain"), 500, `"message":"plain","status":"UNKNOWN"`, ""},
		{fmt.Errorf("read: %w", tooLarge{status.Error(codes.InvalidArgument, "too large")}), 413, `"code":413`, ""},
		{status.ErrorProto(&spb.Status{Code: 14, Message: "m", Details: []*anypb.Any{retry}}), 503, `"retryDelay":"1.500s"`, "Retry-After: 2"},
		{status.ErrorProto(&spb.Status{Code: 9, Message: "m", Details: []*anypb.Any{{TypeUrl: "a/nobody.Knows"}}}), 400, `nobody.Knows`, ""},
	} {
		w := httptest.NewRecorder()
		lrohttp.WriteError(w, tt.err)
		if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("WriteError(%v) = %d %s, want %d with %s", tt.err, w.Code, w.Body, tt.code, tt.want)
		}
		if name, value, ok := strings.Cut(tt.header, ": "); ok && w.Header().Get(name) != value {
			t.Errorf("WriteError(%v): header %v, want %s", tt.err, w.Header(), tt.header)
		}
	}
}
