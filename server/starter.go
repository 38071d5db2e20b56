package server

import (
	"context"
	"maps"
	"slices"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro/lropb"
)

// starter is lro.v1.Starter over a server.
type starter struct {
	lropb.UnimplementedStarterServer
	s *Server
}

// StartOperation starts an operation of any registered kind.
func (t starter) StartOperation(ctx context.Context, req *lropb.StartOperationRequest) (*longrunningpb.Operation, error) {
	s := t.s
	parent := req.GetParent()
	if parent == "" {
		parent = s.config.Parent
	}
	if parent != "" {
		if err := checkStartParent(parent); err != nil {
			return nil, s.faults.invalid("parent", reasonInvalidParent, parent, "parent %.100q %v", parent, err)
		}
	}
	if err := s.authorize(ctx, Access{Method: "StartOperation", Name: parent, Kind: req.GetKind()}); err != nil {
		return nil, err
	}
	k := s.kinds[req.GetKind()]
	if k == nil {
		return nil, s.faults.invalid("kind", reasonUnknownKind, req.GetKind(), "kind %q is not registered", req.GetKind())
	}
	packed := req.GetRequest()
	if packed == nil {
		packed = k.types.emptyRequest
	}
	if name := packed.MessageName(); !isAny(k.types.request) && name != k.types.request.FullName() {
		return nil, s.faults.invalid("request", reasonInvalidRequest, packed.GetTypeUrl(),
			"request is a %q, not a %q", name, k.types.request.FullName())
	}
	return s.start(ctx, k, packed, StartOptions{Parent: parent, RequestID: req.GetRequestId()})
}

// ListKinds lists the registered kinds by name.
func (t starter) ListKinds(ctx context.Context, _ *lropb.ListKindsRequest) (*lropb.ListKindsResponse, error) {
	if err := t.s.authorize(ctx, Access{Method: "ListKinds"}); err != nil {
		return nil, err
	}
	resp := &lropb.ListKindsResponse{}
	for _, name := range slices.Sorted(maps.Keys(t.s.kinds)) {
		types := t.s.kinds[name].types
		resp.Kinds = append(resp.Kinds, &lropb.Kind{
			Name:         name,
			RequestType:  string(types.request.FullName()),
			ResponseType: string(types.response.FullName()),
			MetadataType: string(types.metadata.FullName()),
		})
	}
	return resp, nil
}
