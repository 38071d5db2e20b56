package lrohttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/internal/httperror"
	"github.com/go-lro/lro/internal/rpccode"
)

// Error is what every failed call of a [Client] returns. It has a gRPC status,
// which status.FromError, status.Code and lro.Detail find: the service's own
// where the body of the answer holds one, in the form of AIP-193 or as the
// google.rpc.Status of grpc-gateway. An answer without one, such as the page of
// a proxy, is not believed to be the service's: its code is UNKNOWN, unless the
// HTTP status says that a repetition may help, and the message quotes the body.
type Error struct {
	// Method and URL are those of the request, the URL without password and
	// query. Empty when none could be made.
	Method, URL string
	// StatusCode is the HTTP status; 0 when there was no answer.
	StatusCode int

	status    *status.Status
	cause     error
	permanent bool
}

// Error names the request, the HTTP status, the code and the message.
func (e *Error) Error() string {
	var parts []string
	if e.Method != "" {
		parts = append(parts, e.Method+" "+e.URL)
	}
	if e.StatusCode != 0 {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%d %s", e.StatusCode, http.StatusText(e.StatusCode))))
	}
	parts = append(parts, rpccode.Name(e.status.Code()))
	if text := e.status.Message(); text != "" {
		parts = append(parts, text)
	}
	return strings.Join(parts, ": ")
}

// GRPCStatus returns the status; its code is never OK.
func (e *Error) GRPCStatus() *status.Status { return e.status }

// Permanent reports whether the call would fail again however often it is
// repeated: the answer is larger than the client takes. Waiting ends with it.
func (e *Error) Permanent() bool { return e.permanent }

// Unwrap returns why there was no answer, such as the error of the network or
// of ctx; nil when there was one.
func (e *Error) Unwrap() error { return e.cause }

// Failure gives the error of an HTTP client that has no gRPC status the status that
// [lro.Policy] goes by, for a hand-written [lro.Service] over such a client: a 403
// is PERMISSION_DENIED, which ends a wait, where an error without a status is
// UNKNOWN, which is retried. The result wraps err.
//
// Failure understands every error with, or around one with
//
//   - an exported field Code, StatusCode or HTTPStatusCode of type int, or a method
//     HTTPStatusCode or HTTPCode, that is an HTTP status from 300 to 599, with its
//     fields Message, Status, Details, Body and Header, such as googleapi.Error,
//     genai.APIError and AWS's ResponseError. A Body in the form of AIP-193 takes
//     precedence;
//   - an exported field Response or RawResponse of type *http.Response;
//   - no answer: a *url.Error, net.Error or io.ErrUnexpectedEOF is UNAVAILABLE, a
//     timeout DEADLINE_EXCEEDED, the end of a context its own code.
//
// Errors that have a gRPC status, and all others, are returned as they are, and nil
// is nil. The headers of the answer, such as Retry-After, go where opts want them:
// pass the options of the call.
func Failure(err error, opts ...grpc.CallOption) error { return httperror.Failure(err, opts) }

// newError makes an error of a request that was not sent.
func newError(code codes.Code, format string, args ...any) *Error {
	return &Error{status: status.Newf(code, format, args...)}
}

// transportError makes an error of a request that has no complete answer.
func transportError(ctx context.Context, err error) *Error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // its text repeats method and URL
	}
	if ended := ctx.Err(); ended != nil {
		return &Error{status: status.FromContextError(ended), cause: ended}
	}
	code := codes.Unavailable
	if errors.Is(err, context.DeadlineExceeded) {
		code = codes.DeadlineExceeded // http.Client.Timeout
	}
	return &Error{status: status.New(code, err.Error()), cause: err}
}
