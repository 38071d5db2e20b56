package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/go-lro/lro/server/engine/postgres"
)

// callers are as many connections as a section has callers, at most.
const callers = 64

// newPool connects to a database. tracer may be nil.
func newPool(ctx context.Context, url string, conns int, tracer pgx.QueryTracer) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(conns)
	if tracer != nil {
		config.ConnConfig.Tracer = tracer
	}
	return pgxpool.NewWithConfig(ctx, config)
}

// database makes a database with nothing in it, and returns its URL.
func (b *bench) database(ctx context.Context, name string) (string, error) {
	conn, err := pgx.Connect(ctx, b.server.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", fmt.Errorf("make database: %w", err)
	}
	return b.server.URL(name), nil
}

// ours makes a database for operations.
func (b *bench) ours(ctx context.Context, name string) (string, error) {
	return b.migrated(ctx, name, func(pool *pgxpool.Pool) error {
		_, _, err := postgres.Migrate(ctx, pool, "")
		return err
	})
}

// river makes a database for River.
func (b *bench) river(ctx context.Context, name string) (string, error) {
	return b.migrated(ctx, name, func(pool *pgxpool.Pool) error {
		m, err := rivermigrate.New(riverpgxv5.New(pool), nil)
		if err != nil {
			return err
		}
		_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	})
}

func (b *bench) migrated(ctx context.Context, name string, migrate func(*pgxpool.Pool) error) (string, error) {
	url, err := b.database(ctx, name)
	if err != nil {
		return "", err
	}
	pool, err := newPool(ctx, url, 2, nil)
	if err != nil {
		return "", err
	}
	defer pool.Close()
	return url, migrate(pool)
}

// versions notes what is compared.
func (b *bench) versions(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, b.server.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var version, fsync string
	err = conn.QueryRow(ctx, "SELECT current_setting('server_version'), current_setting('fsync')").Scan(&version, &fsync)
	if err != nil {
		return fmt.Errorf("read version: %w", err)
	}
	all := []string{"PostgreSQL " + version, runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			switch d.Path {
			case "github.com/riverqueue/river":
				all = append(all, "River "+d.Version)
			case "github.com/jackc/pgx/v5":
				all = append(all, "pgx "+d.Version)
			}
		}
	}
	b.result.Versions = append(b.result.Versions, "Versions: "+strings.Join(all, ", "), "Server: fsync="+fsync+", shared_buffers=512MB, max_wal_size=4GB, otherwise PostgreSQL's defaults")
	return nil
}
