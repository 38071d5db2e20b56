package docs_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/postgres"
)

// The code of engines.md.

var shipping = server.Kind[*wrapperspb.StringValue, *emptypb.Empty, *lropb.OperationMetadata]{
	Name:  "ship",
	Retry: server.Retry{MaxAttempts: -1}, // after UNAVAILABLE: the database was restarted, for example
}

func placeOrder(ctx context.Context, orders *server.Server, engine *postgres.Engine, item string) (name string, err error) {
	err = engine.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO orders (item) VALUES ($1)", item); err != nil {
			return err
		}
		op, err := shipping.Start(ctx, orders, wrapperspb.String(item), nil)
		name = op.GetName() // known before the commit
		return err
	})
	return name, err
}

func placeOrderSQL(ctx context.Context, orders *server.Server, engine *postgres.Engine, db *sql.DB, item string) (name string, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return "", err
	}
	defer tx.Rollback() // without effect after the commit
	if _, err := tx.ExecContext(ctx, "INSERT INTO orders (item) VALUES ($1)", item); err != nil {
		return "", err
	}
	inTx := postgres.WithSQLTx(ctx, tx)
	op, err := shipping.Start(inTx, orders, wrapperspb.String(item), nil)
	if err != nil {
		return "", err
	}
	if err := tx.Commit(); err != nil {
		return "", err
	}
	engine.Committed(inTx) // workers begin at once
	return op.GetName(), nil
}

func ship(engine *postgres.Engine) server.Handler[*wrapperspb.StringValue, *emptypb.Empty, *lropb.OperationMetadata] {
	return func(ctx context.Context, task *server.Task[*lropb.OperationMetadata], item *wrapperspb.StringValue) (*emptypb.Empty, error) {
		err := engine.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "UPDATE stock SET n = n - 1 WHERE item = $1", item.GetValue()); err != nil {
				return err
			}
			return shipping.Complete(ctx, task, &emptypb.Empty{})
		})
		return &emptypb.Empty{}, err
	}
}

// TestInTransactions runs the code of engines.md.
func TestInTransactions(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(t.Context(), "CREATE TABLE orders (item text); CREATE TABLE stock (item text, n int); INSERT INTO stock VALUES ('book', 5)"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := postgres.Migrate(t.Context(), pool, ""); err != nil {
		t.Fatal(err)
	}
	engine, err := postgres.Open(t.Context(), pool, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	orders, err := server.New(engine, server.Config{PageKey: engine.PageKey()}, shipping.Handle(ship(engine)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	worked := make(chan error)
	go func() { worked <- orders.Work(ctx) }()
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	withSQL := func(ctx context.Context, orders *server.Server, engine *postgres.Engine, item string) (string, error) {
		return placeOrderSQL(ctx, orders, engine, db, item)
	}
	for _, place := range []func(context.Context, *server.Server, *postgres.Engine, string) (string, error){placeOrder, withSQL, placeOrder} {
		name, err := place(t.Context(), orders, engine, "book")
		if err != nil {
			t.Fatal(err)
		}
		if rec, err := engine.Wait(t.Context(), name); err != nil || rec.Response == nil {
			t.Errorf("Wait(%q) = %v, %v; want success", name, rec, err)
		}
	}
	stop()
	if err := <-worked; err != nil {
		t.Errorf("Work() = %v", err)
	}
	var n int
	if err := pool.QueryRow(t.Context(), "SELECT n - (SELECT count(*) FROM orders) FROM stock").Scan(&n); err != nil || n != 5-3-3 {
		t.Errorf("stock less orders = %d, %v; want %d", n, err, 5-3-3)
	}
}
