package httperror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/internal/anyjson"
	"github.com/go-lro/lro/internal/httpcall"
	"github.com/go-lro/lro/internal/rpccode"
)

// failure is the error of a client with the status that it stands for.
type failure struct {
	error
	status *status.Status
}

func (e *failure) Unwrap() error              { return e.error }
func (e *failure) GRPCStatus() *status.Status { return e.status }

// WithStatus returns err with a gRPC status.
func WithStatus(err error, st *status.Status) error { return &failure{err, st} }

// AnswerError is the error of a call that was answered, by a client that has no
// error type of its own.
type AnswerError struct {
	StatusCode int // of HTTP
	status     *status.Status
}

// NewAnswer makes an error of an answer that is not a success.
func NewAnswer(httpCode int, body []byte) *AnswerError {
	return &AnswerError{httpCode, StatusOf(httpCode, "", body)}
}

func (e *AnswerError) Error() string              { return e.status.String() }
func (e *AnswerError) GRPCStatus() *status.Status { return e.status }

// StatusOf returns the status of an answer: of its HTTP status, of its body where
// that has one, and of the message where that has none.
func StatusOf(httpCode int, message string, body []byte) *status.Status {
	return status.FromProto(answer{code: httpCode, message: message, body: body}.status())
}

// Failure is what lrohttp.Failure documents.
func Failure(err error, opts []grpc.CallOption) error {
	if err == nil {
		return nil
	}
	found, answered := answerIn(err)
	if answered && found.header != nil {
		httpcall.OptionsOf(opts).Received(found.header, nil)
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	if answered {
		return WithStatus(err, status.FromProto(found.status()))
	}
	if code := unanswered(err); code != codes.Unknown {
		return WithStatus(err, status.New(code, err.Error()))
	}
	return err
}

// unanswered returns the code of a call that has no answer, UNKNOWN for an error
// of which that is not known.
func unanswered(err error) codes.Code {
	_, ofURL := errors.AsType[*url.Error](err)
	netErr, ofNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		return codes.Canceled
	case errors.Is(err, context.DeadlineExceeded), ofNet && netErr.Timeout():
		return codes.DeadlineExceeded
	case ofURL, ofNet, errors.Is(err, io.ErrUnexpectedEOF):
		return codes.Unavailable
	}
	return codes.Unknown
}

// answer is what the error of a client keeps of an answer.
type answer struct {
	code    int // HTTP status
	name    string
	message string
	details []json.RawMessage
	body    []byte
	header  http.Header
}

// status returns what the answer says. The HTTP status is believed: it comes
// from a client that knows its service.
func (a answer) status() *spb.Status {
	codec := anyjson.New(nil)
	st, proper := Decode(codec, a.code, a.body)
	if !proper {
		body, err := json.Marshal(map[string]any{"error": map[string]any{
			"code": a.code, "status": a.name, "message": a.message, "details": a.details,
		}})
		if err == nil {
			st, _ = Decode(codec, a.code, body)
		}
		st.Message = a.message
		if a.code < http.StatusBadRequest { // a redirect, by what stands before the service
			st.Code = int32(codes.Unknown)
		}
	}
	if st.GetMessage() == "" {
		st.Message = strings.TrimSpace(fmt.Sprintf("HTTP status %d %s", a.code, http.StatusText(a.code)))
	}
	return st
}

// answerIn returns the answer that err, or an error in it, keeps.
func answerIn(err error) (answer, bool) {
	if a, ok := answerOf(err); ok {
		return a, true
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return answerIn(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if a, ok := answerIn(inner); ok {
				return a, true
			}
		}
	}
	return answer{}, false
}

// answerOf reads the fields that clients give their errors, by their names:
// googleapi.Error, genai.APIError and others have no method for them.
func answerOf(err error) (a answer, ok bool) {
	switch e := err.(type) {
	case interface{ HTTPStatusCode() int }: // of AWS's
		a.code = e.HTTPStatusCode()
	case interface{ HTTPCode() int }: // of gax's
		a.code = e.HTTPCode()
	}
	v := reflect.ValueOf(err)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return a, isFailure(a.code)
	}
	for _, name := range []string{"Response", "RawResponse"} {
		if r, _ := field(v, name).(*http.Response); r != nil {
			a.code, a.header = r.StatusCode, r.Header
		}
	}
	for _, name := range []string{"StatusCode", "HTTPStatusCode", "Code"} {
		if n, isInt := field(v, name).(int); isInt && !isFailure(a.code) {
			a.code = n
		}
	}
	a.message, _ = field(v, "Message").(string)
	if name, _ := field(v, "Status").(string); name != "" {
		if _, isCode := rpccode.Parse(name); isCode {
			a.name = name
		}
	}
	switch body := field(v, "Body").(type) {
	case string:
		a.body = []byte(body)
	case []byte:
		a.body = body
	}
	if h, _ := field(v, "Header").(http.Header); h != nil {
		a.header = h
	}
	if text, err := json.Marshal(field(v, "Details")); err == nil {
		_ = json.Unmarshal(text, &a.details) // of another form: none
	}
	return a, isFailure(a.code)
}

// isFailure reports whether code is an HTTP status of an answer that is not a
// success, which tells it from the codes of other protocols.
func isFailure(code int) bool { return 300 <= code && code < 600 }

// field returns an exported field of a struct, or nil.
func field(v reflect.Value, name string) any {
	t, ok := v.Type().FieldByName(name)
	if !ok || !t.IsExported() {
		return nil
	}
	f, err := v.FieldByIndexErr(t.Index) // fails in an embedded pointer that is nil
	if err != nil || !f.CanInterface() {
		return nil
	}
	return f.Interface()
}
