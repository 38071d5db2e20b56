package lrohttp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro/internal/anyjson"
	"github.com/go-lro/lro/internal/httpcall"
	"github.com/go-lro/lro/internal/httperror"
	"github.com/go-lro/lro/internal/rpccode"
)

// timeoutHeader carries how many seconds the client waits for an answer.
const timeoutHeader = "X-Server-Timeout"

func (c *Client) empty(ctx context.Context, m *method, req proto.Message, opts []grpc.CallOption) (*emptypb.Empty, error) {
	if err := c.call(ctx, m, req, &emptypb.Empty{}, opts); err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

// call sends req and reads the answer into resp. Its errors are of type
// *Error.
func (c *Client) call(ctx context.Context, m *method, req, resp proto.Message, opts []grpc.CallOption) error {
	o := httpcall.OptionsOf(opts)
	if o.MaxResponse == 0 {
		o.MaxResponse = c.maxBody
	}
	o.MaxResponse = min(o.MaxResponse, math.MaxInt64-1) // one byte more is read to see that there is more
	r, err := c.newRequest(ctx, m, req, o)
	if err != nil {
		return err
	}
	if err := c.do(ctx, r, m, resp, o); err != nil {
		err.Method, err.URL = r.Method, withoutSecrets(r.URL)
		return err
	}
	return nil
}

// newRequest makes the HTTP request of a call.
func (c *Client) newRequest(ctx context.Context, m *method, req proto.Message, o httpcall.Options) (*http.Request, error) {
	var bad error
	b, path, ok := c.table.find(m, func(field string) string {
		text := fieldText(req, field)
		if hasDots(text) {
			bad = newError(codes.InvalidArgument, "%s %q has a segment \".\" or \"..\"", field, text)
		} else if !utf8.ValidString(text) {
			bad = newError(codes.InvalidArgument, "%s %q is not UTF-8", field, text)
		}
		return text
	})
	if bad != nil {
		return nil, bad
	}
	if !ok {
		return nil, newError(codes.InvalidArgument, "name %q fits no path of %s: %s", fieldText(req, "name"), m.name(), c.table.paths(m))
	}
	var query string
	var body io.Reader
	rest := without(req, b.template)
	if b.body {
		text, err := c.codec.ToJSON(rest)
		if err != nil {
			return nil, newError(codes.InvalidArgument, "%v", err)
		}
		body = bytes.NewReader(text)
	} else {
		text, err := encodeQuery(rest)
		if err != nil {
			return nil, newError(codes.InvalidArgument, "encode %s: %v", m.desc.Input().FullName(), err)
		}
		query = text
	}
	u, err := c.join(path, query)
	if err != nil {
		return nil, newError(codes.Internal, "make URL: %v", err)
	}
	r, err := http.NewRequestWithContext(ctx, b.verb, u.String(), body)
	if err != nil {
		return nil, newError(codes.Internal, "make request: %v", err)
	}
	return r, c.setHeaders(ctx, r, m, o)
}

func (c *Client) setHeaders(ctx context.Context, r *http.Request, m *method, o httpcall.Options) error {
	maps.Copy(r.Header, c.header)
	r.Header.Set("Accept", "application/json")
	if r.Body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if m == operations["CancelOperation"] || m == operations["WaitOperation"] {
		// Not sent: tells net/http that the POST may be repeated on a new
		// connection when the server has just closed the old one.
		r.Header["Idempotency-Key"] = []string{}
	}
	if deadline, ok := ctx.Deadline(); ok {
		left := max(time.Until(deadline).Seconds(), 0)
		r.Header.Set(timeoutHeader, strconv.FormatFloat(left, 'f', 3, 64))
	}
	if err := o.Outgoing(ctx, r.URL, r.Header); err != nil {
		st, _ := status.FromError(err)
		return &Error{status: st, cause: errors.Unwrap(err)}
	}
	return nil
}

// do sends a request and reads the answer into resp.
func (c *Client) do(ctx context.Context, r *http.Request, m *method, resp proto.Message, o httpcall.Options) *Error {
	answer, err := c.http.Do(r)
	if err != nil {
		return transportError(ctx, err)
	}
	defer answer.Body.Close()
	o.Received(answer.Header, nil)
	ok := 200 <= answer.StatusCode && answer.StatusCode < 300
	body, err := io.ReadAll(io.LimitReader(answer.Body, o.MaxResponse+1))
	o.Received(answer.Header, answer.Trailer)
	switch {
	case err != nil:
		failed := transportError(ctx, fmt.Errorf("read answer: %w", err))
		failed.StatusCode = answer.StatusCode
		return failed
	case int64(len(body)) > o.MaxResponse && ok:
		return &Error{
			StatusCode: answer.StatusCode,
			permanent:  true,
			status: status.Newf(codes.ResourceExhausted,
				"answer is larger than the limit of %d bytes; raise it with lrohttp.WithMaxBody or grpc.MaxCallRecvMsgSize", o.MaxResponse),
		}
	case !ok:
		return c.failure(answer, m, body)
	}
	if err := c.decode(answer, body, resp); err != nil {
		return err
	}
	return nil
}

// failure makes an error of an answer that is not a success. One without a
// status of the service is the page of something in between, which knows
// nothing about operations.
func (c *Client) failure(answer *http.Response, m *method, body []byte) *Error {
	st, proper := httperror.Decode(c.codec, answer.StatusCode, body)
	switch {
	case proper:
	case m == operations["WaitOperation"] && answer.StatusCode == http.StatusNotFound:
		st.Code = int32(codes.Unimplemented)
	case m != operations["GetOperation"] && codes.Code(st.GetCode()) == codes.Unimplemented:
	default:
		st.Code = int32(rpccode.Unbelieved(codes.Code(st.GetCode())))
	}
	if to := answer.Header.Get("Location"); to != "" && answer.StatusCode < 400 {
		st.Message = fmt.Sprintf("the service redirects to %q, which is not followed", httperror.Clip(withoutQuery(to)))
	}
	return &Error{StatusCode: answer.StatusCode, status: status.FromProto(st)}
}

// decode reads the body of a success.
func (c *Client) decode(answer *http.Response, body []byte, resp proto.Message) *Error {
	_, isEmpty := resp.(*emptypb.Empty)
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte(httperror.ByteOrderMark)))
	if len(body) == 0 && isEmpty {
		return nil
	}
	if failed := c.hiddenError(answer, body); failed != nil {
		return failed
	}
	var err error
	switch {
	case isEmpty && !json.Valid(body):
		err = errors.New("it is not JSON")
	case isEmpty:
		return nil
	default:
		err = c.codec.Unmarshal(body, resp)
	}
	if err == nil && foreign(body, resp) {
		err = fmt.Errorf("it has no field of %s", resp.ProtoReflect().Descriptor().FullName())
	}
	if err == nil {
		return nil
	}
	if !json.Valid(body) {
		err = fmt.Errorf("%w (%s, %s)", err, answer.Header.Get("Content-Type"), httperror.TextOf(body))
	}
	return &Error{StatusCode: answer.StatusCode, status: status.Newf(codes.Internal, "answer cannot be used: %v", err)}
}

// hiddenError finds the error of a gateway that answers 200 with one: read as
// an operation, it would be one that never ends.
func (c *Client) hiddenError(answer *http.Response, body []byte) *Error {
	if !bytes.Contains(body, []byte(`"error"`)) {
		return nil
	}
	if o, _ := anyjson.ObjectOf(body); len(o) != 1 || o["error"] == nil {
		return nil
	}
	st, _ := httperror.Decode(c.codec, http.StatusInternalServerError, body)
	code := codes.Code(st.GetCode())
	st.Message = fmt.Sprintf("answer of HTTP status %d holds an error: %s: %s", answer.StatusCode, rpccode.Name(code), st.GetMessage())
	st.Code = int32(rpccode.Unbelieved(code))
	return &Error{StatusCode: answer.StatusCode, status: status.FromProto(st)}
}

// foreign reports whether a JSON object that was read as resp has nothing of
// it. It would be an operation that never ends, or the end of a list. Only a
// list may be empty.
func foreign(body []byte, resp proto.Message) bool {
	if proto.Size(resp) > 0 {
		return false
	}
	o, _ := anyjson.ObjectOf(body)
	fields := resp.ProtoReflect().Descriptor().Fields()
	for key := range o {
		if fields.ByJSONName(key) != nil || fields.ByTextName(key) != nil {
			return false
		}
	}
	_, isOperation := resp.(*longrunningpb.Operation)
	return len(o) > 0 || isOperation
}
