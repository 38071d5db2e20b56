package lro

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// pagedService lists pages in turn, each but the last with a token.
type pagedService struct {
	fakeService
	pages    [][]string
	requests []*longrunningpb.ListOperationsRequest
	routing  [][]string
	token    func(i int) string
	deleted  []string
}

func (s *pagedService) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest, _ ...grpc.CallOption) (*longrunningpb.ListOperationsResponse, error) {
	i := len(s.requests)
	s.requests = append(s.requests, req)
	md, _ := metadata.FromOutgoingContext(ctx)
	s.routing = append(s.routing, md.Get("x-goog-request-params"))
	if i >= len(s.pages) {
		return nil, status.Error(codes.InvalidArgument, "no such page")
	}
	page := &longrunningpb.ListOperationsResponse{NextPageToken: s.token(i)}
	for _, name := range s.pages[i] {
		page.Operations = append(page.Operations, &longrunningpb.Operation{Name: name})
	}
	return page, nil
}

func (s *pagedService) DeleteOperation(_ context.Context, req *longrunningpb.DeleteOperationRequest, _ ...grpc.CallOption) (*emptypb.Empty, error) {
	s.deleted = append(s.deleted, req.GetName())
	return &emptypb.Empty{}, nil
}

func numbered(last int) func(int) string {
	return func(i int) string {
		if i == last {
			return ""
		}
		return fmt.Sprint("page ", i+1)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	s := &pagedService{pages: [][]string{{"a", "b", "c"}, {}, {"d"}, {"e", "f"}}, token: numbered(3)}
	c := NewClient(s)
	req := &longrunningpb.ListOperationsRequest{Name: "projects/p", Filter: "done:true", PageSize: 3}
	for round := range 2 {
		s.requests = nil
		var names []string
		for op, err := range c.List(t.Context(), req) {
			if err != nil {
				t.Fatalf("round %d: List: %v", round, err)
			}
			names = append(names, op.GetName())
		}
		if want := []string{"a", "b", "c", "d", "e", "f"}; !slices.Equal(names, want) {
			t.Errorf("round %d: List = %q, want %q", round, names, want)
		}
		for i, r := range s.requests {
			want := ""
			if i > 0 {
				want = fmt.Sprint("page ", i)
			}
			if r.GetName() != "projects/p" || r.GetFilter() != "done:true" || r.GetPageSize() != 3 || r.GetPageToken() != want {
				t.Errorf("request %d is %v, want the first one's fields and token %q", i, r, want)
			}
			if got := s.routing[i]; !slices.Equal(got, []string{"name=projects%2Fp"}) {
				t.Errorf("request %d is routed by %q", i, got)
			}
		}
	}
	if req.GetPageToken() != "" {
		t.Error("the caller's request was changed")
	}
}

func TestListStopsWhenLeft(t *testing.T) {
	t.Parallel()
	s := &pagedService{pages: [][]string{{"a", "b"}, {"c"}}, token: numbered(1)}
	for op := range NewClient(s).List(t.Context(), &longrunningpb.ListOperationsRequest{}) {
		if op.GetName() == "b" {
			break
		}
	}
	if len(s.requests) != 1 {
		t.Errorf("asked for %d pages, want 1: the second was not needed", len(s.requests))
	}
}

func TestListErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		service Service
		items   int
		code    codes.Code
	}{
		{"unimplemented", &fakeService{}, 0, codes.Unimplemented},
		{"second page fails", &pagedService{pages: [][]string{{"a"}}, token: numbered(5)}, 1, codes.InvalidArgument},
		{"tokens go round", &pagedService{pages: [][]string{{"a"}, {"b"}, {"c"}, {"d"}, {"e"}, {"f"}}, token: func(n int) string { return string(rune('A' + n%2)) }}, 3, codes.Unknown},
		{"token repeats", &pagedService{pages: [][]string{{"a"}, {"b"}, {"c"}}, token: func(int) string { return "again" }}, 2, codes.Unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			items, errs := 0, 0
			for op, err := range NewClient(test.service).List(t.Context(), &longrunningpb.ListOperationsRequest{}) {
				if err == nil {
					items++
					continue
				}
				errs++
				if op != nil || status.Code(err) != test.code {
					t.Errorf("List yields %v, %v, want nil and %v", op, err, test.code)
				}
			}
			if items != test.items || errs != 1 {
				t.Errorf("List yields %d items and %d errors, want %d and 1", items, errs, test.items)
			}
		})
	}
}

func TestClientByName(t *testing.T) {
	t.Parallel()
	s := &pagedService{}
	s.get = func(context.Context, int) (*longrunningpb.Operation, error) { return running("x"), nil }
	s.cancel = func(context.Context) error { return nil }
	c := NewClient(s)
	if op, err := c.Get(t.Context(), testName); err != nil || op.GetName() != testName {
		t.Errorf("Get = %v, %v", op, err)
	}
	if err := c.Cancel(t.Context(), testName); err != nil {
		t.Errorf("Cancel: %v", err)
	}
	op, err := Strings.Resume(c, testName)
	if err != nil {
		t.Fatal(err)
	}
	if err := op.Delete(t.Context()); err != nil || !slices.Equal(s.deleted, []string{testName}) {
		t.Errorf("Delete: %v, deleted %q", err, s.deleted)
	}
	bare := NewClient(s.pollOnly())
	for what, err := range map[string]error{
		"Cancel": bare.Cancel(t.Context(), testName),
		"Delete": bare.Delete(t.Context(), testName),
	} {
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("%s without the method: %v, want UNIMPLEMENTED", what, err)
		}
	}
	none := NewClient(GetFunc(func(context.Context, string) (*longrunningpb.Operation, error) { return nil, nil }))
	if op, err := none.Get(t.Context(), testName); op != nil || !errors.Is(err, errNoAnswer) {
		t.Errorf("Get of nothing = %v, %v, want an error", op, err)
	}
}
