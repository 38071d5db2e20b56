package lrotest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/internal/httpcall"
	"github.com/go-lro/lro/internal/progress"
	"github.com/go-lro/lro/internal/rpccode"
)

// computeWait is for how long Compute's Wait holds a call at most.
const computeWait = 2 * time.Minute

// NewComputeHandler serves the operations of s by the REST of Compute Engine, as
// the clients of cloud.google.com/go/compute call it: the methods Get, Wait,
// Delete and List of the four services of operations, and AggregatedList of that
// of global operations, below /compute/v1, /compute/beta and /compute/alpha. The names of operations are
//
//	projects/PROJECT/zones/ZONE/operations/ID
//	projects/PROJECT/regions/REGION/operations/ID
//	projects/PROJECT/global/operations/ID
//	locations/global/operations/ID?parentId=PARENT
//
// Every other request is answered with 404. The methods that start operations,
// and those for resources, are the test's own, on the mux before it; see
// [WriteCompute].
//
// States are those of the scripts. A message that has the fields of Compute's
// Operation, as metadata or as the response, is sent as it is, with what it lacks of
// name, links and status. Any other is read for its progress, and [Failed] becomes
// an HTTP status and one entry of error.errors, or those among its details.
// Errors of polls have the body of Compute's. Wait holds a call for up to 2
// minutes, and organizations have none.
func NewComputeHandler(s *Server) http.Handler { return computeHandler{s} }

// WriteCompute answers a request with the present state of an operation: what a
// handler for a method such as instances.insert does with the script that it has
// added.
//
//	mux.HandleFunc("POST /compute/v1/projects/p/zones/z/instances", func(w http.ResponseWriter, r *http.Request) {
//		lrotest.WriteCompute(w, srv.Add("projects/p/zones/z/operations/create", lrotest.Succeeded(nil)))
//	})
func WriteCompute(w http.ResponseWriter, s *Script) { writeComputeJSON(w, computeJSON(s.Proto())) }

type computeHandler struct{ s *Server }

// ServeHTTP implements [http.Handler].
func (h computeHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	stream := httpcall.NewStream(r.URL.Path)
	ctx := grpc.NewContextWithServerTransportStream(httpcall.Incoming(r), stream)
	_, _ = io.Copy(io.Discard, r.Body) // nothing is in it; else net/http does not see the client leave
	answer, err := h.call(ctx, r)
	httpcall.SetValid(w.Header(), stream.Header())
	if err != nil {
		writeComputeError(w, err)
		return
	}
	writeComputeJSON(w, answer)
}

// call answers a request with JSON.
func (h computeHandler) call(ctx context.Context, r *http.Request) (map[string]any, error) {
	nothing := status.Errorf(codes.NotFound, "nothing is served at %s %s", r.Method, r.URL.Path)
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) < 5 || parts[0] != "compute" {
		return nil, nothing
	}
	parts = parts[2:]
	waits := parts[len(parts)-1] == "wait"
	if waits {
		parts = parts[:len(parts)-1]
	}
	var place, id string
	switch n := len(parts); {
	case parts[n-1] == "operations":
		place = strings.Join(parts[:n-1], "/")
	case parts[n-2] == "operations":
		place, id = strings.Join(parts[:n-2], "/"), parts[n-1]
	default:
		return nil, nothing
	}
	name := place + "/operations/" + id
	if parent := r.URL.Query().Get("parentId"); parent != "" && place == "locations/global" {
		name += "?parentId=" + parent
	}
	var op *longrunningpb.Operation
	var err error
	switch {
	case id == "" && r.Method == http.MethodGet:
		return h.list(ctx, place, r.URL.Query())
	case id != "" && waits && r.Method == http.MethodPost && place != "locations/global":
		op, err = h.s.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: name, Timeout: durationpb.New(computeWait)})
	case id != "" && !waits && r.Method == http.MethodGet:
		op, err = h.s.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
	case id != "" && !waits && r.Method == http.MethodDelete:
		_, err = h.s.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: name})
		return map[string]any{}, err
	default:
		return nil, nothing
	}
	if err != nil {
		return nil, err
	}
	return computeJSON(op), nil
}

func (h computeHandler) list(ctx context.Context, place string, q url.Values) (map[string]any, error) {
	size, err := strconv.Atoi(q.Get("maxResults"))
	if err != nil && q.Has("maxResults") {
		return nil, status.Errorf(codes.InvalidArgument, "maxResults: %v", err)
	}
	project, aggregated := strings.CutSuffix(place, "/aggregated")
	page, err := h.s.ListOperations(ctx, &longrunningpb.ListOperationsRequest{
		Name: project, Filter: q.Get("filter"), PageSize: int32(size), PageToken: q.Get("pageToken"),
	})
	if err != nil {
		return nil, err
	}
	items := []any{}
	scopes := map[string]map[string][]any{} // by such as "zones/z"
	for _, op := range page.GetOperations() {
		items = append(items, computeJSON(op))
		scope, _, _ := strings.Cut(strings.TrimPrefix(op.GetName(), project+"/"), "/operations/")
		if scopes[scope] == nil {
			scopes[scope] = map[string][]any{}
		}
		scopes[scope]["operations"] = append(scopes[scope]["operations"], computeJSON(op))
	}
	list := map[string]any{"kind": "compute#operationList", "items": items}
	if aggregated {
		list = map[string]any{"kind": "compute#operationAggregatedList", "items": scopes}
	}
	if next := page.GetNextPageToken(); next != "" {
		list["nextPageToken"] = next
	}
	return list, nil
}

// computeJSON is an operation as Compute sends it.
func computeJSON(op *longrunningpb.Operation) map[string]any {
	name, _, _ := strings.Cut(op.GetName(), "?")
	id := name[strings.LastIndexByte(name, '/')+1:]
	o := computeFields(op.GetResponse())
	if o == nil {
		o = computeFields(op.GetMetadata())
	}
	if o == nil {
		o = map[string]any{}
		facts := progress.OfAny(op.GetMetadata(), nil)
		if percent := facts.WholePercent(); percent >= 0 {
			o["progress"] = percent
		}
		for key, text := range map[string]string{"operationType": facts.Kind, "targetLink": facts.Target, "statusMessage": facts.Message} {
			if text != "" {
				o[key] = text
			}
		}
	}
	set := func(key string, v any) {
		if _, ok := o[key]; !ok {
			o[key] = v
		}
	}
	set("kind", "compute#operation")
	set("name", id)
	set("selfLink", "https://www.googleapis.com/compute/v1/"+name)
	if !op.GetDone() {
		set("status", "RUNNING")
		return o
	}
	o["status"] = "DONE"
	if st := op.GetError(); st != nil {
		setComputeError(o, st)
	} else {
		set("progress", 100)
	}
	return o
}

// computeFields returns the JSON of a message that has the fields of Compute's
// Operation, else nil.
func computeFields(a *anypb.Any) map[string]any {
	m, err := a.UnmarshalNew()
	if a == nil || err != nil {
		return nil
	}
	for _, field := range []string{"name", "status", "httpErrorStatusCode"} {
		if m.ProtoReflect().Descriptor().Fields().ByJSONName(field) == nil {
			return nil
		}
	}
	return jsonOf(m)
}

func jsonOf(m proto.Message) map[string]any {
	text, err := protojson.Marshal(m)
	o := map[string]any{}
	if err != nil || json.Unmarshal(text, &o) != nil {
		return nil
	}
	return o
}

// setComputeError gives a failed operation its HTTP status and error.errors,
// unless its message has them.
func setComputeError(o map[string]any, st *spb.Status) {
	code := codes.Code(st.GetCode())
	if o["httpErrorStatusCode"] == nil {
		o["httpErrorStatusCode"] = rpccode.HTTP(code)
		o["httpErrorMessage"] = strings.ToUpper(http.StatusText(rpccode.HTTP(code)))
	}
	if o["error"] != nil {
		return
	}
	reason := rpccode.Name(code)
	var entries []any
	for _, d := range st.GetDetails() {
		m, err := d.UnmarshalNew()
		if err != nil {
			continue
		}
		if info, ok := m.(*errdetails.ErrorInfo); ok {
			reason = info.GetReason()
			continue
		}
		if entry := jsonOf(m); entry["code"] != nil && entry["message"] != nil {
			entries = append(entries, entry)
		}
	}
	if entries == nil {
		entries = []any{map[string]any{"code": reason, "message": st.GetMessage()}}
	}
	o["error"] = map[string]any{"errors": entries}
}

func writeComputeJSON(w http.ResponseWriter, o map[string]any) {
	text, err := json.Marshal(o)
	if err != nil {
		panic(fmt.Sprintf("lrotest: encode an operation of Compute: %v", err)) // of what JSON was read to
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_, _ = w.Write(text) // the client may have left
}

// writeComputeError writes an error as the body that Compute's have: with the
// list of its own, without the status of AIP-193.
func writeComputeError(w http.ResponseWriter, err error) {
	st := status.Convert(err)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		st = status.FromContextError(err)
	}
	code := rpccode.HTTP(st.Code())
	text, _ := json.Marshal(map[string]any{"error": map[string]any{ // maps of texts and numbers encode
		"code": code, "message": st.Message(),
		"errors": []any{map[string]any{"message": st.Message(), "domain": "global", "reason": rpccode.Name(st.Code())}},
	}})
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(code)
	_, _ = w.Write(text)
}
