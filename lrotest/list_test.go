package lrotest_test

import (
	"fmt"
	"strings"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lrotest"
)

func TestList(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		parent string
		size   int32
		filter string
		want   string // IDs; a bar ends a page
	}{
		{"all below", "projects/p", 0, "", "1 2 3 5 6"},
		{"pages", "projects/p", 2, "", "1 2|3 5|6"},
		{"pages that fit", "projects/p", 5, "", "1 2 3 5 6"},
		{"collection", "projects/p/operations", 0, "", "1 2 3 5 6"},
		{"other parent", "projects/q", 0, "", "4"},
		{"part of a segment", "projects", 3, "", "1 2 3|4 5 6"},
		{"unknown parent", "projects/pp", 0, "", ""},
		{"filter", "projects/p", 2, "done", "1 3|5"},
		{"filter that leaves none", "projects/q", 0, "done", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubbles(t, func(t *testing.T, tr transport) {
				srv := lrotest.Server{Filter: func(filter string, op *longrunningpb.Operation) bool {
					return filter == "done" && op.GetDone()
				}}
				for i, parent := range []string{"p", "p", "p", "q", "p", "p"} {
					step := lrotest.Running(nil)
					if i%2 == 0 {
						step = lrotest.Succeeded(value("r"))
					}
					srv.Add(fmt.Sprintf("projects/%s/operations/%d", parent, i+1), step)
				}
				var pages []string
				client := lro.NewClient(tr.connect(t, &srv))
				req := &longrunningpb.ListOperationsRequest{Name: tt.parent, PageSize: tt.size, Filter: tt.filter}
				for page, err := range client.Pages(t.Context(), req) {
					if err != nil {
						t.Fatalf("Pages(%v): %v", req, err)
					}
					var ids []string
					for _, op := range page.GetOperations() {
						ids = append(ids, op.GetName()[strings.LastIndexByte(op.GetName(), '/')+1:])
					}
					pages = append(pages, strings.Join(ids, " "))
				}
				if got := strings.Join(pages, "|"); got != tt.want {
					t.Errorf("Pages(%v): got %q, want %q", req, got, tt.want)
				}
			})
		})
	}
}

// What is added and deleted between two pages moves nothing.
func TestListMeanwhile(t *testing.T) {
	t.Parallel()
	var srv lrotest.Server
	for range 60 {
		srv.Add("")
	}
	stub := srv.Stub()
	page, err := stub.ListOperations(t.Context(), &longrunningpb.ListOperationsRequest{Name: "operations"})
	if err != nil || len(page.GetOperations()) != 50 {
		t.Fatalf("ListOperations: (%d operations, %v), want a page of 50", len(page.GetOperations()), err)
	}
	for _, gone := range []string{"operations/1", "operations/50", "operations/51"} {
		if _, err := stub.DeleteOperation(t.Context(), &longrunningpb.DeleteOperationRequest{Name: gone}); err != nil {
			t.Fatal(err)
		}
	}
	srv.Add("")
	page, err = stub.ListOperations(t.Context(), &longrunningpb.ListOperationsRequest{Name: "operations", PageToken: page.GetNextPageToken()})
	if err != nil || page.GetNextPageToken() != "" {
		t.Fatalf("ListOperations: token %q, error %v, want the last page", page.GetNextPageToken(), err)
	}
	ops := page.GetOperations()
	if len(ops) != 10 || ops[0].GetName() != "operations/52" || ops[9].GetName() != "operations/61" {
		t.Errorf("second page: %v, want operations/52 to 61", ops)
	}
}

func TestListRefuses(t *testing.T) {
	t.Parallel()
	for _, req := range []*longrunningpb.ListOperationsRequest{
		{PageSize: -1},
		{PageToken: "x"},
		{PageToken: "-1"},
		{Filter: "done"}, // without Server.Filter
	} {
		var srv lrotest.Server
		if page, err := srv.Stub().ListOperations(t.Context(), req); status.Code(err) != codes.InvalidArgument {
			t.Errorf("ListOperations(%v): (%v, %v), want InvalidArgument", req, page, err)
		}
	}
}

// Looking is not asking.
func TestListUsesNoStep(t *testing.T) {
	t.Parallel()
	var srv lrotest.Server
	script := srv.Add(name, lrotest.PollError(codes.Internal, ""), lrotest.Running(value("a")), lrotest.Succeeded(nil))
	for range 3 {
		if _, err := srv.Stub().ListOperations(t.Context(), &longrunningpb.ListOperationsRequest{}); err != nil {
			t.Fatal(err)
		}
		if got := summary(script.Proto(), nil); got != "running" {
			t.Errorf("Proto: %q, want running, as before the first state", got)
		}
	}
	if left := script.Unused(); len(left) != 3 {
		t.Errorf("Unused: %v, want all", left)
	}
}
