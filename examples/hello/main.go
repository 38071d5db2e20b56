package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
)

// A kind of operation for who serves, a method for who waits. Bring your own messages.
var greet = server.Kind[*lropb.SimulateRequest, *lropb.SimulateResponse, *lropb.OperationMetadata]{Name: "greet"}
var greeting = lro.Method[*lropb.SimulateResponse, *lropb.OperationMetadata]{}

func handle(_ context.Context, task *server.Task[*lropb.OperationMetadata], req *lropb.SimulateRequest) (*lropb.SimulateResponse, error) {
	for i := range int64(5) {
		time.Sleep(300 * time.Millisecond)
		task.Report(&lropb.OperationMetadata{Progress: &lropb.Progress{Done: i + 1, Total: 5}})
	}
	return &lropb.SimulateResponse{Echo: "Hello, " + req.GetEcho() + "!"}, nil
}

func main() {
	ctx, stop := context.WithCancel(context.Background())
	engine := must(sqlite.Open(ctx, os.TempDir()+"/hello.db", nil))
	operations := must(server.New(engine, server.Config{}, greet.Handle(handle)))
	grpcServer, listener, served := grpc.NewServer(), must(net.Listen("tcp", "127.0.0.1:0")), make(chan error, 1)
	operations.Register(grpcServer)
	go func() { served <- operations.Serve(ctx, grpcServer, listener) }() // runs handlers and answers calls
	conn := must(grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials())))
	started := must(greet.Start(ctx, operations, &lropb.SimulateRequest{Echo: "world"}, nil)) // what your RPC method returns
	op := must(greeting.Wrap(lro.NewClientConn(conn), started))
	for state, err := range op.Progress(ctx) {
		md, _ := must(state, err).Metadata()
		fmt.Println(md.GetState(), md.GetProgressPercent(), "%")
	}
	fmt.Println(must(op.Wait(ctx)).GetEcho())
	stop() // lets handlers and calls finish
	must(0, <-served)
	must(0, engine.Close())
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
