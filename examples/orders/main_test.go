package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/lropb"
)

func TestMain(m *testing.M) { leak.Main(pgtest.Shared(m)) }

// TestOrders places orders, waits for their operations and finds them shipped.
func TestOrders(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	web, listener := listen(), listen()
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- run(ctx, url, web, listener) }()
	defer func() {
		stop()
		if err := <-ran; err != nil {
			t.Errorf("run() = %v", err)
		}
	}()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := lro.NewClientConn(conn)
	shipping := lro.Method[*emptypb.Empty, *lropb.OperationMetadata]{}
	var transport http.Transport
	defer transport.CloseIdleConnections()
	for range 3 {
		resp, err := (&http.Client{Transport: &transport}).Post("http://"+web.Addr().String()+"/orders", "text/plain", strings.NewReader("book"))
		if err != nil {
			t.Fatal(err)
		}
		name, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("POST /orders = %s, %q, %v", resp.Status, name, err)
		}
		op, err := shipping.Resume(client, strings.TrimSpace(string(name)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Wait(t.Context()); err != nil {
			t.Errorf("Wait(%q) = %v", name, err)
		}
	}
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	var shipped int
	if err := db.QueryRow(t.Context(), "SELECT count(*) FILTER (WHERE shipped) FROM orders").Scan(&shipped); err != nil || shipped != 3 {
		t.Errorf("%d orders are shipped, %v; want 3", shipped, err)
	}
}
