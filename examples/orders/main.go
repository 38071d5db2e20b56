package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/postgres"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	web, err := net.Listen("tcp", "127.0.0.1:8720")
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:8721")
	if err != nil {
		log.Fatal(err)
	}
	if err := run(ctx, os.Getenv("DATABASE_URL"), web, listener); err != nil {
		log.Fatal(err)
	}
}

// ship is the kind of the operations. UNAVAILABLE, while the database restarts for
// example, is followed by another attempt.
var ship = server.Kind[*wrapperspb.StringValue, *emptypb.Empty, *lropb.OperationMetadata]{
	Name:  "ship",
	Retry: server.Retry{MaxAttempts: -1},
}

func run(ctx context.Context, url string, web, listener net.Listener) (err error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, "CREATE TABLE IF NOT EXISTS orders (id bigserial PRIMARY KEY, item text, shipped boolean DEFAULT false)"); err != nil {
		return err
	}
	if _, _, err := postgres.Migrate(ctx, pool, ""); err != nil {
		return err
	}
	engine, err := postgres.Open(ctx, pool, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	s := &shop{engine: engine}
	s.operations, err = server.New(engine, server.Config{PageKey: engine.PageKey()}, ship.Handle(s.ship))
	if err != nil {
		return err
	}
	grpcServer := grpc.NewServer()
	s.operations.Register(grpcServer)
	fmt.Printf("orders at http://%s/orders, their operations at %s\n", web.Addr(), listener.Addr())
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", s.order)
	return s.operations.Serve(ctx, grpcServer, listener, server.HTTP(&http.Server{Handler: mux}, web))
}

type shop struct {
	engine     *postgres.Engine
	operations *server.Server
}

// order stores an order and starts its operation in one transaction.
func (s *shop) order(w http.ResponseWriter, r *http.Request) {
	item, err := io.ReadAll(io.LimitReader(r.Body, 100))
	var name string
	if err == nil {
		err = s.engine.InTx(r.Context(), func(ctx context.Context, tx pgx.Tx) error {
			var id int64
			if err := tx.QueryRow(ctx, "INSERT INTO orders (item) VALUES ($1) RETURNING id", string(item)).Scan(&id); err != nil {
				return err
			}
			op, err := ship.Start(ctx, s.operations, wrapperspb.String(fmt.Sprint(id)), nil)
			name = op.GetName() // known before the commit
			return err
		})
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(w, name)
}

// ship marks an order as shipped and ends its operation in one transaction.
func (s *shop) ship(ctx context.Context, task *server.Task[*lropb.OperationMetadata], id *wrapperspb.StringValue) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, s.engine.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE orders SET shipped = true WHERE id::text = $1", id.GetValue()); err != nil {
			return err
		}
		return ship.Complete(ctx, task, &emptypb.Empty{})
	})
}
