package main

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// River's side of docs/from-river.md, which is compiled here because this module
// requires River.

type sendInvoiceArgs struct {
	Number string `json:"number" river:"unique"`
}

func (sendInvoiceArgs) Kind() string { return "send-invoice" }

type invoices struct {
	river.WorkerDefaults[sendInvoiceArgs]
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
}

// enqueue stores an invoice and inserts the job that sends it.
func (i *invoices) enqueue(ctx context.Context, number string) error {
	return pgx.BeginFunc(ctx, i.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO invoices (number) VALUES ($1)", number); err != nil {
			return err
		}
		_, err := i.client.InsertTx(ctx, tx, sendInvoiceArgs{number}, &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}})
		return err
	})
}

// Work marks an invoice as sent, and completes its job with that.
func (i *invoices) Work(ctx context.Context, job *river.Job[sendInvoiceArgs]) error {
	return pgx.BeginFunc(ctx, i.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE invoices SET sent = true WHERE number = $1", job.Args.Number); err != nil {
			return err
		}
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
}

var _ river.Worker[sendInvoiceArgs] = (*invoices)(nil)
var _ = (&invoices{}).enqueue
