package transporttest

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/go-lro/lro"
)

var callCases = []testCase{
	{"names", func(b bench) {
		s := &service{
			get: answers(succeeded("done")),
			wait: func(context.Context, *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
				return succeeded("done"), nil
			},
			cancel: func(context.Context) error { return nil },
			delete: func(context.Context) error { return nil },
		}
		c := b.client(s)
		for _, name := range []string{
			"operations/x",
			"operations/a/b",
			"operations/Cg0KBWhlbGxv+/8=",
			"operations/a//b/",
			"operations/a b%2Fc?d#e&f",
			"operations/x:cancel",
			"operations/operations/x",
			"operations/ü漢",
			"projects/p/operations/x",
			"projects/p/locations/l/operations/x+y=",
			"projects/example.com:p/operations/x",
			"projects/operations/operations/x",
		} {
			op, err := values.Resume(c, name)
			if err != nil {
				b.Fatalf("Resume(%q): %v", name, err)
			}
			_, waitErr := op.Wait(b.Context())
			_, getErr := c.Get(b.Context(), name)
			for i, err := range []error{waitErr, getErr, c.Cancel(b.Context(), name), c.Delete(b.Context(), name)} {
				if err != nil {
					b.Errorf("call %d with name %q: %v", i, name, err)
				}
			}
			for _, method := range []string{"get", "cancel", "delete"} {
				if calls := s.seen(method); len(calls) == 0 || calls[len(calls)-1].name != name {
					b.Errorf("%s with name %q: service saw %+v", method, name, calls)
				}
			}
		}
	}},
	{"list", func(b bench) {
		s := &service{list: func(_ context.Context, req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
			want := &longrunningpb.ListOperationsRequest{
				Name: "projects/p", Filter: `done:true AND name="a b&c+d=é"`, PageSize: 2, PageToken: req.GetPageToken(), ReturnPartialSuccess: true,
			}
			if diff := cmp.Diff(want, req, protocmp.Transform()); diff != "" {
				return nil, status.Errorf(codes.InvalidArgument, "request (-want +got):\n%s", diff)
			}
			page, err := strconv.Atoi("0" + strings.TrimPrefix(req.GetPageToken(), "/+= &"))
			if err != nil {
				return nil, err
			}
			resp := &longrunningpb.ListOperationsResponse{}
			if page != 1 { // a page may be empty before the end
				for i := range 2 {
					resp.Operations = append(resp.Operations, &longrunningpb.Operation{Name: fmt.Sprintf("operations/%d-%d", page, i), Metadata: unknown()})
				}
			}
			if page < 3 {
				resp.NextPageToken = "/+= &" + strconv.Itoa(page+1)
			}
			if page == 2 {
				resp.Unreachable = []string{"projects/p/locations/down"}
			}
			return resp, nil
		}}
		var got, unreachable []string
		req := &longrunningpb.ListOperationsRequest{Name: "projects/p", Filter: `done:true AND name="a b&c+d=é"`, PageSize: 2, ReturnPartialSuccess: true}
		for page, err := range b.client(s).Pages(b.Context(), req) {
			if err != nil {
				b.Fatalf("Pages: %v", err)
			}
			for _, op := range page.GetOperations() {
				got = append(got, op.GetName())
				if !proto.Equal(op.GetMetadata(), unknown()) {
					b.Errorf("metadata of %q = %v, want %v", op.GetName(), op.GetMetadata(), unknown())
				}
			}
			unreachable = append(unreachable, page.GetUnreachable()...)
		}
		want := []string{"operations/0-0", "operations/0-1", "operations/2-0", "operations/2-1", "operations/3-0", "operations/3-1"}
		if diff := cmp.Diff(want, got); diff != "" {
			b.Errorf("names of all pages (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"projects/p/locations/down"}, unreachable); diff != "" {
			b.Errorf("unreachable of all pages (-want +got):\n%s", diff)
		}
	}},
	{"list of the collection", func(b bench) {
		s := &service{list: func(context.Context, *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
			return &longrunningpb.ListOperationsResponse{}, nil
		}}
		for range b.client(s).List(b.Context(), &longrunningpb.ListOperationsRequest{Name: "operations"}) {
			b.Error("List of nothing yields something")
		}
		if calls := s.seen("list"); len(calls) != 1 || calls[0].name != "operations" {
			b.Errorf("ListOperations got %+v, want one call for operations", calls)
		}
	}},
	{"missing methods", func(b bench) {
		c := b.client(&service{})
		errs := map[string]error{"cancel": c.Cancel(b.Context(), name), "delete": c.Delete(b.Context(), name)}
		for _, err := range c.List(b.Context(), &longrunningpb.ListOperationsRequest{Name: "projects/p"}) {
			errs["list"] = err
		}
		for method, err := range errs {
			if status.Code(err) != codes.Unimplemented {
				b.Errorf("%s of a service without it: got %v, want UNIMPLEMENTED", method, err)
			}
		}
	}},
	{"errors", func(b bench) {
		var answer *spb.Status
		c := b.client(&service{get: func(context.Context, int) (*longrunningpb.Operation, error) {
			return nil, status.ErrorProto(answer)
		}})
		for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
			answer = statusOf(code, fmt.Sprintf("%v: \"text\" of <many> & ünusual\n characters", code),
				&errdetails.ErrorInfo{Reason: "REASON", Domain: "test.example", Metadata: map[string]string{"k": "v"}},
				&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "name", Description: "is bad"}}})
			answer.Details = append(answer.Details, unknown())
			_, err := c.Get(b.Context(), name)
			if diff := cmp.Diff(answer, detailsOf(err), protocmp.Transform()); diff != "" {
				b.Errorf("status of the error %v (-want +got):\n%s", err, diff)
			}
			if !strings.Contains(fmt.Sprint(err), "ünusual") {
				b.Errorf("error is %q, want the service's message in it", err)
			}
		}
	}},
	{"metadata", func(b bench) {
		s := &service{get: answers(succeeded("done"))}
		md := metadata.Pairs("authorization", "Bearer a+b/c=", "x-test", "1", "x-test", "2", "x-test-bin", "\x00\xff\n")
		c := b.client(s, lro.WithMetadata(md))
		if _, err := c.Get(b.Context(), "operations/a b"); err != nil {
			b.Fatal(err)
		}
		got := s.seen("get")[0].md
		md.Set("x-goog-request-params", "name=operations%2Fa+b")
		for key, want := range md {
			if diff := cmp.Diff(want, got[key]); diff != "" {
				b.Errorf("incoming metadata %q (-want +got):\n%s", key, diff)
			}
		}
	}},
}

// detailsOf returns the status inside of an error, as the service sent it.
func detailsOf(err error) *spb.Status {
	for ; err != nil; err = unwrapOne(err) {
		if st, ok := err.(interface{ GRPCStatus() *status.Status }); ok {
			return st.GRPCStatus().Proto()
		}
	}
	return nil
}

func unwrapOne(err error) error {
	if u, ok := err.(interface{ Unwrap() error }); ok {
		return u.Unwrap()
	}
	return nil
}
