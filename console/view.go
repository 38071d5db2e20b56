package console

import (
	"context"
	"errors"
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// view is the source as one viewer may see it: everything that a page reads goes
// through it, so that no operation is shown which [Config].Authorize was not
// called for by name, however the page came to it.
type view struct {
	h *Handler
	r *http.Request // of the viewer
}

// errHidden is the answer to a viewer who may not see an operation, whether it
// exists or not.
var errHidden = status.Error(codes.PermissionDenied, "You may not see this.")

func (h *Handler) viewOf(r *http.Request) view { return view{h, r} }

// may reports whether the viewer may see an operation.
func (v view) may(name string) bool {
	return v.h.config.Authorize == nil || v.h.permit(v.r, Access{View, name}) == nil
}

// get returns the state of an operation.
func (v view) get(ctx context.Context, name string) (Operation, error) {
	if !v.may(name) {
		return Operation{}, errHidden
	}
	return v.h.source.Get(ctx, name)
}

// list returns one page without the operations that the viewer may not see.
func (v view) list(ctx context.Context, q Query) (Page, error) {
	page, err := v.h.source.List(ctx, q)
	if err != nil || v.h.config.Authorize == nil {
		return page, err
	}
	shown := make([]Operation, 0, len(page.Operations))
	for _, op := range page.Operations {
		if v.may(op.Message.GetName()) {
			shown = append(shown, op)
		}
	}
	page.Operations = shown
	return page, nil
}

// counts returns the numbers of all operations. A viewer whose operations
// Authorize selects gets none, unless the program says that all may see them.
func (v view) counts(ctx context.Context) (Counts, error) {
	if v.h.config.Authorize != nil && !v.h.config.CountAll {
		return nil, errHidden
	}
	s, ok := v.h.source.(Counter)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return s.Count(ctx)
}

// history returns what happened to an operation.
func (v view) history(ctx context.Context, name string) ([]Event, error) {
	s, ok := v.h.source.(Historian)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	if !v.may(name) {
		return nil, errHidden
	}
	return s.History(ctx, name)
}
