package console

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/internal/rpccode"
)

// problem is why something cannot be shown or done, in words for viewers.
type problem struct {
	Status int
	Title  string
	Text   string
	Code   string // canonical code of the source's answer, such as NOT_FOUND
	Retry  bool   // it may be over in a while
	Name   string // the operation it is about; may be empty
}

// problemOf describes an error of the source to a viewer.
func (h *Handler) problemOf(ctx context.Context, err error) problem {
	if errors.Is(context.Cause(ctx), errSlow) {
		return problem{
			Status: http.StatusGatewayTimeout, Title: "No answer", Code: codeName(codes.DeadlineExceeded), Retry: true,
			Text: "The service did not answer within " + pace(h.config.Timeout) + ".",
		}
	}
	st, ok := status.FromError(err)
	if !ok {
		h.config.Logger.ErrorContext(ctx, "source failed", "error", err)
		return problem{Status: http.StatusInternalServerError, Title: "Something went wrong", Text: "The console's log has the details.", Retry: true}
	}
	p := problem{Status: http.StatusBadGateway, Title: "The service refused", Text: plain(st.Message()), Code: codeName(st.Code())}
	switch st.Code() {
	case codes.NotFound:
		p.Status, p.Title = http.StatusNotFound, "Not found"
	case codes.InvalidArgument:
		p.Status, p.Title = http.StatusBadRequest, "The service does not accept this"
	case codes.PermissionDenied:
		p.Status, p.Title = http.StatusForbidden, "Not allowed"
	case codes.FailedPrecondition, codes.Aborted:
		p.Status, p.Title = http.StatusConflict, "Not possible now"
	case codes.Unimplemented:
		p.Status, p.Title = http.StatusNotImplemented, "The service does not support this"
	case codes.Unavailable:
		p.Status, p.Title, p.Retry = http.StatusServiceUnavailable, "The service cannot be reached", true
	case codes.DeadlineExceeded:
		p.Status, p.Title, p.Retry = http.StatusGatewayTimeout, "No answer", true
	case codes.ResourceExhausted:
		p.Status, p.Title, p.Retry = http.StatusServiceUnavailable, "The service is too busy", true
	case codes.Canceled, codes.Internal, codes.Unknown:
		p.Title, p.Retry = "The service failed", true
	}
	return p
}

// violates reports whether err says that this field of the request is wrong.
// named reports whether it names a field at all.
func violates(err error, field string) (violated, named bool) {
	for _, detail := range status.Convert(err).Details() {
		bad, ok := detail.(*errdetails.BadRequest)
		if !ok {
			continue
		}
		for _, v := range bad.GetFieldViolations() {
			named = named || v.GetField() != ""
			if v.GetField() == field {
				return true, true
			}
		}
	}
	return false, named
}

// codeName returns the canonical name of the code of an error, and the number of
// any other. An error whose code is 0 is UNKNOWN, as in package lro.
func codeName(c codes.Code) string {
	if c == codes.OK {
		c = codes.Unknown
	}
	if c > codes.Unauthenticated {
		return strings.ToUpper(c.String()) // "CODE(99)"
	}
	return rpccode.Name(c)
}

// plain takes grpc-go's wrapping off the reason of a connection that failed.
func plain(message string) string {
	rest, ok := strings.CutPrefix(message, "connection error: desc = ")
	if !ok {
		return message
	}
	return strings.TrimPrefix(strings.Trim(rest, `"`), "transport: ")
}
