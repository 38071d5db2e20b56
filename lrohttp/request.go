package lrohttp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/go-lro/lro/internal/anyjson"
	"github.com/go-lro/lro/internal/httpcall"
	"github.com/go-lro/lro/internal/httperror"
)

// decode fills req, a request message, from an HTTP request: from the query,
// then from the body where the rule has one, and last from the path, which
// nothing overrides.
func (h *handler) decode(w http.ResponseWriter, r *http.Request, b *binding, values map[string]string, req proto.Message) error {
	if bad := decodeQuery(r.URL.RawQuery, req); bad != nil {
		return h.fault(0, codes.InvalidArgument, "INVALID_QUERY",
			map[string]string{"parameter": bad.name, "value": bad.value}, "%v", bad)
	}
	if b.body {
		if err := h.decodeBody(w, r, b, req); err != nil {
			return err
		}
	}
	for field, text := range values {
		if !utf8.ValidString(text) {
			return h.fault(0, codes.InvalidArgument, "INVALID_PATH", map[string]string{"variable": field}, "path: %s is not UTF-8", field)
		}
		setText(req, field, text)
	}
	return nil
}

// decodeBody adds what is in the body to req. An empty body is an empty
// message: Google's clients for Python and Ruby send none with a cancellation.
func (h *handler) decodeBody(w http.ResponseWriter, r *http.Request, b *binding, req proto.Message) error {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.maxBody))
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return h.fault(http.StatusRequestEntityTooLarge, codes.InvalidArgument, "BODY_TOO_LARGE",
			map[string]string{"limit": strconv.FormatInt(large.Limit, 10)}, "body is larger than %d bytes", large.Limit)
	}
	if err != nil {
		return h.fault(0, codes.InvalidArgument, "BODY_INCOMPLETE", map[string]string{"problem": err.Error()}, "read body: %v", err)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	if kind := r.Header.Get("Content-Type"); !isJSON(kind) {
		return h.fault(http.StatusUnsupportedMediaType, codes.InvalidArgument, "NOT_JSON",
			map[string]string{"contentType": httperror.Clip(kind)}, "Content-Type %q is not application/json", httperror.Clip(kind))
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return h.fault(http.StatusUnsupportedMediaType, codes.InvalidArgument, "BODY_ENCODED",
			map[string]string{"contentEncoding": httperror.Clip(coding)}, "Content-Encoding %q is not supported", httperror.Clip(coding))
	}
	if problem := anyjson.TooComplex(text); problem != "" {
		return h.fault(http.StatusRequestEntityTooLarge, codes.InvalidArgument, "BODY_TOO_COMPLEX",
			map[string]string{"problem": problem}, "body: %s", problem)
	}
	body := req.ProtoReflect().New().Interface()
	// Clients of Operations may be newer than this server; a misspelt field of
	// a request to start something should not go unnoticed.
	if err := h.codec.Read(text, body, !b.method.isStarter()); err != nil {
		problem := httperror.Clip(err.Error())
		return h.fault(0, codes.InvalidArgument, "INVALID_BODY", map[string]string{"problem": problem}, "body: %s", problem)
	}
	// Not proto.Merge, which would make 3.5 s of 2.5 s in the query and 3 s here.
	body.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		req.ProtoReflect().Set(f, v)
		return true
	})
	return nil
}

// incoming returns the ctx of a call: with metadata and peer as gRPC has them,
// and the client's deadline.
func incoming(r *http.Request) (context.Context, context.CancelFunc) {
	ctx := httpcall.Incoming(r)
	seconds, err := strconv.ParseFloat(r.Header.Get(timeoutHeader), 64)
	if err != nil || !(seconds > 0 && seconds < maxTimeout) {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(seconds*float64(time.Second)))
}

// maxTimeout is the longest deadline that is kept, in seconds; a longer one is
// none.
const maxTimeout = 1e9
