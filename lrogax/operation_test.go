package lrogax_test

import (
	"context"
	"strings"
	"testing"

	lroauto "cloud.google.com/go/longrunning/autogen"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/lrogax"
)

// noCalls is a client of a service that must not be called.
func noCalls(t *testing.T) *lro.Client {
	return lro.NewClient(lro.GetFunc(func(_ context.Context, name string) (*longrunningpb.Operation, error) {
		t.Errorf("GetOperation of %q, which is known to be done", name)
		return nil, context.Canceled
	}))
}

func TestOperationInfersTypes(t *testing.T) {
	t.Parallel()
	metadata := pack(t, &librarypb.ExportBooksMetadata{ProgressPercent: 100})
	op, err := lrogax.Operation(noCalls(t), exportBooksOperation(&longrunningpb.Operation{
		Name: "operations/1", Done: true, Metadata: metadata,
		Result: &longrunningpb.Operation_Response{Response: pack(t, &librarypb.ExportBooksResponse{File: "books.tar"})},
	}))
	if err != nil {
		t.Fatal(err)
	}
	var archive *librarypb.ExportBooksResponse
	if archive, err = op.Wait(t.Context()); err != nil || archive.GetFile() != "books.tar" {
		t.Errorf("Wait: got %v, %v, want books.tar", archive, err)
	}
	var md *librarypb.ExportBooksMetadata
	if md, _ = op.Metadata(); md.GetProgressPercent() != 100 {
		t.Errorf("Metadata: got %v, want 100 %%", md)
	}

	burnt, err := lrogax.EmptyOperation(noCalls(t), burnBooksOperation(&longrunningpb.Operation{
		Name: "operations/1", Done: true, Metadata: metadata,
		Result: &longrunningpb.Operation_Response{Response: pack(t, &emptypb.Empty{})},
	}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := burnt.Wait(t.Context()); err != nil {
		t.Errorf("Wait: %v", err)
	}
	if md, _ = burnt.Metadata(); md.GetProgressPercent() != 100 {
		t.Errorf("Metadata: got %v, want 100 %%", md)
	}
}

func TestOperationFails(t *testing.T) {
	t.Parallel()
	nameless := &longrunningpb.Operation{}
	failed := &longrunningpb.Operation{
		Name: "operations/1", Done: true,
		Result: &longrunningpb.Operation_Error{Error: status.New(codes.Aborted, "burning").Proto()},
	}
	_, noOperation := lrogax.Operation[*librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata](noCalls(t), nil)
	_, noEmpty := lrogax.EmptyOperation[*librarypb.ExportBooksMetadata](noCalls(t), nil)
	_, noName := lrogax.Wait(t.Context(), noCalls(t), exportBooksOperation(nameless))
	_, noClient := lrogax.Operation(nil, exportBooksOperation(failed))
	_, aborted := lrogax.Wait(t.Context(), noCalls(t), exportBooksOperation(failed))
	for _, test := range []struct {
		err  error
		want string
	}{
		{noOperation, "it is nil"},
		{noEmpty, "it is nil"},
		{noName, "it has no name"},
		{lrogax.WaitEmpty(t.Context(), noCalls(t), burnBooksOperation(nameless)), "it has no name"},
		{noClient, "client is nil"},
		{aborted, "burning"},
		{lrogax.WaitEmpty(t.Context(), noCalls(t), burnBooksOperation(failed)), "burning"},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.want) {
			t.Errorf("got error %v, want one with %q", test.err, test.want)
		}
	}
}

// valueOperation is a generated operation in a type that was not generated.
type valueOperation struct{ *ExportBooksOperation }

// TestMethodOfUnknown: without a descriptor that fits, a method has no name.
// The names of generated operations are tested in internal/lrogen/google.
func TestMethodOfUnknown(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]lro.Method[*librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata]{
		"not above the messages": lrogax.MethodOf((*ExportBooksOperation)(nil)),
		"value":                  lrogax.MethodOf(valueOperation{}),
		"without a name":         lrogax.MethodOf(struct{ *ExportBooksOperation }{}),
		"interface":              lrogax.MethodOf[*librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata](nil),
	} {
		if m.Name != "" || m.Policy != nil {
			t.Errorf("MethodOf of %s: got %+v, want no name", name, m)
		}
	}
	if m := lrogax.EmptyMethodOf((*BurnBooksOperation)(nil)); m.Name != "" {
		t.Errorf("EmptyMethodOf: got name %q, want none", m.Name)
	}
}

// unrelated has methods with the names of google.longrunning's and other
// signatures.
type unrelated struct{}

func (unrelated) GetOperation(_ context.Context, req *longrunningpb.GetOperationRequest, _ ...gax.CallOption) (*longrunningpb.Operation, error) {
	return &longrunningpb.Operation{Name: req.GetName()}, nil
}
func (unrelated) CancelOperation(context.Context, string, ...gax.CallOption) error { return nil }
func (unrelated) DeleteOperation(context.Context, *longrunningpb.DeleteOperationRequest) error {
	return nil
}
func (unrelated) WaitOperation(context.Context, *longrunningpb.WaitOperationRequest, ...gax.CallOption) error {
	return nil
}

// hidden has a field LROClient that cannot be reached.
type hidden struct {
	unrelated
	*inner
}

type inner struct{ LROClient *lroauto.OperationsClient }

func TestServiceOfOthers(t *testing.T) {
	t.Parallel()
	for _, generated := range []lrogax.GeneratedClient{unrelated{}, &unrelated{}, hidden{}} {
		service := lrogax.Service(generated)
		if _, ok := service.(interface {
			WaitOperation(context.Context, *longrunningpb.WaitOperationRequest, ...grpc.CallOption) (*longrunningpb.Operation, error)
		}); ok {
			t.Errorf("Service(%T) has WaitOperation, want none", generated)
		}
		client := lro.NewClient(service)
		if op, err := client.Get(t.Context(), "operations/1"); err != nil || op.GetName() != "operations/1" {
			t.Errorf("Get through %T: got %v, %v, want the operation", generated, op, err)
		}
		for _, err := range []error{
			client.Cancel(t.Context(), "operations/1"),
			client.Delete(t.Context(), "operations/1"),
			listError(t.Context(), client),
		} {
			if status.Code(err) != codes.Unimplemented {
				t.Errorf("call through %T: got error %v, want UNIMPLEMENTED", generated, err)
			}
		}
	}
}

func listError(ctx context.Context, c *lro.Client) error {
	for _, err := range c.List(ctx, &longrunningpb.ListOperationsRequest{}) {
		return err
	}
	return nil
}

func TestServiceOfNil(t *testing.T) {
	t.Parallel()
	for _, generated := range []lrogax.GeneratedClient{nil, (*unrelated)(nil), (*lroauto.OperationsClient)(nil)} {
		_, err := lro.NewClient(lrogax.Service(generated)).Get(t.Context(), "operations/1")
		if status.Code(err) != codes.FailedPrecondition {
			t.Errorf("Get through %T: got error %v, want FAILED_PRECONDITION", generated, err)
		}
	}
}
