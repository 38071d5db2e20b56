package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/server/engine"
)

// Why a handler's context ended: its [context.Cause].
var (
	// ErrCancelRequested: a caller cancelled the operation.
	ErrCancelRequested = engine.ErrCancelRequested
	// ErrDraining: the server is stopping, and [Config].Drain has passed.
	ErrDraining = engine.ErrDraining
	// ErrLeaseLost: the operation has ended, or belongs to another attempt.
	// Everything that the attempt still writes is refused.
	ErrLeaseLost = engine.ErrLeaseLost
)

const (
	// storeRetryDelay is the pause that callers are given when the store fails.
	storeRetryDelay = time.Second
	// maxErrorText bounds messages and their values, in bytes: a status over
	// gRPC has to fit into a header, which proxies often limit to 8 KiB.
	maxErrorText = 512
)

// fault is an error of a call, on its way to a status.
type fault struct {
	code    codes.Code
	reason  string
	message string
	// values holds whatever in message is taken from the request (AIP-193).
	values map[string]string
	// field is the request's field that is wrong; it adds a BadRequest.
	field string
	// retry adds a RetryInfo.
	retry time.Duration
}

// faults makes the statuses of one server.
type faults struct {
	domain string
}

func (f faults) make(x fault) error {
	values := maps.Clone(x.values)
	for key, value := range values {
		values[key] = shorten(value)
	}
	details := []protoadapt.MessageV1{
		&errdetails.ErrorInfo{Reason: x.reason, Domain: f.domain, Metadata: values},
	}
	message := shorten(x.message)
	if x.field != "" {
		details = append(details, &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: x.field, Description: message, Reason: x.reason},
		}})
	}
	if x.retry > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(x.retry)})
	}
	st, err := status.New(x.code, message).WithDetails(details...)
	if err != nil {
		return status.Error(x.code, message)
	}
	return st.Err()
}

// invalid is the fault of one field of a request.
func (f faults) invalid(field, reason, value, format string, args ...any) error {
	return f.make(fault{
		code: codes.InvalidArgument, reason: reason, field: field,
		message: fmt.Sprintf(format, args...),
		values:  map[string]string{"value": value},
	})
}

func (f faults) notFound(name string) error {
	return f.make(fault{
		code: codes.NotFound, reason: reasonNotFound,
		message: fmt.Sprintf("operation %q was not found", name),
		values:  map[string]string{"name": name},
	})
}

// engineError translates an error of the engine about the operation of this
// name, which is empty where there is none.
func (s *Server) engineError(ctx context.Context, name string, err error) error {
	f := s.faults
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return f.notFound(name)
	case errors.Is(err, engine.ErrRequestIDReused):
		return f.make(fault{
			code: codes.InvalidArgument, reason: reasonRequestIDReused, field: "request_id",
			message: "the request ID was used with another request",
		})
	case errors.Is(err, engine.ErrInvalidCursor):
		return f.invalid("page_token", reasonInvalidPageToken, "", "the page token is not valid any more")
	case errors.Is(err, engine.ErrTooLarge):
		return f.invalid("", reasonTooLarge, err.Error(), "%v", err)
	case errors.Is(err, engine.ErrInvalid):
		return f.invalid("", reasonInvalidRequest, err.Error(), "%v", err)
	case errors.Is(err, engine.ErrNotTerminal):
		return f.make(fault{
			code: codes.FailedPrecondition, reason: reasonNotEnded,
			message: fmt.Sprintf("operation %q is not done", name),
			values:  map[string]string{"name": name},
		})
	case errors.Is(err, engine.ErrUnavailable), errors.Is(err, engine.ErrClosed):
		s.logger.WarnContext(ctx, "store unavailable", operationAttr(name), "error", err)
		return storeFault{hidden{f.make(fault{
			code: codes.Unavailable, reason: reasonStoreUnavailable, retry: storeRetryDelay,
			message: "the store of operations is unavailable",
		}), err}}
	case errors.Is(err, engine.ErrMisconfigured):
		s.logger.ErrorContext(ctx, "store misconfigured", operationAttr(name), "error", err)
		return storeFault{hidden{f.make(f.misconfigured()), err}}
	case ctx.Err() != nil:
		return f.make(fault{
			code: status.FromContextError(ctx.Err()).Code(), reason: reasonCallEnded, message: ctx.Err().Error(),
		})
	}
	return s.internal(ctx, reasonInternal, name, err)
}

// operationAttr is the zero Attr, which handlers ignore, where there is no
// operation, such as for a start.
func operationAttr(name string) slog.Attr {
	if name == "" {
		return slog.Attr{}
	}
	return slog.String("operation", name)
}

// misconfigured is the fault of [engine.ErrMisconfigured]. Its text, which names
// roles and tables, is for the log.
func (faults) misconfigured() fault {
	return fault{
		code: codes.FailedPrecondition, reason: reasonStoreMisconfigured,
		message: "the store of operations is misconfigured; the log of the server has the cause",
	}
}

// internal logs err and hides its text behind reason.
func (s *Server) internal(ctx context.Context, reason, name string, err error) error {
	s.logger.ErrorContext(ctx, "internal error", "reason", reason, operationAttr(name), "error", err)
	return hidden{s.faults.make(fault{code: codes.Internal, reason: reason, message: "internal error"}), err}
}

// hidden is an error whose cause the program sees and its callers do not: only
// its status goes over the wire.
type hidden struct {
	shown error // a status
	cause error
}

func (h hidden) Error() string              { return h.shown.Error() + ": " + h.cause.Error() }
func (h hidden) Unwrap() error              { return h.cause }
func (h hidden) GRPCStatus() *status.Status { return status.Convert(h.shown) }

// storeFault is hidden in its text too, which may become part of an operation's
// error: the cause names hosts and roles. A transaction that lost by a deadlock is
// recognized by it.
type storeFault struct{ hidden }

func (f storeFault) Error() string { return f.shown.Error() }

// leaseError lets callers know a lost lease without knowing engines.
func leaseError(err error) error {
	if errors.Is(err, engine.ErrFenced) {
		return fmt.Errorf("%w: %w", ErrLeaseLost, err)
	}
	return err
}

func valid(s string) bool { return strings.ToValidUTF8(s, "") == s }

// shorten makes text safe to send: valid UTF-8 and not endless.
func shorten(s string) string {
	s = strings.ToValidUTF8(s, "�")
	if len(s) <= maxErrorText {
		return s
	}
	return strings.ToValidUTF8(s[:maxErrorText], "") + "..."
}
