package lrohttp_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lrohttp"
)

// A service of one's own: here, one whose only operation has already ended.
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

// Serve operations on a mux, and wait for one of them.
func Example() {
	handler, err := lrohttp.NewHandler(library{})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/", handler)
	server := httptest.NewServer(mux)
	defer server.Close()

	service, err := lrohttp.NewClient(server.URL, lrohttp.WithHTTPClient(server.Client()))
	if err != nil {
		log.Fatal(err)
	}
	export := lro.Method[*wrapperspb.StringValue, *anypb.Any]{}
	op, err := export.Resume(lro.NewClient(service), "operations/export-1")
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

// Speech-to-Text has names without a collection. Its paths are data, as in its
// service configuration.
func ExampleWithRules() {
	service, err := lrohttp.NewClient("https://speech.googleapis.com", lrohttp.WithRules(
		&annotations.HttpRule{
			Selector: "google.longrunning.Operations.GetOperation",
			Pattern:  &annotations.HttpRule_Get{Get: "/v1/operations/{name=**}"},
		},
	))
	if err != nil {
		log.Fatal(err)
	}
	_ = lro.NewClient(service)
}

// Two versions of an API on one handler.
func ExampleDefaultRules() {
	rules := append(lrohttp.DefaultRules("v1"), lrohttp.DefaultRules("v1beta1")...)
	handler, err := lrohttp.NewHandler(library{}, lrohttp.WithRules(rules...))
	if err != nil {
		log.Fatal(err)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1beta1/operations/export-1", nil))
	fmt.Println(w.Code)
	// Output: 200
}
