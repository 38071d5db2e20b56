package lrootel_test

import (
	"google.golang.org/grpc"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lrootel"
)

// Record all waits and polls of a client with the global providers.
func ExampleNewObserver() {
	var conn *grpc.ClientConn // of the service

	client := lro.NewClientConn(conn, lro.WithObserver(lrootel.NewObserver()))
	_ = client
}
