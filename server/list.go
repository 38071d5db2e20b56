package server

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/internal/filter"
)

const (
	defaultPageSize = 50
	maxPageSize     = 1000
	// maxPageBytes, and maxListed for the first operation, keep pages below the
	// 4 MiB that gRPC clients accept by default.
	maxPageBytes = 3 << 20
)

// wildcard as a segment of a parent stands for any (AIP-159).
const wildcard = "-"

// ListOperations returns a page of the operations under a parent, newest first.
func (o operations) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
	records, next, err := o.s.list(ctx, req)
	if err != nil {
		return nil, err
	}
	resp := &longrunningpb.ListOperationsResponse{
		Operations:    make([]*longrunningpb.Operation, len(records)),
		NextPageToken: next,
	}
	for i, rec := range records {
		resp.Operations[i] = o.s.listed(rec)
	}
	return resp, nil
}

// list returns the records of a page, and the token of the next.
func (s *Server) list(ctx context.Context, req *longrunningpb.ListOperationsRequest) ([]*engine.Record, string, error) {
	parent, err := parentOf(req.GetName())
	if err != nil {
		return nil, "", s.faults.invalid("name", reasonInvalidName, req.GetName(), "parent %.100q %v", parent, err)
	}
	if err := s.authorize(ctx, Access{Method: "ListOperations", Name: parent}); err != nil {
		return nil, "", err
	}
	q, err := s.query(parent, req)
	if err != nil {
		return nil, "", err
	}
	page, err := s.fetch(ctx, q)
	if err != nil {
		return nil, "", s.engineError(ctx, parent, err)
	}
	if page.Next == "" {
		return page.Records, "", nil
	}
	return page.Records, s.tokens.seal(page.Next, parent, req.GetFilter()), nil
}

func (s *Server) query(parent string, req *longrunningpb.ListOperationsRequest) (engine.Query, error) {
	if req.GetReturnPartialSuccess() {
		return engine.Query{}, s.faults.make(fault{
			code: codes.Unimplemented, reason: reasonPartialUnsupported,
			message: "return_partial_success is not supported",
		})
	}
	size := int(req.GetPageSize())
	if size < 0 {
		return engine.Query{}, s.faults.invalid("page_size", reasonInvalidPageSize, strconv.Itoa(size), "page_size %d is negative", size)
	}
	if size == 0 {
		size = defaultPageSize
	}
	q := engine.Query{Parent: parent, Limit: min(size, maxPageSize)}
	if req.GetPageToken() != "" {
		cursor, err := s.tokens.open(req.GetPageToken(), parent, req.GetFilter())
		if err != nil {
			return engine.Query{}, s.faults.invalid("page_token", reasonInvalidPageToken, req.GetPageToken(), "%v", err)
		}
		q.After = cursor
	}
	f, err := filter.Parse(req.GetFilter(), s.types)
	if err != nil {
		return engine.Query{}, s.faults.invalid("filter", reasonInvalidFilter, req.GetFilter(), "%v", err)
	}
	q.Where = f.Where(s.view)
	if pattern := strings.Split(parent, "/"); slices.Contains(pattern, wildcard) {
		q.Parent, q.AnyParent = "", true
		rest := q.Where.Match
		q.Where.Match = func(r *engine.Record) bool {
			return matchesParent(pattern, r.Parent) && (rest == nil || rest(r))
		}
	}
	return q, nil
}

// filterTypes are the messages that a filter may look into: those of the
// registered kinds, or any where a kind has messages of any type.
func filterTypes(kinds map[string]*kind) filter.Types {
	var t filter.Types
	openMetadata, openResponse := false, false
	for name, k := range kinds {
		t.Kinds = append(t.Kinds, name)
		openMetadata = openMetadata || isAny(k.types.metadata)
		openResponse = openResponse || isAny(k.types.response)
		t.Metadata = append(t.Metadata, k.types.metadata)
		t.Response = append(t.Response, k.types.response)
	}
	if openMetadata {
		t.Metadata = nil
	}
	if openResponse {
		t.Response = nil
	}
	return t
}

// fetch gets a page that is not too large to be sent.
func (s *Server) fetch(ctx context.Context, q engine.Query) (engine.Page, error) {
	page, err := s.engine.List(ctx, q)
	if err != nil {
		return engine.Page{}, err
	}
	bytes := 0
	for i, rec := range page.Records {
		bytes += proto.Size(s.listed(rec))
		if bytes > maxPageBytes && i > 0 {
			// The order is stable, so a shorter page is the beginning of this
			// one, with the cursor of its own end.
			q.Limit = i
			return s.engine.List(ctx, q)
		}
	}
	return page, nil
}

// matchesParent reports whether parent is of the form of pattern. The pattern
// "-" alone is every parent.
func matchesParent(pattern []string, parent string) bool {
	if len(pattern) == 1 {
		return true
	}
	segments := strings.Split(parent, "/")
	return slices.EqualFunc(pattern, segments, func(p, segment string) bool {
		return p == wildcard || p == segment
	})
}
