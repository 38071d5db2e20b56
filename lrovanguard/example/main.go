package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/examples/library/librarypb/librarypbserver"
	"github.com/go-lro/lro/lrovanguard"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
	"github.com/go-lro/lro/server/guard"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8720", "`HOST:PORT` of the server")
	file := flag.String("file", filepath.Join(os.TempDir(), "library.db"), "`FILE` of the operations")
	token := flag.String("token", "", "`TOKEN` that callers must send; default is none")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", *addr)
	if err == nil {
		fmt.Println("serving on", listener.Addr())
		err = serve(ctx, listener, *file, *token)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "example:", err)
		os.Exit(1)
	}
}

// serve serves the library until ctx ends.
func serve(ctx context.Context, listener net.Listener, file, token string) error {
	engine, err := sqlite.Open(ctx, file, nil)
	if err != nil {
		return err
	}
	lib := newLibrary()
	operations, err := server.New(engine, server.Config{ErrorDomain: "library.example"}, librarypbserver.HandleLibrary(lib, lib.kinds)...)
	if err != nil {
		return errors.Join(err, engine.Close())
	}
	grpcServer := grpc.NewServer()
	librarypbserver.RegisterLibrary(grpcServer, operations, lib, lib.kinds)
	return errors.Join(serveAll(ctx, operations, grpcServer, listener, bearer(token)), engine.Close())
}

// serveAll serves a gRPC server over all protocols on one port.
func serveAll(ctx context.Context, operations *server.Server, grpcServer *grpc.Server, listener net.Listener, authenticate authentication) error {
	handler, err := lrovanguard.NewHandler(grpcServer, lrovanguard.Config{Authenticate: authenticate, ErrorDomain: "library.example"})
	if err != nil {
		return err
	}
	web := &http.Server{Handler: handler, Protocols: lrovanguard.Protocols()}

	limits, err := guard.New(guard.Limits{})
	if err != nil {
		return err
	}
	limits.Apply(web)

	return operations.Serve(ctx, nil, nil, server.HTTP(web, listener))
}

type authentication func(ctx context.Context, method string) (context.Context, error)

// bearer admits calls that have a token. An empty one admits all.
func bearer(token string) authentication {
	if token == "" {
		return nil
	}
	st, err := status.New(codes.Unauthenticated, "a bearer token is missing or unknown").
		WithDetails(&errdetails.ErrorInfo{Reason: "TOKEN_UNKNOWN", Domain: "library.example"})
	if err != nil {
		panic(err) // the code is not OK
	}
	return func(ctx context.Context, _ string) (context.Context, error) {
		got := metadata.ValueFromIncomingContext(ctx, "authorization")
		if len(got) != 1 || got[0] != "Bearer "+token {
			return nil, st.Err()
		}
		return ctx, nil
	}
}
