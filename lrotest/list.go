package lrotest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// defaultPageSize is the size of a page for which the request gives none.
const defaultPageSize = 50

// ListOperations returns a page of the operations whose names begin with the
// request's name and a slash, or of all for an empty one, in the order in which
// they were added. A page has up to page_size operations, by default 50. It
// shows what [Script.Proto] returns and uses up no step.
func (s *Server) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
	if err := s.admit(ctx, ListOperations, req.GetName(), req); err != nil {
		return nil, err
	}
	size := int(req.GetPageSize())
	switch {
	case size < 0:
		return nil, status.Errorf(codes.InvalidArgument, "page_size %d is negative", size)
	case size == 0:
		size = defaultPageSize
	}
	after, err := parsePageToken(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	if req.GetFilter() != "" && s.Filter == nil {
		return nil, status.Errorf(codes.InvalidArgument, "filter %q: the server has no Filter function", req.GetFilter())
	}
	resp := &longrunningpb.ListOperationsResponse{}
	last := after
	for _, op := range s.states(req.GetName(), after) {
		if req.GetFilter() != "" && !s.Filter(req.GetFilter(), op.state) {
			continue
		}
		if len(resp.Operations) == size {
			resp.NextPageToken = strconv.Itoa(last)
			break
		}
		resp.Operations = append(resp.Operations, op.state)
		last = op.number
	}
	return resp, nil
}

// numbered is the state of a script and its number.
type numbered struct {
	number int
	state  *longrunningpb.Operation
}

// states returns the states of the scripts under parent with a number over
// after, in order.
func (s *Server) states(parent string, after int) []numbered {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	prefix := strings.TrimSuffix(parent, "/") + "/"
	var all []numbered
	for script := range maps.Values(s.scripts) {
		if script.deleted || script.number <= after || parent != "" && !strings.HasPrefix(script.name, prefix) {
			continue
		}
		script.advanceLocked(now)
		all = append(all, numbered{script.number, script.stateLocked()})
	}
	slices.SortFunc(all, func(a, b numbered) int { return cmp.Compare(a.number, b.number) })
	return all
}

// parsePageToken reads a page token: the number of the last script of the page
// before, so that what is added or deleted meanwhile does no harm.
func parsePageToken(token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(token)
	if err != nil || n < 1 {
		return 0, status.Errorf(codes.InvalidArgument, "page_token %q is not of this server", token)
	}
	return n, nil
}
