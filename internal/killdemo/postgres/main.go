// Command postgres shows operations on more than one process: a PostgreSQL server,
// two servers of operations, three workers and 50 operations, in the middle of
// which one worker is killed. It ends with a table of what each operation went
// through. "make demo-postgres" runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-lro/lro/internal/killdemo"
	"github.com/go-lro/lro/internal/pgserver"
	"github.com/go-lro/lro/server/engine/enginekit"
	"github.com/go-lro/lro/server/engine/postgres"
)

func main() {
	var o killdemo.Options
	o.AddFlags(flag.CommandLine)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o killdemo.Options) (err error) {
	dir, err := os.MkdirTemp("", "lro-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	command := filepath.Join(dir, "lro")
	build := exec.CommandContext(ctx, "go", "build", "-o", command, "./cmd/lro")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build lro: %w", err)
	}
	// Its server may run as another user, who has to reach the directory.
	data, err := os.MkdirTemp("", "lro-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	database, err := pgserver.Start(ctx, data, &pgserver.Options{Durable: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Stop(context.WithoutCancel(ctx))) }()
	url := database.URL("postgres")
	fmt.Printf("PostgreSQL at %s\n", url)
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, _, err := postgres.Migrate(ctx, pool, ""); err != nil {
		return err
	}
	c := &killdemo.Cluster{Holders: func(ctx context.Context) (map[string]killdemo.Holder, error) { return holders(ctx, pool) }}
	defer c.Close()
	err = c.Start(ctx, func(flags ...string) *exec.Cmd {
		return exec.Command(command, append([]string{"serve", "--db", url, "--lease", o.Lease.String()}, flags...)...)
	})
	if err != nil {
		return err
	}
	return c.Run(ctx, o)
}

// holders returns who runs which operation at the moment.
func holders(ctx context.Context, pool *pgxpool.Pool) (map[string]killdemo.Holder, error) {
	rows, err := pool.Query(ctx, `SELECT o.seq, o.tail, l.attempt, p.identity FROM lro.live l JOIN lro.op o USING (seq) JOIN lro.proc p ON p.id = l.owner`)
	if err != nil {
		return nil, err
	}
	var (
		all            = make(map[string]killdemo.Holder)
		seq            int64
		attempt        int32
		tail, identity string
	)
	_, err = pgx.ForEachRow(rows, []any{&seq, &tail, &attempt, &identity}, func() error {
		process, _, _ := strings.Cut(identity, "@")
		pid, err := strconv.Atoi(process)
		all[enginekit.FormatName("", enginekit.FormatSeqID(seq, tail))] = killdemo.Holder{PID: pid, Attempt: attempt}
		return err
	})
	return all, err
}
