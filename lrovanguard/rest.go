package lrovanguard

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/internal/anyjson"
	"github.com/go-lro/lro/lrohttp"
)

// serveREST answers a request that is of none of the RPC protocols.
func (h *handler) serveREST(w http.ResponseWriter, r *http.Request) {
	// A "*" in vanguard's templates matches an empty segment, which none of a
	// resource's name may be.
	if path := strings.TrimPrefix(r.URL.Path, "/"); strings.Contains("/"+path+"/", "//") {
		h.operations.ServeHTTP(w, r)
		return
	}
	rest := &restWriter{ResponseWriter: w, contentType: r.Header.Get("Content-Type")}
	r = transcoded(r, &rest.exchange)
	r.URL = withoutSystemParameters(r.URL)
	h.transcoder.ServeHTTP(rest, r)
	if rest.code == 0 {
		return
	}
	header := w.Header()
	maps.DeleteFunc(header, func(key string, _ []string) bool {
		return strings.HasPrefix(key, "Grpc-") || key == "Trailer" || key == "Content-Encoding" || key == "Date"
	})
	if allowed := header.Get("Allow"); allowed != "" {
		header.Set("Allow", strings.Join(slices.Sorted(strings.SplitSeq(allowed, ",")), ", "))
	}
	lrohttp.WriteError(w, h.errorOf(rest, r))
}

// withoutSystemParameters drops the parameters of a query that begin with "$",
// which Google's clients send; no field does.
func withoutSystemParameters(u *url.URL) *url.URL {
	if !strings.Contains(u.RawQuery, "$") && !strings.Contains(u.RawQuery, "%24") {
		return u
	}
	kept := *u
	var pairs []string
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		if !strings.HasPrefix(pair, "$") && !strings.HasPrefix(pair, "%24") {
			pairs = append(pairs, pair)
		}
	}
	kept.RawQuery = strings.Join(pairs, "&")
	return &kept
}

// restWriter keeps back errors, whose body vanguard does not write as AIP-193
// wants it.
type restWriter struct {
	http.ResponseWriter
	exchange    exchange
	contentType string // of the request
	code        int    // HTTP status of an error; 0 for none
	decoding    bool
	body        bytes.Buffer
}

// WriteHeader passes on the status of a success.
func (w *restWriter) WriteHeader(code int) {
	if code >= http.StatusBadRequest {
		w.code, w.decoding = code, w.exchange.decoding
		return
	}
	if date, ok := w.Header()["Date"]; ok && date == nil {
		delete(w.Header(), "Date") // grpc-go switches it off
	}
	w.ResponseWriter.WriteHeader(code)
}

// Write passes on the body of a success.
func (w *restWriter) Write(p []byte) (int, error) {
	if w.code != 0 {
		return w.body.Write(p)
	}
	return w.ResponseWriter.Write(p)
}

// Flush passes on what was written of a success.
func (w *restWriter) Flush() {
	if w.code == 0 {
		// What cannot be flushed is sent at the end.
		_ = http.NewResponseController(w.ResponseWriter).Flush()
	}
}

// Unwrap is for http.ResponseController.
func (w *restWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// errorOf returns the error that vanguard wrote.
func (h *handler) errorOf(w *restWriter, r *http.Request) error {
	st := &spb.Status{}
	if anyjson.New(nil).Unmarshal(w.body.Bytes(), st) != nil || st.GetCode() == 0 {
		return h.plainError(w, r)
	}
	if !w.decoding {
		return status.ErrorProto(st)
	}
	// Whatever fails while the request is decoded is wrong with the request.
	info := &errdetails.ErrorInfo{Reason: reasonRequest, Domain: h.domain}
	for _, d := range status.FromProto(st).Details() {
		if own, ok := d.(*errdetails.ErrorInfo); ok {
			info = own
		}
	}
	if codes.Code(st.GetCode()) == codes.ResourceExhausted {
		info.Reason = reasonTooLarge
	}
	httpCode := http.StatusBadRequest
	if info.GetReason() == reasonTooLarge || info.GetReason() == reasonTooComplex {
		httpCode = http.StatusRequestEntityTooLarge
	}
	return newError(httpCode, codes.InvalidArgument, st.GetMessage(), info)
}

// plainError returns an error that vanguard wrote as text: one that it found
// before it knew the method.
func (h *handler) plainError(w *restWriter, r *http.Request) error {
	info := &errdetails.ErrorInfo{Reason: reasonRequest, Domain: h.domain}
	switch w.code {
	case http.StatusMethodNotAllowed:
		info.Reason, info.Metadata = reasonMethod, map[string]string{"method": r.Method, "path": r.URL.Path}
		return newError(w.code, codes.Unimplemented, fmt.Sprintf("%s is not a method of %q, only %s", r.Method, r.URL.Path, w.Header().Get("Allow")), info)
	case http.StatusUnsupportedMediaType:
		if strings.HasPrefix(w.contentType, "application/json") {
			break // vanguard tells what else it is
		}
		info.Reason, info.Metadata = reasonMedia, map[string]string{"contentType": w.contentType}
		return newError(w.code, codes.InvalidArgument, fmt.Sprintf("Content-Type %q is not application/json", w.contentType), info)
	}
	return newError(w.code, codes.InvalidArgument, strings.TrimSpace(w.body.String()), info)
}

// restError is an error with an HTTP status of its own.
type restError struct {
	*status.Status
	httpCode int
}

func newError(httpCode int, code codes.Code, message string, info *errdetails.ErrorInfo) error {
	st, err := status.New(code, message).WithDetails(info)
	if err != nil {
		st = status.New(code, message) // cannot be: the code is not OK
	}
	return &restError{st, httpCode}
}

func (e *restError) Error() string              { return e.Err().Error() }
func (e *restError) GRPCStatus() *status.Status { return e.Status }
func (e *restError) HTTPStatus() int            { return e.httpCode }
