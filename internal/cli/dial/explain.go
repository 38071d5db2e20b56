package dial

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/internal/httperror"
	"github.com/go-lro/lro/lrohttp"
)

// Explain says what was tried, what came back and what to do next. Nil stays
// nil, and an error without a status keeps its own words.
func (s *Service) Explain(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil && exit.OfCause(ctx) != exit.Unknown {
		return fmt.Errorf("%s at %s: %w", what, s.Target, context.Cause(ctx))
	}
	st, ok := errors.AsType[interface {
		error
		GRPCStatus() *status.Status
	}](err)
	if !ok {
		return fmt.Errorf("%s at %s: %w", what, s.Target, err)
	}
	text := fmt.Sprintf("%s at %s: %s", what, s.Target, Describe(st.GRPCStatus()))
	next := s.hint(err, st.GRPCStatus())
	if NoSuchPath(err) {
		next = wrongPath
	}
	return exit.Hint(explained{text, err}, next)
}

// wrongPath is the hint where a web server answers and serves no operations.
const wrongPath = "there are no operations at this path: is the path of --url right?"

// ExplainOperation is Explain of a call about one operation, such as "get".
func (s *Service) ExplainOperation(ctx context.Context, verb, name string, err error) error {
	err = s.Explain(ctx, fmt.Sprintf("%s operation %q", verb, name), err)
	code := status.Code(err)
	if ctx.Err() != nil {
		return err
	}
	if s.NotServed(ctx, err, func(ctx context.Context, c longrunningpb.OperationsClient) error {
		ctx, cancel := context.WithTimeout(ctx, hintTime)
		defer cancel()
		_, err := c.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
		return err
	}) {
		return exit.Hint(err, wrongPath)
	}
	if !strings.Contains(name, "/") && (code == codes.NotFound || code == codes.InvalidArgument) && s.has(ctx, "operations/"+name) {
		return exit.Hint(err, "did you mean "+term.Quote("operations/"+name)+"?")
	}
	if (code == codes.NotFound || code == codes.InvalidArgument && !strings.Contains(name, "/")) && exit.HintOf(err) == "" {
		return exit.Hint(err, "lro list shows the operations that the service knows")
	}
	return err
}

// has reports whether the service knows an operation. Some services have names
// without a collection, where a guess that adds one would mislead.
func (s *Service) has(ctx context.Context, name string) bool {
	ctx, cancel := context.WithTimeout(ctx, hintTime)
	defer cancel()
	_, err := s.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
	return err == nil
}

// hintTime bounds a call that is only made to give a better hint.
const hintTime = 2 * time.Second

// NoSuchPath reports whether err is the answer of a web server that has nothing
// at the path of the call, rather than that of a service that does not know what
// the call is about.
func NoSuchPath(err error) bool {
	answer, ok := errors.AsType[*lrohttp.Error](err)
	if !ok || answer.StatusCode != http.StatusNotFound {
		return false
	}
	if info, ok := lro.Detail[*errdetails.ErrorInfo](answer); ok {
		return info.GetReason() == "PATH_NOT_FOUND" // of lrohttp's own handler
	}
	// So a client words an answer that holds no google.rpc.Status, and Go's
	// http.NotFound its own.
	message := answer.GRPCStatus().Message()
	return strings.HasPrefix(message, "the answer ") || message == "404 page not found"
}

// Describe returns a status as one text: its code and its message.
func Describe(st *status.Status) string {
	text := CodeName(st.Code())
	if message := plain(st.Message()); message != "" {
		text += ": " + message
	}
	return text
}

// explained is an error in other words.
type explained struct {
	text string
	err  error
}

func (e explained) Error() string { return e.text }
func (e explained) Unwrap() error { return e.err }

// CodeName returns the canonical name of the code of an error, such as
// NOT_FOUND. An error whose code is 0 is UNKNOWN, as in package lro.
func CodeName(c codes.Code) string {
	switch c {
	case codes.OK:
		return CodeName(codes.Unknown)
	case codes.Canceled:
		return "CANCELLED" // as google.rpc.Code spells it
	}
	var b strings.Builder
	for i, r := range c.String() {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}

// plain takes grpc-go's wrapping off the reason of a connection that failed, and
// the bytes off that of a client of HTTP which met gRPC.
func plain(message string) string {
	if isGRPC(message) {
		return "the answer is HTTP/2, as for gRPC, and not HTTP/1.1"
	}
	if tooLarge(message) {
		message, _, _ = strings.Cut(message, "; raise ") // tells programs how
	}
	rest, ok := strings.CutPrefix(message, "connection error: desc = ")
	if !ok {
		return message
	}
	rest = strings.Trim(rest, `"`)
	return strings.TrimPrefix(rest, "transport: ")
}

// isGRPC reports whether net/http met the first frame of HTTP/2, SETTINGS,
// where an answer of HTTP/1.1 was due.
func isGRPC(message string) bool {
	return strings.Contains(message, `malformed HTTP response "\x00\x00`)
}

// answered reports whether a status comes from the service, rather than from
// the connection to it. Over gRPC only details tell: those of a connection that
// failed have none.
func answered(err error, st *status.Status) bool {
	if answer, ok := errors.AsType[*lrohttp.Error](err); ok && answer.StatusCode != 0 {
		// So a client words an answer that holds no google.rpc.Status, as of a
		// proxy before a service that is down.
		return !strings.HasPrefix(st.Message(), "the answer ")
	}
	if _, ok := errors.AsType[*httperror.AnswerError](err); ok {
		return true // of Compute
	}
	return len(st.Proto().GetDetails()) > 0
}

// hint says what to do about a status.
func (s *Service) hint(err error, st *status.Status) string {
	message := st.Message()
	switch {
	case isGRPC(message):
		return "that port speaks gRPC: give --addr HOST:PORT --plaintext instead of --url"
	case s.nowhere != nil && (strings.Contains(message, "first record does not look like a TLS handshake") || strings.Contains(message, "server gave HTTP response to HTTPS client")):
		return "the service does not use TLS: if that is intended, begin --url with http://"
	case s.nowhere != nil && strings.Contains(message, "HTTP request to an HTTPS server"):
		return "the service uses TLS: begin --url with https://"
	case strings.Contains(message, "first record does not look like a TLS handshake"):
		return "the service does not use TLS: if that is intended, add --plaintext"
	case strings.Contains(message, "certificate"):
		return "--ca FILE sets the certificates to trust, --cert and --key the client's own"
	case strings.Contains(message, "error reading server preface"):
		return "the service does not speak gRPC in plain text here: leave --plaintext out, or use --url for HTTP/JSON"
	}
	switch st.Code() {
	case codes.ResourceExhausted:
		if tooLarge(message) {
			return "--max-message MIB raises the limit"
		}
	case codes.Unavailable:
		if answered(err, st) {
			return ""
		}
		return "is the service running, and is the address right?" + s.doctor(" lro doctor shows what answers there")
	case codes.Unauthenticated, codes.PermissionDenied:
		return "send credentials with --token-file, --token-env or --google, or any header with --header"
	case codes.Unimplemented:
		return s.doctor("lro doctor shows what this service offers")
	case codes.DeadlineExceeded:
		return "the service did not answer in time" + s.doctor("; lro doctor measures how long it takes")
	}
	return ""
}

// tooLarge reports whether the text of a status says that this side took an
// answer for too large, as gRPC and lrohttp word it.
func tooLarge(message string) bool {
	return strings.HasPrefix(message, "grpc: ") && strings.Contains(message, "larger than max") ||
		strings.HasPrefix(message, "answer is larger than the limit")
}

// doctor is text, which sends people to lro doctor, unless they are there.
func (s *Service) doctor(text string) string {
	if s.Doctor {
		return ""
	}
	return text
}
