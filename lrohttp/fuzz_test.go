package lrohttp_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/lrohttp"
	"github.com/go-lro/lro/lropb"
)

// direct returns a client that calls a handler without a network.
func direct(t testing.TB, h http.Handler) *lrohttp.Client {
	t.Helper()
	return newClient(t, "http://h", func(r *http.Request) (*http.Response, error) {
		r.RequestURI = r.URL.RequestURI()
		if r.Body == nil {
			r.Body = http.NoBody
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result(), nil
	})
}

// FuzzName shows that a service sees the name that its client meant, or the
// client refuses.
func FuzzName(f *testing.F) {
	for _, name := range []string{
		"operations/x", "operations/a/b+c=", "p/operations/x", "p/operations/a%2Fb", "operations//", "operations/a//b/", "operations/:cancel",
		"operations/operations", "operations/operations/x", "operations/a/operations/b", "operations/..", "p/operations/x\x00?#%", "ü/operations/x", "/operations/x",
	} {
		f.Add(name)
	}
	srv := &recorder{}
	client := direct(f, newHandler(f, srv))
	f.Fuzz(func(t *testing.T, name string) {
		for _, req := range []proto.Message{
			&longrunningpb.GetOperationRequest{Name: name}, &longrunningpb.CancelOperationRequest{Name: name},
			&longrunningpb.DeleteOperationRequest{Name: name}, &longrunningpb.WaitOperationRequest{Name: name},
			&longrunningpb.ListOperationsRequest{Name: name},
		} {
			srv.got = nil
			err := send(t.Context(), client, req)
			if status.Code(err) == codes.InvalidArgument && srv.got == nil {
				continue
			}
			if strings.HasSuffix(name, "operations/operations") {
				continue // GET of this path lists
			}
			if list, ok := req.(*longrunningpb.ListOperationsRequest); ok && name == "" {
				list.Name = "operations"
			}
			if err != nil || !proto.Equal(req, srv.got) {
				t.Errorf("%T of %q: service got %v, client %v", req, name, srv.got, err)
			}
		}
	})
}

// FuzzRequest shows that no request harms a handler: it answers in JSON, and
// what it does not understand is the client's fault.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "/v1/operations/x", "", "")
	f.Add("GET", "/v1/operations?filter=a&pageSize=1&page_token=%2B&returnPartialSuccess=true", "", "")
	f.Add("POST", "/v1/operations/x:wait?timeout=1.5s", jsonType, `{"timeout":"2s"}`)
	f.Add("POST", "/v1/operations/a%2Fb:cancel", jsonType, `{"name":"x"}`)
	f.Add("POST", "/v1/operations:start", jsonType, `{"kind":"k","request":{"@type":"type.googleapis.com/lro.v1.ChecksumRequest","dir":"d"}}`)
	f.Add("DELETE", "/v1/operations/p%2Foperations%2Fx?", "text/plain", `""`)
	h := newHandler(f, &recorder{}, lrohttp.WithStarter(&starter{}))
	f.Fuzz(func(t *testing.T, verb, target, contentType, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		r := &http.Request{Method: verb, URL: u, Header: http.Header{"Content-Type": {contentType}}, Body: http.NoBody, Host: "h"}
		r.Body = httptest.NewRequest("POST", "/", strings.NewReader(body)).Body
		w := serveOne(h, r.WithContext(t.Context()))
		if w.Code >= 500 || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %q with %q: got %d %q", verb, target, body, w.Code, w.Body)
		}
	})
}

// FuzzAnswer shows that no answer harms a client, and that only a good status
// is a success.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		`{"name":"n","done":true,"error":{"code":5,"details":[{"@type":"type.googleapis.com/nobody.Knows","a":1e999}]}}`,
		`{"name":"n","metadata":{"@type":"type.googleapis.com/google.protobuf.Any","value":{"@type":"type.googleapis.com/google.rpc.Status","details":[{}]}}}`,
		`{"error":{"code":404,"message":"m","status":"NOT_FOUND","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1s"}]}}`,
		`[{"error":{"code":404}}]`, `{"code":5,"details":[]}`, `<html><title>x</title>`, ``, `null`, `{"error":"x"}`,
		`{"name":"n","response":{"@type":"type.googleapis.com/google.rpc.Status","message":"an Any that this server cannot write as JSON: {\"@type\":\"a/b\",\"value\":\"eA==\"}"}}`,
	} {
		f.Add(200, body)
		f.Add(404, body)
	}
	f.Fuzz(func(t *testing.T, code int, body string) {
		client := newClient(t, "http://h", func(*http.Request) (*http.Response, error) { return response(code, strings.NewReader(body)), nil })
		op, err := client.GetOperation(t.Context(), getRequest)
		if good := 200 <= code && code < 300; err == nil && !good || (err == nil) != (op != nil) {
			t.Errorf("answer %d %q: GetOperation = %v, %v", code, body, op, err)
		}
		if err != nil && (status.Code(err) == codes.OK || err.Error() == "" || len(status.Convert(err).Message()) > 1<<20) {
			t.Errorf("answer %d %q: error is %v", code, body, err)
		}
		if op != nil {
			if _, err := proto.Marshal(op); err != nil {
				t.Errorf("answer %q: operation cannot be encoded: %v", body, err)
			}
		}
		for _, req := range []proto.Message{&longrunningpb.WaitOperationRequest{Name: "operations/x"}, &longrunningpb.CancelOperationRequest{Name: "operations/x"}, &longrunningpb.ListOperationsRequest{}} {
			_ = send(t.Context(), client, req)
		}
	})
}

// FuzzOperation shows that an operation is the same at both ends, whatever it
// holds: over HTTP as over gRPC.
func FuzzOperation(f *testing.F) {
	for _, op := range someOperations(f) {
		data, err := proto.Marshal(op)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		op := &longrunningpb.Operation{}
		if proto.Unmarshal(data, op) != nil {
			return
		}
		// JSON has no room for fields that the message does not have.
		dropUnknown(op.ProtoReflect(), 0)
		if proto.Size(op) == 0 {
			return // {} is not believed to be an operation
		}
		if proto.Equal(op, &longrunningpb.Operation{Result: op.GetResult()}) && op.GetError() != nil {
			return // an error alone is that of a gateway
		}
		client := direct(t, newHandler(t, funcs{get: fixed(op)}))
		got, err := client.GetOperation(t.Context(), getRequest)
		if err != nil {
			t.Fatalf("GetOperation of %v: %v", op, err)
		}
		dropUnknown(got.ProtoReflect(), 0)
		if diff := cmp.Diff(op, got, protocmp.Transform(), cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("GetOperation (-want +got):\n%s", diff)
		}
	})
}

// dropUnknown removes unknown fields from m, also inside of Anys of known types,
// which are encoded anew.
func dropUnknown(m protoreflect.Message, depth int) {
	if a, ok := m.Interface().(*anypb.Any); ok {
		a.ProtoReflect().SetUnknown(nil)
		inner, err := a.UnmarshalNew()
		if err != nil || depth > 50 {
			return
		}
		dropUnknown(inner.ProtoReflect(), depth+1)
		if value, err := (proto.MarshalOptions{Deterministic: true}).Marshal(inner); err == nil {
			a.Value = value
		}
		return
	}
	m.SetUnknown(nil)
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case field.IsMap() && field.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				dropUnknown(v.Message(), depth)
				return true
			})
		case field.IsMap() || field.Message() == nil:
		case field.IsList():
			for i := range v.List().Len() {
				dropUnknown(v.List().Get(i).Message(), depth)
			}
		default:
			dropUnknown(v.Message(), depth)
		}
		return true
	})
}

// someOperations are operations of all sorts.
func someOperations(t testing.TB) []*longrunningpb.Operation {
	t.Helper()
	response := func(a *anypb.Any) *longrunningpb.Operation {
		return &longrunningpb.Operation{Name: "operations/x", Done: true, Result: &longrunningpb.Operation_Response{Response: a}}
	}
	failed := func(st *spb.Status) *longrunningpb.Operation {
		return &longrunningpb.Operation{Name: "operations/x", Done: true, Result: &longrunningpb.Operation_Error{Error: st}}
	}
	full := &lropb.OperationMetadata{
		Target: "t\u2028<&>\"\x00", State: lropb.OperationMetadata_RUNNING, ProgressPercent: -1, Progress: &lropb.Progress{Done: 1 << 62},
		PartialErrors: []*spb.Status{{Code: 5, Details: []*anypb.Any{nobodyKnows, {}}}, {}},
	}
	return []*longrunningpb.Operation{
		{}, {Name: "operations/x"}, {Name: "operations/x", Done: true}, {Metadata: &anypb.Any{}},
		{Name: "operations/x", Metadata: pack(t, full)}, {Name: "operations/x", Metadata: nobodyKnows},
		response(pack(t, full)), response(nobodyKnows), response(&anypb.Any{}), response(&anypb.Any{Value: []byte("x")}),
		response(pack(t, pack(t, nobodyKnows))), response(pack(t, wrapperspb.Double(1e308))),
		response(pack(t, &fieldmaskpb.FieldMask{Paths: []string{"a.b_c", "NotJSON"}})),
		response(&anypb.Any{TypeUrl: "type.googleapis.com/lro.v1.OperationMetadata", Value: []byte{0xff}}),
		response(&anypb.Any{TypeUrl: "other.example/prefix/lro.v1.Progress"}),
		failed(&spb.Status{}), failed(&spb.Status{Code: 1, Message: "cancelled"}), failed(&spb.Status{Code: 99, Details: []*anypb.Any{nobodyKnows, pack(t, full)}}),
	}
}
