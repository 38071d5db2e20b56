package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8710", "`HOST:PORT` of the server")
	http := flag.String("http", "127.0.0.1:8711", "`HOST:PORT` of the server, for HTTP/JSON")
	dir := flag.String("dir", filepath.Join(os.TempDir(), "library"), "`DIR` for operations and archives")
	pace := flag.Duration("pace", 10*time.Millisecond, "`DURATION` spent on each book")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch flag.Arg(0) {
	case "serve":
		check(os.MkdirAll(*dir, 0o700))
		listener, err := net.Listen("tcp", *addr)
		check(err)
		web, err := net.Listen("tcp", *http)
		check(err)
		fmt.Printf("serving gRPC on %s, HTTP/JSON on %s\n", listener.Addr(), web.Addr())
		check(serve(ctx, newLibrary(*dir, *pace), listener, web))
	case "export":
		conn, err := grpc.NewClient(*addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		check(err)
		check(export(ctx, os.Stdout, conn, flag.Arg(1)))
	default:
		log.Fatal("usage: library [flags] serve, or library [flags] export PUBLISHER")
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
