package gaxcall

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/googleapi"
	codepb "google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// restError is an error of a REST client with the status that the answer
// tells, or that tells what became of the request.
type restError struct {
	error
	status *status.Status
}

func (e *restError) Unwrap() error              { return e.error }
func (e *restError) GRPCStatus() *status.Status { return e.status }

// Failure gives the errors of a REST client a status, so that the policy of a
// wait understands them, and puts the headers of the answer where opts want
// them, since Retry-After is among them. Those of gRPC are left alone.
func (t Transport) Failure(err error, opts []grpc.CallOption) error {
	if err == nil || !t.REST {
		return err
	}
	if answer, ok := errors.AsType[*googleapi.Error](err); ok {
		SetHeader(opts, answer.Header)
		return &restError{err, status.FromProto(statusOf(answer.Code, status.Code(err), answer.Message, answer.Body))}
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	code := codes.Unavailable // there was no whole answer
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		code = codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	case errors.Is(err, proto.Error): // there was, but not one of AIP-151
		code = codes.Internal
	case errors.Is(err, gax.PathExpressionError):
		code = codes.InvalidArgument
	}
	return &restError{err, status.New(code, err.Error())}
}

// statusOf reads the status in the body of a failed answer (AIP-193), also
// where it is in a list of one, as some services send it. code and message are
// what gax made of the HTTP status and the body.
func statusOf(httpCode int, code codes.Code, message, body string) *spb.Status {
	switch httpCode {
	case http.StatusRequestTimeout, http.StatusBadGateway: // by a proxy
		code = codes.Unavailable
	case 499: // google/rpc/code.proto; net/http has no name for it
		code = codes.Canceled
	}
	st := &spb.Status{Code: int32(code), Message: message}
	if code == codes.OK {
		st.Code = int32(codes.Unknown)
	}
	text := bytes.TrimSpace([]byte(body))
	var list []json.RawMessage
	if bytes.HasPrefix(text, []byte("[")) && json.Unmarshal(text, &list) == nil && len(list) > 0 {
		text = list[0]
	}
	var parsed struct {
		Error struct {
			Status  string            `json:"status"`
			Message string            `json:"message"`
			Details []json.RawMessage `json:"details"`
		} `json:"error"`
	}
	if json.Unmarshal(text, &parsed) == nil {
		if named := codepb.Code_value[parsed.Error.Status]; named != 0 {
			st.Code = named
		}
		if parsed.Error.Message != "" {
			st.Message = parsed.Error.Message
		}
		for _, d := range parsed.Error.Details {
			a := &anypb.Any{}
			if protojson.Unmarshal(d, a) == nil { // else of a type that is not linked
				st.Details = append(st.Details, a)
			}
		}
	}
	if st.GetMessage() == "" {
		st.Message = strings.TrimSpace(fmt.Sprintf("HTTP status %d %s", httpCode, http.StatusText(httpCode)))
	}
	return st
}
