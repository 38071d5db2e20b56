package scenarios

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// httpService plays over HTTP/JSON. It knows less than package lrohttp on
// purpose: what it sends is what the scenario says.
type httpService struct{ play *play }

func (s httpService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	escaped, ok := strings.CutPrefix(r.URL.EscapedPath(), "/v1/")
	name, err := url.PathUnescape(escaped)
	if !ok || err != nil {
		writeStatus(w, status.New(codes.NotFound, "no such path").Proto())
		return
	}
	method := "get"
	switch {
	case r.Method == http.MethodPost && strings.HasSuffix(name, ":cancel"):
		method, name = "cancel", strings.TrimSuffix(name, ":cancel")
	case r.Method == http.MethodPost && strings.HasSuffix(name, ":wait"):
		method, name = "wait", strings.TrimSuffix(name, ":wait")
	case r.Method == http.MethodDelete:
		method = "delete"
	case r.Method == http.MethodGet && (name == "operations" || strings.HasSuffix(name, "/operations")):
		method = "list"
	}
	s.play.count(method, r.RequestURI, r.Header.Values)
	switch {
	case !s.play.has(method):
		writeStatus(w, status.New(codes.Unimplemented, "method "+method+" is not here").Proto())
	case method == "list":
		page, err := s.play.page(r.URL.Query().Get("pageToken"))
		write(w, page, status.Convert(err).Proto())
	case name != s.play.name:
		writeStatus(w, status.New(codes.NotFound, fmt.Sprintf("no operation %q", name)).Proto())
	case method == "get":
		s.get(w, r)
	case method == "cancel":
		st, err := s.play.cancel()
		if err != nil {
			st = status.Convert(err).Proto()
		}
		write(w, nil, st)
	default:
		write(w, nil, nil)
	}
}

func (s httpService) get(w http.ResponseWriter, r *http.Request) {
	a := s.play.next(r.Context())
	switch {
	case a.Drop:
		panic(http.ErrAbortHandler) // closes the connection without an answer
	case a.HTTP != nil:
		body := []byte(a.HTTP.Body)
		if text, err := unquote(body); err == nil {
			body = text
			w.Header().Set("Content-Type", "text/html")
		} else {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(a.HTTP.Status)
		_, _ = w.Write(body)
	default:
		write(w, a.op, a.err)
	}
}

// unquote returns the text of a JSON string, which is a body that is no JSON.
func unquote(body []byte) ([]byte, error) {
	var text string
	err := json.Unmarshal(body, &text)
	return []byte(text), err
}

func write(w http.ResponseWriter, m proto.Message, st *spb.Status) {
	if st.GetCode() != 0 {
		writeStatus(w, st)
		return
	}
	body := []byte("{}")
	if m != nil {
		var err error
		if body, err = protojson.Marshal(m); err != nil {
			writeStatus(w, status.Newf(codes.Internal, "scenario cannot be sent over HTTP: %v", err).Proto())
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

// writeStatus writes an error as AIP-193 has it.
func writeStatus(w http.ResponseWriter, st *spb.Status) {
	number, ok := httpStatus[codes.Code(st.GetCode())]
	if !ok {
		number = http.StatusInternalServerError
	}
	details := []json.RawMessage{}
	for _, d := range st.GetDetails() {
		if data, err := protojson.Marshal(d); err == nil {
			details = append(details, data)
		}
	}
	body, err := json.Marshal(map[string]any{"error": map[string]any{
		"code": number, "message": st.GetMessage(), "status": codeName(st.GetCode()), "details": details,
	}})
	if err != nil {
		number, body = http.StatusInternalServerError, []byte(err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(number)
	_, _ = w.Write(body)
}

// httpStatus is google/rpc/code.proto's.
var httpStatus = map[codes.Code]int{
	codes.Canceled: 499, codes.Unknown: 500, codes.InvalidArgument: 400, codes.DeadlineExceeded: 504,
	codes.NotFound: 404, codes.AlreadyExists: 409, codes.PermissionDenied: 403, codes.Unauthenticated: 401,
	codes.ResourceExhausted: 429, codes.FailedPrecondition: 400, codes.Aborted: 409, codes.OutOfRange: 400,
	codes.Unimplemented: 501, codes.Internal: 500, codes.Unavailable: 503, codes.DataLoss: 500,
}

// page returns a page of the list; tokens are page numbers.
func (p *play) page(token string) (*longrunningpb.ListOperationsResponse, error) {
	n := 0
	if token != "" {
		var err error
		if n, err = strconv.Atoi(token); err != nil || n >= len(p.scenario.Server.Pages) {
			return nil, status.Errorf(codes.InvalidArgument, "page token %q", token)
		}
	}
	resp := &longrunningpb.ListOperationsResponse{}
	if len(p.scenario.Server.Pages) == 0 {
		return resp, nil
	}
	for _, name := range p.scenario.Server.Pages[n] {
		resp.Operations = append(resp.Operations, &longrunningpb.Operation{Name: name})
	}
	if n+1 < len(p.scenario.Server.Pages) {
		resp.NextPageToken = strconv.Itoa(n + 1)
	}
	return resp, nil
}
