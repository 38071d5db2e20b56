package lrohttp

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro/internal/anyjson"
	"github.com/go-lro/lro/internal/httpcall"
	"github.com/go-lro/lro/internal/httperror"
	"github.com/go-lro/lro/internal/rpccode"
	"github.com/go-lro/lro/lropb"
)

// defaultDomain is that of [WithErrorDomain].
const defaultDomain = "github.com/go-lro/lro"

// NewHandler returns a handler that serves srv over HTTP/JSON, to be mounted on
// any mux that leaves the path as it is, such as
//
//	mux.Handle("/v1/", handler)
//
// srv is called as a grpc.Server calls it: headers of the request are incoming
// metadata (the host is ":authority"), the peer has the remote address and TLS
// state, grpc.Method names the method, and grpc.SetHeader and grpc.SetTrailer
// set headers of the answer. ctx ends when the client goes away, and at the
// deadline that the header X-Server-Timeout gives in seconds.
//
// What a program must do about strangers is its own: give [WithAuthentication] a
// function, which decides before a body is read, and set the limits of the
// http.Server, for which package server/guard has defaults. A body is limited in
// size by [WithMaxBody], and in the number and nesting of its values too, so that
// it cannot take many times its size as messages: 16,384 values and one more for
// every 32 bytes.
//
// A WaitOperation may take as long as its timeout, so the WriteTimeout of the
// http.Server must be longer, or 0.
//
// Answers are never cached, and errors are those of AIP-193, also those for
// paths that do not exist and parameters of a query that are neither a field nor
// one of Google's system parameters. A 401 has the header WWW-Authenticate,
// "Bearer" unless the service sets it. RetryInfo in an error is a Retry-After header too.
//
// NewHandler fails when srv is nil and for options that make no sense. The
// handler never changes and is safe for concurrent use if srv is.
func NewHandler(srv longrunningpb.OperationsServer, opts ...HandlerOption) (http.Handler, error) {
	if srv == nil {
		return nil, errors.New("new handler: server is nil")
	}
	config := handlerConfig{
		shared: shared{prefix: DefaultPrefix, maxBody: DefaultMaxRequest},
		domain: defaultDomain,
	}
	for _, o := range opts {
		if err := o.applyToHandler(&config); err != nil {
			return nil, fmt.Errorf("new handler: %w", err)
		}
	}
	table, err := newTable(config.prefix, config.rules, config.starter != nil)
	if err != nil {
		return nil, fmt.Errorf("new handler: %w", err)
	}
	h := &handler{
		table:       table,
		codec:       anyjson.New(config.types),
		maxBody:     config.maxBody,
		domain:      config.domain,
		interceptor: chain(config.interceptors),
		calls:       map[*method]rpc{},

		authenticate: config.authenticate,
	}
	h.register(operations, &longrunningpb.Operations_ServiceDesc, srv)
	if config.starter != nil {
		h.register(starter, &lropb.Starter_ServiceDesc, config.starter)
	}
	return h, nil
}

// handler is the server side.
type handler struct {
	table       *table
	codec       anyjson.Codec
	maxBody     int64
	domain      string
	interceptor grpc.UnaryServerInterceptor // nil for none
	calls       map[*method]rpc
	// authenticate is that of WithAuthentication; nil lets every call in.
	authenticate func(context.Context, string) (context.Context, error)
}

// rpc calls a method of a server with the request that decode fills in.
type rpc func(ctx context.Context, decode func(any) error) (any, error)

func (h *handler) register(methods map[string]*method, desc *grpc.ServiceDesc, srv any) {
	for _, d := range desc.Methods {
		if m := methods[d.MethodName]; m != nil {
			h.calls[m] = func(ctx context.Context, decode func(any) error) (any, error) {
				return d.Handler(srv, ctx, decode, h.interceptor)
			}
		}
	}
}

// chain makes one interceptor of many.
func chain(all []grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	if len(all) == 0 {
		return nil
	}
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		for i := len(all) - 1; i >= 0; i-- {
			inner := next
			next = func(ctx context.Context, req any) (any, error) { return all[i](ctx, req, info, inner) }
		}
		return next(ctx, req)
	}
}

// ServeHTTP answers a request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	verb := r.Method
	if verb == http.MethodHead {
		verb = http.MethodGet // net/http leaves out the body
	}
	b, values, allowed := h.table.match(verb, r.URL.EscapedPath())
	if b == nil {
		h.writeError(w, h.noRoute(w, r, allowed))
		return
	}
	ctx, cancel := incoming(r)
	defer cancel()
	stream := httpcall.NewStream(b.method.path())
	ctx = grpc.NewContextWithServerTransportStream(ctx, stream)
	resp, err := h.call(ctx, b.method, func(req any) error {
		return h.decode(w, r, b, values, req.(proto.Message))
	})
	httpcall.SetValid(w.Header(), metadata.Join(stream.Header(), stream.Trailer())) // few HTTP clients see trailers
	if err != nil {
		h.writeError(w, err)
		return
	}
	m, ok := resp.(proto.Message)
	if !ok || !m.ProtoReflect().IsValid() {
		h.writeError(w, status.Errorf(codes.Internal, "%s returned no message and no error", b.method.name()))
		return
	}
	text, err := h.codec.Marshal(m)
	if err != nil {
		h.writeError(w, status.Errorf(codes.Internal, "%v", err))
		return
	}
	write(w, http.StatusOK, text)
}

// call calls a method, if authenticate lets it. Only then is anything decoded.
func (h *handler) call(ctx context.Context, m *method, decode func(any) error) (any, error) {
	if h.authenticate != nil {
		admitted, err := h.authenticate(ctx, m.path())
		if err != nil {
			return nil, h.withInfo(err)
		}
		ctx = admitted
	}
	return h.calls[m](ctx, decode)
}

// withInfo returns err with the ErrorInfo that AIP-193 requires, if it has none.
func (h *handler) withInfo(err error) error {
	st, ok := status.FromError(err)
	if !ok {
		st = status.FromContextError(err)
	}
	for _, d := range st.Details() {
		if _, ok := d.(*errdetails.ErrorInfo); ok {
			return err
		}
	}
	detailed, failed := st.WithDetails(&errdetails.ErrorInfo{Reason: rpccode.Name(st.Code()), Domain: h.domain})
	if failed != nil {
		return err // code OK
	}
	return detailed.Err()
}

// noRoute is the error for a path that no rule has, or only with other HTTP
// methods.
func (h *handler) noRoute(w http.ResponseWriter, r *http.Request, allowed []string) error {
	path := httperror.Clip(r.URL.Path)
	values := map[string]string{"method": httperror.Clip(r.Method), "path": path}
	if len(allowed) == 0 {
		return h.fault(http.StatusNotFound, codes.NotFound, "PATH_NOT_FOUND", values, "no method has the path %q", path)
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return h.fault(http.StatusMethodNotAllowed, codes.Unimplemented, "HTTP_METHOD_NOT_ALLOWED", values,
		"%s is not a method of %q, only %s", httperror.Clip(r.Method), path, strings.Join(allowed, ", "))
}

// fault is an error that the handler itself makes, with an ErrorInfo whose
// metadata is values (AIP-193). An httpCode of 0 is that of code.
func (h *handler) fault(httpCode int, code codes.Code, reason string, values map[string]string, format string, args ...any) error {
	st := status.Newf(code, format, args...)
	info := &errdetails.ErrorInfo{Reason: reason, Domain: h.domain, Metadata: values}
	if detailed, err := st.WithDetails(info); err == nil {
		st = detailed
	}
	return &faultError{st, httpCode}
}

// faultError is a status whose HTTP status need not be that of its code.
type faultError struct {
	status   *status.Status
	httpCode int // 0 for that of the code
}

func (f *faultError) Error() string              { return f.status.Err().Error() }
func (f *faultError) GRPCStatus() *status.Status { return f.status }
func (f *faultError) HTTPStatus() int            { return f.httpCode }

// WriteError answers a request with an error as a handler of [NewHandler] does:
// with the body of AIP-193 and the HTTP status of the error's code, for what a
// program puts around or beside such a handler. The code, message and details are
// those of the gRPC status of err; without one it is CANCELLED or
// DEADLINE_EXCEEDED if err is that of a ctx, else UNKNOWN. Details whose types are
// not linked into the program are kept; see the package comment.
//
// An error that has, or wraps one that has, a method HTTPStatus() int that returns
// more than 0 has this HTTP status. RetryInfo is a Retry-After header too, and a
// 401 has the header WWW-Authenticate, "Bearer" if w has none. The answer is never
// cached. err must not be nil, and nothing may have been written to w before.
func WriteError(w http.ResponseWriter, err error) { writeError(w, anyjson.New(nil), err) }

// writeError answers a request with an error, as a grpc.Server would see it.
func (h *handler) writeError(w http.ResponseWriter, err error) { writeError(w, h.codec, err) }

func writeError(w http.ResponseWriter, codec anyjson.Codec, err error) {
	st, ok := status.FromError(err)
	if !ok {
		st = status.FromContextError(err)
	}
	p := st.Proto()
	if p.GetCode() == int32(codes.OK) {
		p = &spb.Status{Code: int32(codes.Unknown), Message: err.Error()}
	}
	httpCode := 0
	if f, ok := errors.AsType[interface {
		error
		HTTPStatus() int
	}](err); ok {
		httpCode = f.HTTPStatus()
	}
	if seconds, ok := retryAfter(st); ok {
		w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	httpCode, body := encodeError(codec, p, httpCode)
	if header := w.Header(); httpCode == http.StatusUnauthorized && header.Get("WWW-Authenticate") == "" {
		header.Set("WWW-Authenticate", "Bearer") // RFC 9110, 15.5.2
	}
	write(w, httpCode, body)
}

// retryAfter returns the delay of a RetryInfo in whole seconds, rounded up.
func retryAfter(st *status.Status) (int64, bool) {
	for _, d := range st.Details() {
		info, ok := d.(*errdetails.RetryInfo)
		if ok && info.GetRetryDelay().CheckValid() == nil && info.GetRetryDelay().AsDuration() >= 0 {
			delay := info.GetRetryDelay().AsDuration()
			return int64(math.Ceil(float64(delay) / float64(time.Second))), true
		}
	}
	return 0, false
}

func write(w http.ResponseWriter, httpCode int, body []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(httpCode)
	// The only error is a client that has gone.
	_, _ = w.Write(body)
}
