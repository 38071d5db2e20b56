package lrohttp_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/lrohttp"
	"github.com/go-lro/lro/lropb"
)

// nobodyKnows is an Any of a type that is linked nowhere.
var nobodyKnows = &anypb.Any{TypeUrl: "type.googleapis.com/nobody.Knows", Value: []byte("\x0a\x03abc")}

// starter starts whatever it is told to.
type starter struct {
	lropb.UnimplementedStarterServer
	got *lropb.StartOperationRequest
}

func (s *starter) StartOperation(_ context.Context, req *lropb.StartOperationRequest) (*longrunningpb.Operation, error) {
	s.got = req
	if req.GetKind() == "" {
		return nil, status.Error(codes.InvalidArgument, "kind is missing")
	}
	return &longrunningpb.Operation{Name: "operations/1", Metadata: req.GetRequest()}, nil
}

func (s *starter) ListKinds(context.Context, *lropb.ListKindsRequest) (*lropb.ListKindsResponse, error) {
	return &lropb.ListKindsResponse{Kinds: []*lropb.Kind{{Name: "k", RequestType: "a.B"}}}, nil
}

func TestStarter(t *testing.T) {
	t.Parallel()
	s := &starter{}
	client := serve(t, &recorder{}, []lrohttp.HandlerOption{lrohttp.WithStarter(s)}, nil)
	for _, req := range []*lropb.StartOperationRequest{
		{Kind: "k", RequestId: "r", Request: pack(t, &lropb.ChecksumRequest{Dir: "/tmp"})},
		{Kind: "k", Parent: "projects/p/locations/l"},
	} {
		op, err := client.StartOperation(t.Context(), req)
		if err != nil || op.GetName() != "operations/1" {
			t.Errorf("StartOperation(%v) = %v, %v, want operations/1", req, op, err)
		}
		if diff := cmp.Diff(req, s.got, protocmp.Transform()); diff != "" {
			t.Errorf("request of the service (-want +got):\n%s", diff)
		}
	}
	if _, err := client.StartOperation(t.Context(), &lropb.StartOperationRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("StartOperation without kind: got %v, want INVALID_ARGUMENT", err)
	}
	kinds, err := client.ListKinds(t.Context(), &lropb.ListKindsRequest{})
	if err != nil || len(kinds.GetKinds()) != 1 || kinds.GetKinds()[0].GetRequestType() != "a.B" {
		t.Errorf("ListKinds = %v, %v, want one kind", kinds, err)
	}
	without := serve(t, &recorder{}, nil, nil)
	if _, err := without.ListKinds(t.Context(), &lropb.ListKindsRequest{}); status.Code(err) != codes.NotFound {
		t.Errorf("ListKinds of a handler without Starter: got %v, want NOT_FOUND", err)
	}
}

// TestStarterBodies has what a person may type, and typing errors.
func TestStarterBodies(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		`{"kind":"k","request":{"@type":"type.googleapis.com/lro.v1.ChecksumRequest","dir":"/tmp"},"requestId":"r"}`: http.StatusOK,
		`{"kind":"k","request_id":"r"}`: http.StatusOK,
		`{"kind":"k","requestid":"r"}`:  http.StatusBadRequest,
		`{"kind":"k","request":{"@type":"type.googleapis.com/lro.v1.ChecksumRequest","dri":"/tmp"}}`:                                                      http.StatusBadRequest,
		`{"kind":"k","request":{"@type":"type.googleapis.com/nobody.Knows"}}`:                                                                             http.StatusBadRequest,
		`{"kind":"k","request":{"dir":"/tmp"}}`:                                                                                                           http.StatusBadRequest,
		`{"kind":"k","request":` + strings.Repeat(`{"@type":"type.googleapis.com/google.protobuf.Any","value":`, 1000) + `{}` + strings.Repeat(`}`, 1001): http.StatusBadRequest,
		``: http.StatusBadRequest,
	} {
		h := newHandler(t, &recorder{}, lrohttp.WithStarter(&starter{}))
		if w := (request{"POST /v1/operations:start", jsonType, body}).to(h); w.Code != want {
			t.Errorf("body %.200s: got %d %s, want %d", body, w.Code, w.Body, want)
		}
	}
}
