package server_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sync"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
)

// Greet is a kind of operation. Messages of the program's own take the place
// of these.
var Greet = server.Kind[*lropb.SimulateRequest, *lropb.SimulateResponse, *lropb.OperationMetadata]{Name: "greet"}

func greet(_ context.Context, task *server.Task[*lropb.OperationMetadata], req *lropb.SimulateRequest) (*lropb.SimulateResponse, error) {
	task.Report(&lropb.OperationMetadata{StatusMessage: "thinking"})
	return &lropb.SimulateResponse{Echo: "hello, " + req.GetEcho()}, nil
}

func Example() {
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	ctx, stop := context.WithCancel(context.Background())
	eng, err := sqlite.Open(ctx, filepath.Join(folder, "operations.db"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Close()
	srv, err := server.New(eng, server.Config{Parent: "projects/p"}, Greet.Handle(greet))
	if err != nil {
		log.Fatal(err)
	}
	// srv.Register(grpcServer) serves it; here it is called in process.
	var working sync.WaitGroup
	working.Go(func() {
		if err := srv.Work(ctx); err != nil {
			log.Print(err)
		}
	})

	op, err := Greet.Start(ctx, srv, &lropb.SimulateRequest{Echo: "world"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	op, err = srv.Operations().WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: op.GetName()})
	if err != nil {
		log.Fatal(err)
	}
	var resp lropb.SimulateResponse
	if err := op.GetResponse().UnmarshalTo(&resp); err != nil {
		log.Fatal(err)
	}
	fmt.Println(op.GetDone(), resp.GetEcho())
	stop()
	working.Wait()
	// Output: true hello, world
}
