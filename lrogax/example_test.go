package lrogax_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/lrogax"
)

// What the method's operations return, and their metadata: declared once.
var ExportBooks = lro.Method[*librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata]{
	Name: "example.library.v1.Library.ExportBooks",
}

func exportBooks(ctx context.Context, library *LibraryClient, req *librarypb.ExportBooksRequest) (*librarypb.ExportBooksResponse, error) {
	client := lro.NewClient(lrogax.Service(library)) // one for all operations of the service
	started, err := library.ExportBooks(ctx, req)
	if err != nil {
		return nil, err // if the answer was lost, an operation may have been started: see Method.Start
	}
	op, err := lrogax.Operation(client, started)
	if err != nil {
		return nil, err
	}
	return op.Wait(ctx)
}

// Wait for an operation that a generated client has started.
func Example() {
	ctx := context.Background()
	library, stop := dialLibrary(ctx)
	defer stop()

	archive, err := exportBooks(ctx, library, &librarypb.ExportBooksRequest{Parent: "publishers/acme"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(archive.GetFile())
	// Output: acme.tar
}

// Start an operation under one request_id, however many attempts it takes.
func ExampleProto() {
	ctx := context.Background()
	library, stop := dialLibrary(ctx)
	defer stop()
	client := lro.NewClient(lrogax.New(library.LROClient))

	op, err := ExportBooks.Start(ctx, client, func(ctx context.Context, requestID string, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
		started, err := library.ExportBooks(ctx, &librarypb.ExportBooksRequest{Parent: "publishers/acme", RequestId: requestID}, gax.WithGRPCOptions(opts...))
		if err != nil {
			return nil, err
		}
		return lrogax.Proto(ExportBooks, started)
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(op.Name())
	// Output: publishers/acme/operations/1
}

// libraryServer is a library whose exports are done when they are asked for.
type libraryServer struct {
	librarypb.UnimplementedLibraryServer
	longrunningpb.UnimplementedOperationsServer
}

func (libraryServer) ExportBooks(_ context.Context, req *librarypb.ExportBooksRequest) (*longrunningpb.Operation, error) {
	return &longrunningpb.Operation{Name: req.GetParent() + "/operations/1"}, nil
}

func (libraryServer) GetOperation(_ context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	response, err := anypb.New(&librarypb.ExportBooksResponse{File: "acme.tar"})
	if err != nil {
		return nil, err
	}
	return &longrunningpb.Operation{Name: req.GetName(), Done: true, Result: &longrunningpb.Operation_Response{Response: response}}, nil
}

// dialLibrary returns a generated client of a library in memory.
func dialLibrary(ctx context.Context) (library *LibraryClient, stop func()) {
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	librarypb.RegisterLibraryServer(server, libraryServer{})
	longrunningpb.RegisterOperationsServer(server, libraryServer{})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///library",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		log.Fatal(err)
	}
	if library, err = NewLibraryClient(ctx, conn); err != nil {
		log.Fatal(err)
	}
	return library, func() {
		conn.Close()
		server.Stop()
		<-served
	}
}
