package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-lro/lro/internal/cutproxy"
	"github.com/go-lro/lro/internal/pgserver"
)

// database is a PostgreSQL server, which a starter reaches through a proxy.
type database struct {
	server *pgserver.Server
	proxy  *cutproxy.Proxy
	pool   *pgxpool.Pool // of the starter
}

func openDatabase(ctx context.Context, dir string) (d *database, err error) {
	d = &database{}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	dir = filepath.Join(dir, "postgres")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return d, err
	}
	if d.server, err = pgserver.Start(ctx, dir, nil); err != nil {
		return d, err
	}
	direct := fmt.Sprintf("127.0.0.1:%d", d.server.Port())
	if d.proxy, err = cutproxy.Start(direct); err != nil {
		return d, err
	}
	if d.pool, err = pgxpool.New(ctx, strings.Replace(d.address(), direct, d.proxy.Address(), 1)); err != nil {
		return d, err
	}
	_, err = d.pool.Exec(ctx, makeEffects)
	return d, err
}

func (d *database) address() string { return d.server.URL("postgres") }

func (d *database) cut() { d.proxy.Restore() }

func (d *database) restart(ctx context.Context) error {
	if err := d.server.Crash(ctx); err != nil {
		return err
	}
	time.Sleep(storeDown)
	return d.server.Restart(ctx)
}

func (d *database) effects(ctx context.Context) ([]event, error) {
	rows, err := d.pool.Query(ctx, "SELECT key, id, run, pid, at FROM effect")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (event, error) {
		e := event{What: effected}
		err := row.Scan(&e.Key, &e.ID, &e.Run, &e.PID, &e.At)
		return e, err
	})
}

func (d *database) version(ctx context.Context) string {
	var v string
	if err := d.pool.QueryRow(ctx, "SELECT current_setting('server_version')").Scan(&v); err != nil {
		return "PostgreSQL, of an unknown version"
	}
	return "PostgreSQL " + v
}

func (d *database) close() (err error) {
	if d.pool != nil {
		d.pool.Close()
	}
	if d.proxy != nil {
		d.proxy.Close()
	}
	if d.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		err = d.server.Crash(ctx) // its folder is removed
	}
	return err
}
