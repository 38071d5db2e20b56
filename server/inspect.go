package server

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro/server/engine"
)

// Inspector returns what a server knows about its operations beyond
// google.longrunning.Operations: their records, counts, history and changes. It
// is for operators' tools, such as a console.
//
// Every method calls [Config].Authorize, as the named RPC, and returns the
// errors of this RPC. If the engine lacks a capability, the error wraps
// [errors.ErrUnsupported]. All methods are safe for concurrent use.
type Inspector struct {
	s *Server
}

// Inspect returns an inspector of the server.
func (s *Server) Inspect() Inspector { return Inspector{s} }

// List is ListOperations, with records instead of messages. It also returns
// the token of the next page, empty at the end.
func (i Inspector) List(ctx context.Context, req *longrunningpb.ListOperationsRequest) ([]*Record, string, error) {
	return i.s.list(ctx, req)
}

// Get is GetOperation, with a record instead of a message.
func (i Inspector) Get(ctx context.Context, name string) (*Record, error) {
	return i.s.get(ctx, name)
}

// View returns a record's operation as clients see it. It is shared and must
// not be modified. It does not call [Config].Authorize: a caller that has the
// record may see it.
func (i Inspector) View(rec *Record) *longrunningpb.Operation { return i.s.view(rec) }

// Stats counts the operations under all parents. It is authorized as
// ListOperations of the parent "-".
func (i Inspector) Stats(ctx context.Context) (Stats, error) {
	eng, ok := i.s.engine.(engine.Statser)
	if !ok {
		return Stats{}, errUnsupported
	}
	if err := i.s.authorize(ctx, Access{Method: "ListOperations", Name: wildcard}); err != nil {
		return Stats{}, err
	}
	stats, err := eng.Stats(ctx)
	if err != nil {
		return Stats{}, i.unlessUnsupported(ctx, "", err)
	}
	return stats, nil
}

// History returns what happened to an operation, oldest first. It is
// authorized as GetOperation.
func (i Inspector) History(ctx context.Context, name string) ([]Event, error) {
	eng, ok := i.s.engine.(engine.Historian)
	if !ok {
		return nil, errUnsupported
	}
	if err := i.s.admit(ctx, "GetOperation", name); err != nil {
		return nil, err
	}
	events, err := eng.History(ctx, name)
	if err != nil {
		return nil, i.unlessUnsupported(ctx, name, err)
	}
	return events, nil
}

// Subscribe yields the changes under all parents that are made after the call.
// Those of one operation come in order; several in quick succession may be
// merged into the latest. The iterator can be used once, and ends with ctx's
// error or with [ErrLagged]. It is authorized as ListOperations of the parent
// "-". Errors in the iterator are the engine's.
func (i Inspector) Subscribe(ctx context.Context) (iter.Seq2[Change, error], error) {
	eng, ok := i.s.engine.(engine.Subscriber)
	if !ok {
		return nil, errUnsupported
	}
	if err := i.s.authorize(ctx, Access{Method: "ListOperations", Name: wildcard}); err != nil {
		return nil, err
	}
	return eng.Subscribe(ctx), nil
}

// unlessUnsupported translates an error of the engine, but lets an engine that
// only wraps another one say that it cannot do this after all.
func (i Inspector) unlessUnsupported(ctx context.Context, name string, err error) error {
	if errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return i.s.engineError(ctx, name, err)
}

// errUnsupported is what the caller of a capability gets that the engine lacks.
var errUnsupported = fmt.Errorf("%w: this engine does not offer it", errors.ErrUnsupported)
