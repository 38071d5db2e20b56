package postgres

import (
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	defaultLease      = 10 * time.Second
	defaultPoll       = 100 * time.Millisecond
	defaultMaxPayload = 16 << 20

	// MinLease is the shortest [Options.Lease].
	MinLease = time.Second
)

// Options configure [Open]. The zero value, and a nil pointer, mean the
// defaults.
type Options struct {
	// Schema is the PostgreSQL schema that holds the operations. Empty means
	// [DefaultSchema].
	Schema string

	// Lease is how long a process keeps its operations without renewing its lease.
	// After that another process runs them. The process renews it five times in
	// that time, in one statement for all of its operations. 0 means 10 s; at least
	// [MinLease].
	Lease time.Duration

	// Listen is a connection for LISTEN, where the pool goes through PgBouncer in
	// transaction mode: it must lead to PostgreSQL itself. Nil uses the pool's
	// own settings.
	Listen *pgx.ConnConfig
	// PollOnly does without LISTEN. Everything works, a little later: see Poll.
	PollOnly bool
	// Poll is how often a process polls for operations to run and for the outcomes
	// that its callers wait for, while it is not notified by LISTEN. While it is,
	// it polls once a second. 0, or less, means 100 ms.
	Poll time.Duration

	// Identity names this process in the schema's table proc, for people. Empty
	// means its host and process ID.
	Identity string

	// Logger logs errors of background work, such as a lease that cannot be
	// renewed. Nil discards them.
	Logger *slog.Logger

	// MaxPayload is the greatest size in bytes of one request, metadata,
	// response, error or checkpoint; [engine.ErrTooLarge] beyond. 0 means
	// 16 MiB.
	MaxPayload int
}

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	opts.Schema = schemaName(opts.Schema)
	if opts.Lease == 0 {
		opts.Lease = defaultLease
	}
	if opts.Poll <= 0 {
		opts.Poll = defaultPoll
	}
	if opts.Identity == "" {
		opts.Identity = identity()
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.MaxPayload == 0 {
		opts.MaxPayload = defaultMaxPayload
	}
	return opts
}
