package docs_test

import (
	"context"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/postgres"
)

// The code of from-river.md; that of River is in bench/postgres.

type invoices struct {
	engine *postgres.Engine
	server *server.Server
}

var sendInvoice = server.Kind[*wrapperspb.StringValue, *emptypb.Empty, *lropb.OperationMetadata]{
	Name:  "send-invoice",
	Retry: server.Retry{MaxAttempts: 25},
}

// enqueue stores an invoice and starts what sends it.
func (i *invoices) enqueue(ctx context.Context, number string) error {
	return i.engine.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO invoices (number) VALUES ($1)", number); err != nil {
			return err
		}
		_, err := sendInvoice.Start(ctx, i.server, wrapperspb.String(number), &server.StartOptions{RequestID: number})
		return err
	})
}

// send marks an invoice as sent, and ends its operation with that.
func (i *invoices) send(ctx context.Context, task *server.Task[*lropb.OperationMetadata], number *wrapperspb.StringValue) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, i.engine.InTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE invoices SET sent = true WHERE number = $1", number.GetValue()); err != nil {
			return err
		}
		return sendInvoice.Complete(ctx, task, &emptypb.Empty{})
	})
}

var _ = sendInvoice.Handle((&invoices{}).send)
var _ = (&invoices{}).enqueue
