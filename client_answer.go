package lro

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// This file says what the error of a call counts as: whether it is the
// service's own answer, and whether a repetition may help.

// failureOf returns how a failed call counts.
func failureOf(err error) failure {
	if permanent(err) {
		return final
	}
	switch codeOf(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted:
		return transient
	case codes.Internal, codes.Unknown, codes.Aborted, codes.Canceled:
		return soft
	case codes.NotFound:
		return missing
	}
	return final
}

// codeOf returns the canonical code of a failed call. The end of a context
// counts as its code, since services that are not gRPC return it bare.
func codeOf(err error) codes.Code {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return codes.Canceled
	}
	return status.Code(err)
}

// permanent reports whether err says by itself that a repetition does not help,
// whatever its code; see [Service].
func permanent(err error) bool {
	p, ok := errors.AsType[interface {
		error
		Permanent() bool
	}](err)
	return ok && p.Permanent()
}

// refusal reports whether an error is about the caller's credentials.
func refusal(err error) bool {
	code := codeOf(err)
	return code == codes.Unauthenticated || code == codes.PermissionDenied
}

// callError is the error of a call with the code that it counts as, where gRPC
// made another of it by itself.
type callError struct {
	err       error
	status    *status.Status
	permanent bool
	unsent    bool // the request was not sent
}

func (e *callError) Error() string              { return e.status.String() }
func (e *callError) Unwrap() error              { return e.err }
func (e *callError) GRPCStatus() *status.Status { return e.status }
func (e *callError) Permanent() bool            { return e.permanent }

// maxQuoted bounds what an error repeats of an answer that is not the
// service's, in bytes. gRPC keeps up to 1 KiB of it.
const maxQuoted = 300

// judge returns err as what it is where gRPC gives it the code of something
// else: it makes UNIMPLEMENTED, PERMISSION_DENIED and others of the pages of
// proxies (doc/http-grpc-status-mapping.md), UNAUTHENTICATED of a failure to get
// credentials, and RESOURCE_EXHAUSTED of an answer larger than the caller's
// limit. A status that came with gRPC's content type is the service's own, and
// so is what any other service returns.
func judge(err error, header, trailer metadata.MD) error {
	if err == nil {
		return nil
	}
	st, ok := errors.AsType[interface {
		error
		GRPCStatus() *status.Status
	}](err)
	if !ok {
		return err
	}
	code, text := st.GRPCStatus().Code(), st.GRPCStatus().Message()
	switch {
	case code == codes.ResourceExhausted && strings.HasPrefix(text, "grpc: ") && strings.Contains(text, "larger than max"):
		return &callError{err: err, status: status.New(code, text+"; raise the limit with grpc.MaxCallRecvMsgSize"), permanent: true}
	case fromGRPC(header) || fromGRPC(trailer):
		return err
	case strings.HasPrefix(text, "transport: ") && strings.Contains(text, "per-RPC creds"):
		return &callError{err: err, status: status.New(codes.Unavailable, "could not get credentials: "+text), unsent: true}
	case isPage(text) && !passing(code):
		text = strings.Join(strings.Fields(text), " ")
		return &callError{err: err, status: status.New(codes.Unknown, "the answer is not the service's: "+clipped(text))}
	}
	return err
}

func clipped(text string) string {
	if len(text) <= maxQuoted {
		return text
	}
	return strings.ToValidUTF8(text[:maxQuoted], "") + "..."
}

// fromGRPC reports whether metadata came from a gRPC server.
func fromGRPC(md metadata.MD) bool {
	v := md["content-type"]
	return len(v) > 0 && strings.HasPrefix(v[0], "application/grpc")
}

// isPage reports whether the text of a status is what gRPC for Go makes of an
// answer of another content type.
func isPage(text string) bool {
	return strings.HasPrefix(text, "unexpected HTTP status code received from server: ") ||
		strings.HasPrefix(text, "malformed header: missing HTTP")
}

// passing reports whether a code promises that a repetition may help.
func passing(code codes.Code) bool {
	return code == codes.Unavailable || code == codes.DeadlineExceeded || code == codes.ResourceExhausted
}
