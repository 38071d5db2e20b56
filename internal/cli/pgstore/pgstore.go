package pgstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/internal/pgtext"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/postgres"
)

// IsURL reports whether the value of --db names a PostgreSQL database.
func IsURL(db string) bool {
	return strings.HasPrefix(db, "postgres://") || strings.HasPrefix(db, "postgresql://")
}

// Redact returns a URL without its password and without parameters, which may
// hold one too.
func Redact(db string) string {
	u, err := url.Parse(db)
	if err != nil {
		return "postgres:"
	}
	u.RawQuery = ""
	return u.Redacted()
}

// Where names a database on a screen.
func Where(db, schema string) string {
	return term.Clean(Redact(db) + ", schema " + cmp.Or(schema, postgres.DefaultSchema))
}

// OnlyFile reports a --db of PostgreSQL to a command that works on a SQLite file.
// It names what does the same there.
func OnlyFile(db, instead string) error {
	if !IsURL(db) {
		return nil
	}
	return exit.AsUsage(fmt.Errorf("--db %q is a PostgreSQL database, and this command works on a SQLite file: %s", Redact(db), instead))
}

// Check reports a URL that cannot be read.
func Check(db string) error {
	if _, err := pgxpool.ParseConfig(db); err != nil {
		return fmt.Errorf("--db: %w", err) // its text has no password
	}
	return nil
}

// Connect opens a pool and reaches the database.
func Connect(ctx context.Context, db string) (*pgxpool.Pool, error) {
	pool, err := pgxpool.New(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("--db: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, exit.Hint(fmt.Errorf("reach PostgreSQL: %w", pgtext.Error(err)), "is it running, and is --db right?")
	}
	return pool, nil
}

// Open opens the engine, and makes its schema where there is none. Close closes
// its connections too.
func Open(ctx context.Context, db string, options postgres.Options) (server.Engine, error) {
	pool, err := Connect(ctx, db)
	if err != nil {
		return nil, err
	}
	eng, err := postgres.Open(ctx, pool, &options)
	if errors.Is(err, postgres.ErrNoSchema) {
		if _, _, err = postgres.Migrate(ctx, pool, options.Schema); err == nil {
			eng, err = postgres.Open(ctx, pool, &options)
		} else {
			err = exit.Hint(err, "to make the schema, run lro migrate once, as a role that may")
		}
	}
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &connected{eng, pool}, nil
}

// connected is an engine that closes its pool.
type connected struct {
	*postgres.Engine
	pool *pgxpool.Pool
}

// Close implements [server.Engine].
func (c *connected) Close() error {
	err := c.Engine.Close()
	c.pool.Close()
	return err
}
