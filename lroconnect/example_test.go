package lroconnect_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lroconnect"
)

// A service of one's own: here, one whose only operation is done.
type library struct {
	longrunningpb.UnimplementedOperationsServer
}

func (library) GetOperation(_ context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	response, err := anypb.New(wrapperspb.String("42 books exported"))
	if err != nil {
		return nil, err
	}
	return &longrunningpb.Operation{
		Name: req.GetName(), Done: true, Result: &longrunningpb.Operation_Response{Response: response},
	}, nil
}

// Serve operations to Connect clients, and wait for one of them.
func Example() {
	mux := http.NewServeMux()
	mux.Handle(lroconnect.NewHandler(library{}))
	server := httptest.NewServer(mux)
	defer server.Close()

	client := lro.NewClient(lroconnect.NewClient(server.Client(), server.URL))
	export := lro.Method[*wrapperspb.StringValue, *anypb.Any]{}
	op, err := export.Resume(client, "operations/export-1")
	if err != nil {
		log.Fatal(err)
	}
	result, err := op.Wait(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.GetValue())
	// Output: 42 books exported
}
