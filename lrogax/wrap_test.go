package lrogax_test

import (
	"context"
	"strings"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/lrogax"
)

var burnBooks = lro.Method[*emptypb.Empty, *librarypb.ExportBooksMetadata]{}

func pack(t *testing.T, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestProto(t *testing.T) {
	t.Parallel()
	metadata := pack(t, &librarypb.ExportBooksMetadata{ProgressPercent: 40})
	archive := pack(t, &librarypb.ExportBooksResponse{File: "books.tar"})
	nothing := pack(t, &emptypb.Empty{})
	detailed := &spb.Status{Code: int32(codes.Aborted), Message: "burning", Details: []*anypb.Any{metadata}}
	response := func(a *anypb.Any) *longrunningpb.Operation_Response {
		return &longrunningpb.Operation_Response{Response: a}
	}
	for _, test := range []struct {
		name string
		in   *longrunningpb.Operation
		want *longrunningpb.Operation // nil: as it is
	}{
		{"running", &longrunningpb.Operation{Name: "operations/1"}, nil},
		{"running with metadata", &longrunningpb.Operation{Name: "operations/1", Metadata: metadata}, nil},
		{"succeeded", &longrunningpb.Operation{Name: "operations/1", Metadata: metadata, Done: true, Result: response(archive)}, nil},
		{"succeeded without a name", &longrunningpb.Operation{Done: true, Result: response(archive)}, nil},
		{"failed", &longrunningpb.Operation{Name: "operations/1", Done: true, Result: &longrunningpb.Operation_Error{Error: detailed}}, nil},
		{
			"failed with code 0",
			&longrunningpb.Operation{Name: "operations/1", Done: true, Result: &longrunningpb.Operation_Error{Error: &spb.Status{Message: "lost by gax"}}},
			&longrunningpb.Operation{Name: "operations/1"},
		},
		{
			"done with nothing",
			&longrunningpb.Operation{Name: "operations/1", Done: true},
			&longrunningpb.Operation{Name: "operations/1"},
		},
		{
			"response of another type",
			&longrunningpb.Operation{Name: "operations/1", Done: true, Result: response(nothing)},
			&longrunningpb.Operation{Name: "operations/1"},
		},
		{
			"metadata of another type",
			&longrunningpb.Operation{Name: "operations/1", Metadata: nothing},
			&longrunningpb.Operation{Name: "operations/1"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := lrogax.Proto(ExportBooks, exportBooksOperation(test.in))
			if err != nil {
				t.Fatalf("Proto(%v): %v", test.in, err)
			}
			want := test.want
			if want == nil {
				want = test.in
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("Proto(%v) (-want +got):\n%s", test.in, diff)
			}
		})
	}
}

func TestProtoOfEmpty(t *testing.T) {
	t.Parallel()
	in := &longrunningpb.Operation{
		Name: "operations/1", Done: true, Metadata: pack(t, &librarypb.ExportBooksMetadata{ProgressPercent: 100}),
		Result: &longrunningpb.Operation_Response{Response: pack(t, &emptypb.Empty{})},
	}
	got, err := lrogax.Proto(burnBooks, burnBooksOperation(in))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(in, got, protocmp.Transform()); diff != "" {
		t.Errorf("Proto(%v) (-want +got):\n%s", in, diff)
	}
}

func TestProtoFails(t *testing.T) {
	t.Parallel()
	running := &longrunningpb.Operation{Name: "operations/1"}
	export := lro.Method[*emptypb.Empty, *librarypb.ExportBooksMetadata]{}
	burn := lro.Method[*librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata]{}
	_, wrongResponse := lrogax.Proto(export, exportBooksOperation(running))
	_, noResponse := lrogax.Proto(burn, burnBooksOperation(running))
	_, isNil := lrogax.Proto(ExportBooks, nil)
	_, nameless := lrogax.Proto(ExportBooks, exportBooksOperation(&longrunningpb.Operation{Done: true}))
	_, wrapped := lrogax.Wrap(ExportBooks, nil, nil)
	for _, test := range []struct {
		err  error
		want string
	}{
		{wrongResponse, "has no response of type *emptypb.Empty"},
		{noResponse, "has no response of type *librarypb.ExportBooksResponse"},
		{isNil, "it is nil"},
		{nameless, "unsupported result type"},
		{wrapped, "it is nil"},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.want) {
			t.Errorf("got error %v, want one with %q", test.err, test.want)
		}
	}
}

func TestWrapOfDone(t *testing.T) {
	t.Parallel()
	client := lro.NewClient(lro.GetFunc(func(_ context.Context, name string) (*longrunningpb.Operation, error) {
		t.Errorf("GetOperation of %q, which is known to be done", name)
		return nil, context.Canceled
	}))
	op, err := lrogax.Wrap(ExportBooks, client, exportBooksOperation(&longrunningpb.Operation{
		Name: "operations/1", Done: true,
		Result: &longrunningpb.Operation_Response{Response: pack(t, &librarypb.ExportBooksResponse{File: "books.tar"})},
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := op.Wait(t.Context()); err != nil || got.GetFile() != "books.tar" {
		t.Errorf("Wait: got %v, %v, want books.tar", got, err)
	}
}
