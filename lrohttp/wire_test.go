package lrohttp_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro/lrohttp"
)

// recorder answers every call and keeps its request.
type recorder struct {
	longrunningpb.UnimplementedOperationsServer
	got proto.Message
}

func (r *recorder) GetOperation(_ context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	r.got = req
	return &longrunningpb.Operation{Name: req.GetName()}, nil
}

func (r *recorder) ListOperations(_ context.Context, req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
	r.got = req
	return &longrunningpb.ListOperationsResponse{}, nil
}

func (r *recorder) CancelOperation(_ context.Context, req *longrunningpb.CancelOperationRequest) (*emptypb.Empty, error) {
	r.got = req
	return &emptypb.Empty{}, nil
}

func (r *recorder) DeleteOperation(_ context.Context, req *longrunningpb.DeleteOperationRequest) (*emptypb.Empty, error) {
	r.got = req
	return &emptypb.Empty{}, nil
}

func (r *recorder) WaitOperation(_ context.Context, req *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
	r.got = req
	return &longrunningpb.Operation{Name: req.GetName()}, nil
}

// request is one as it stands on the wire.
type request struct {
	line        string // method and target
	contentType string
	body        string
}

func (r request) request() *http.Request {
	verb, target, _ := strings.Cut(r.line, " ")
	req := httptest.NewRequest(verb, target, strings.NewReader(r.body))
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	return req
}

func (r request) to(h http.Handler) *httptest.ResponseRecorder { return serveOne(h, r.request()) }

func serveOne(h http.Handler, req *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

const jsonType = "application/json"

// TestOfficialClients replays what the official clients were recorded to send:
// Go 1.5.0, Python from 2.11 and before, Node with and without httpRules, Ruby
// 1.3.0.
func TestOfficialClients(t *testing.T) {
	t.Parallel()
	const name = "projects/p/locations/l/operations/op1"
	get := func(name string) proto.Message { return &longrunningpb.GetOperationRequest{Name: name} }
	list := func(name string) proto.Message { return &longrunningpb.ListOperationsRequest{Name: name} }
	cancel := func(name string) proto.Message { return &longrunningpb.CancelOperationRequest{Name: name} }
	del := func(name string) proto.Message { return &longrunningpb.DeleteOperationRequest{Name: name} }
	tests := []struct {
		client string
		req    request
		want   proto.Message
	}{
		{"Go", request{"GET /v1/" + name, jsonType, ""}, get(name)},
		{"Go", request{"GET /v1/operations/Cg0+/8==", jsonType, ""}, get("operations/Cg0+/8==")},
		{"Go", request{"GET /v1/operations/a%20b", jsonType, ""}, get("operations/a b")},
		{"Go", request{"GET /v1/operations?filter=&pageSize=", jsonType, ""}, list("operations")},
		{"Go", request{"GET /v1/projects/p/locations/l/operations?filter=done%3Atrue&pageSize=10", jsonType, ""},
			&longrunningpb.ListOperationsRequest{Name: "projects/p/locations/l", Filter: "done:true", PageSize: 10}},
		{"Go", request{"POST /v1/" + name + ":cancel", jsonType, `{"name":"` + name + `"}`}, cancel(name)},
		{"Go", request{"DELETE /v1/" + name, jsonType, ""}, del(name)},

		{"Python", request{"GET /v1/" + name, jsonType, ""}, get(name)},
		{"Python", request{"GET /v1/operations/operations", jsonType, ""}, list("operations")},
		{"Python", request{"GET /v1/projects/p/locations/l/operations?filter=my_filter&pageSize=10&pageToken=abc", jsonType, ""},
			&longrunningpb.ListOperationsRequest{Name: "projects/p/locations/l", Filter: "my_filter", PageSize: 10, PageToken: "abc"}},
		{"Python", request{"POST /v1/" + name + ":cancel", jsonType, ""}, cancel(name)},
		{"Python", request{"DELETE /v1/" + name, jsonType, ""}, del(name)},
		{"Python before 2.11", request{"GET /v1/operations/x", jsonType, ""}, get("operations/x")},
		{"Python before 2.11", request{"GET /v1/operations", jsonType, ""}, list("operations")},

		{"Node", request{"GET /v1/" + name + "?", jsonType, ""}, get(name)},
		{"Node", request{"GET /v1/" + name + "?$alt=json%3Benum-encoding=int&$prettyPrint=0", jsonType, ""}, get(name)},
		{"Node", request{"GET /v1/operations?filter=&pageSize=0", jsonType, ""}, list("operations")},
		{"Node", request{"POST /v1/" + name + ":cancel?", jsonType, "{}"}, cancel(name)},
		{"Node", request{"DELETE /v1/" + name + "?", jsonType, `""`}, del(name)},
		{"Node without httpRules", request{"GET /v1/operations/projects%2Fp%2Flocations%2Fl%2Foperations%2Fop1?", jsonType, ""}, get(name)},
		{"Node without httpRules", request{"GET /v1/operations/operations%2Fx?", jsonType, ""}, get("operations/x")},
		{"Node without httpRules", request{"POST /v1/operations/x:cancel?", jsonType, "{}"}, cancel("operations/x")},
		{"Node without httpRules", request{"DELETE /v1/operations/x?", jsonType, `""`}, del("operations/x")},

		{"Ruby", request{"GET /v1beta1/operations/op1", jsonType, ""}, get("operations/op1")},
		{"Ruby", request{"GET /v1beta1/operations?filter=&name=&pageSize=&pageToken=&returnPartialSuccess=false", jsonType, ""}, list("operations")},
		{"Ruby", request{"GET /v1beta1/operations?filter=done%3Atrue&name=operations&pageSize=5&pageToken=a%2Bb&returnPartialSuccess=false", jsonType, ""},
			&longrunningpb.ListOperationsRequest{Name: "operations", Filter: "done:true", PageSize: 5, PageToken: "a+b"}},
		{"Ruby", request{"POST /v1beta1/operations/op1:cancel", jsonType, ""}, cancel("operations/op1")},

		{"curl", request{"POST /v1/operations/x:cancel", "application/x-www-form-urlencoded", ""}, cancel("operations/x")},
	}
	for _, tt := range tests {
		t.Run(tt.client+" "+tt.req.line, func(t *testing.T) {
			t.Parallel()
			srv := &recorder{}
			h := newHandler(t, srv, lrohttp.WithRules(append(lrohttp.DefaultRules("v1"), lrohttp.DefaultRules("v1beta1")...)...))
			w := tt.req.to(h)
			if w.Code != http.StatusOK || !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s: got status %d and body %q, want 200 and JSON", tt.req.line, w.Code, w.Body)
			}
			if diff := cmp.Diff(tt.want, srv.got, protocmp.Transform()); diff != "" {
				t.Errorf("%s: request of the service (-want +got):\n%s", tt.req.line, diff)
			}
		})
	}
}

func newHandler(t testing.TB, srv longrunningpb.OperationsServer, opts ...lrohttp.HandlerOption) http.Handler {
	t.Helper()
	h, err := lrohttp.NewHandler(srv, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestRequests has what other clients may send.
func TestRequests(t *testing.T) {
	t.Parallel()
	wait := func(name string, timeout time.Duration) proto.Message {
		return &longrunningpb.WaitOperationRequest{Name: name, Timeout: durationpb.New(timeout)}
	}
	tests := []struct {
		req  request
		want proto.Message
	}{
		{request{"POST /v1/operations/x:wait", jsonType, `{"timeout":"1.5s"}`}, wait("operations/x", 1500*time.Millisecond)},
		{request{"POST /v1/p/operations/x:wait?timeout=2s", "", ""}, wait("p/operations/x", 2*time.Second)},
		{request{"POST /v1/operations/x:wait?timeout=2.5s", jsonType, `{"timeout":"3s"}`}, wait("operations/x", 3*time.Second)},
		{request{"POST /v1/operations/x:wait", "application/json; charset=utf-8", ` {"name":"operations/other", "newField": {}, "timeout":"-1s"} `},
			wait("operations/x", -time.Second)},
		{request{"POST /v1/operations/x:wait", "", ``}, &longrunningpb.WaitOperationRequest{Name: "operations/x"}},
		{request{"GET /v1/operations?page_size=3&page_token=t&return_partial_success=true&return_partial_success=true", "", ""},
			&longrunningpb.ListOperationsRequest{Name: "operations", PageSize: 3, PageToken: "t", ReturnPartialSuccess: true}},
		{request{"GET /v1/operations?name=other&pageSize=-1", "", ""}, &longrunningpb.ListOperationsRequest{Name: "operations", PageSize: -1}},
		{request{"GET /v1/projects%2Fp/operations", "", ""}, &longrunningpb.ListOperationsRequest{Name: "projects/p"}},
		{request{"GET /v1/projects%2Fp%2foperations%2Fx", "", ""}, &longrunningpb.GetOperationRequest{Name: "projects/p/operations/x"}},
		{request{"HEAD /v1/operations/x", "", ""}, &longrunningpb.GetOperationRequest{Name: "operations/x"}},
		{request{"GET /v1/p/operations/x:y", "", ""}, &longrunningpb.GetOperationRequest{Name: "p/operations/x:y"}},
		{request{"GET /v1/operations/a%2Fb", "", ""}, &longrunningpb.GetOperationRequest{Name: "operations/a/b"}},
	}
	for _, tt := range tests {
		t.Run(tt.req.line, func(t *testing.T) {
			t.Parallel()
			srv := &recorder{}
			if w := tt.req.to(newHandler(t, srv)); w.Code != http.StatusOK {
				t.Errorf("%s: got status %d and body %q, want 200", tt.req.line, w.Code, w.Body)
			}
			if diff := cmp.Diff(tt.want, srv.got, protocmp.Transform()); diff != "" {
				t.Errorf("%s: request of the service (-want +got):\n%s", tt.req.line, diff)
			}
		})
	}
}

// TestUnsetFields shows that fields which are unset do not appear: Google's
// Python client fails on "unreachable".
func TestUnsetFields(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"GET /v1/operations":      `{}`,
		"GET /v1/operations/x":    `{"name":"operations/x"}`,
		"DELETE /v1/operations/x": `{}`,
	}
	for line, want := range tests {
		w := request{line: line}.to(newHandler(t, &recorder{}))
		var got, wanted any
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Errorf("%s: body %q: %v", line, w.Body, err)
		}
		if err := json.Unmarshal([]byte(want), &wanted); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Errorf("%s: body (-want +got):\n%s", line, diff)
		}
	}
}

// TestUnwritableAnys shows that what has no JSON comes as a google.rpc.Status,
// which every official client knows, also an Any of nothing: Google's clients
// for Node and Ruby fail on "{}".
func TestUnwritableAnys(t *testing.T) {
	t.Parallel()
	for _, a := range []*anypb.Any{nobodyKnows, {}, {Value: []byte("x")}, {TypeUrl: "type.googleapis.com/lro.v1.Progress", Value: []byte{0xff}}} {
		op := &longrunningpb.Operation{Metadata: a, Done: true, Result: &longrunningpb.Operation_Error{Error: &spb.Status{Code: 5, Details: []*anypb.Any{a}}}}
		type status struct {
			Type    string `json:"@type"`
			Message string
		}
		var got struct {
			Metadata status
			Error    struct{ Details []status }
		}
		w := getX.to(newHandler(t, funcs{get: fixed(op)}))
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Error.Details) != 1 {
			t.Fatalf("body %q: %v, want one detail", w.Body, err)
		}
		for _, s := range []status{got.Metadata, got.Error.Details[0]} {
			if s.Type != "type.googleapis.com/google.rpc.Status" || !strings.HasPrefix(s.Message, "an Any that this server cannot write as JSON: ") {
				t.Errorf("%v is written as %+v, want a Status that tells", a, s)
			}
		}
	}
}

// TestBrokenWait serves the request of Google's Go client, whose WaitOperation
// has no path, to those who want to.
func TestBrokenWait(t *testing.T) {
	t.Parallel()
	rules := lrohttp.DefaultRules("v1")
	for _, r := range rules {
		if strings.HasSuffix(r.GetSelector(), ".WaitOperation") {
			r.AdditionalBindings = append(r.AdditionalBindings, rootRule())
		}
	}
	srv := &recorder{}
	h := newHandler(t, srv, lrohttp.WithRules(rules...))
	if w := (request{line: "GET /?name=operations%2Fabc&timeout=5s"}).to(h); w.Code != http.StatusOK {
		t.Errorf("got status %d and body %q, want 200", w.Code, w.Body)
	}
	want := &longrunningpb.WaitOperationRequest{Name: "operations/abc", Timeout: durationpb.New(5 * time.Second)}
	if diff := cmp.Diff(want, srv.got, protocmp.Transform()); diff != "" {
		t.Errorf("request of the service (-want +got):\n%s", diff)
	}
}
