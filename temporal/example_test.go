package temporal_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/temporal"
)

// A program with two roles, each of which may run on any number of machines.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := work
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		run = serve
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// serve serves calls and runs no operations.
func serve(ctx context.Context) error {
	c, err := client.DialContext(ctx, client.Options{HostPort: "temporal.example:7233", Namespace: "images"})
	if err != nil {
		return err // Temporal is down: start again later
	}
	defer c.Close()
	engine, err := temporal.Open(ctx, c, &temporal.Options{TaskQueue: "images", Namespace: "images"})
	if err != nil {
		return err
	}
	pageKey, err := os.ReadFile("page-key") // a secret, the same for all servers
	if err != nil {
		return errors.Join(err, engine.Close())
	}
	operations, err := server.New(engine, server.Config{PageKey: pageKey}, resize.Declare())
	if err != nil {
		return errors.Join(err, engine.Close())
	}
	listener, err := net.Listen("tcp", ":8700")
	if err != nil {
		return errors.Join(err, engine.Close())
	}
	grpcServer := grpc.NewServer()
	operations.Register(grpcServer) // and your own service, which calls resize.Start
	// Without handlers, Serve only answers calls.
	return errors.Join(operations.Serve(ctx, grpcServer, listener), engine.Close())
}

// work runs operations and serves no calls.
func work(ctx context.Context) error {
	c, err := client.DialContext(ctx, client.Options{HostPort: "temporal.example:7233", Namespace: "images"})
	if err != nil {
		return err
	}
	defer c.Close()
	engine, err := temporal.Open(ctx, c, &temporal.Options{TaskQueue: "images", Namespace: "images"})
	if err != nil {
		return err
	}
	operations, err := server.New(engine, server.Config{Drain: 20 * time.Second}, resize.Handle(resizeImage))
	if err != nil {
		return errors.Join(err, engine.Close())
	}
	return errors.Join(operations.Work(ctx), engine.Close())
}

// resize is the kind, the same in both roles.
var resize = server.Kind[*structpb.Struct, *structpb.Struct, *lropb.OperationMetadata]{Name: "resize"}

func resizeImage(_ context.Context, _ *server.Task[*lropb.OperationMetadata], image *structpb.Struct) (*structpb.Struct, error) {
	return image, nil
}
