package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-lro/lro/internal/pgtext"
	"github.com/go-lro/lro/server/engine/enginekit"
)

const (
	// acquireTimeout is how long a call waits for a connection of a pool whose
	// connections are all in use.
	acquireTimeout = 10 * time.Second
	// commitTimeout is how long InTx waits for the answer to a commit.
	commitTimeout = 10 * time.Second
	// statementTimeout bounds what the engine does on its own.
	statementTimeout = 30 * time.Second
	// lockTimeout bounds the wait for a row, or a request ID, that another
	// transaction has locked.
	lockTimeout = 5 * time.Second

	// maxTries bounds how often a transaction runs that lost against another one.
	maxTries = 10
)

// PostgreSQL's codes of errors, of its appendix A.
const (
	codeLockNotAvailable     = "55P03"
	codeSerializationFailure = "40001"
	codeDeadlock             = "40P01"

	codeInsufficientPrivilege = "42501"
	codeUndefinedTable        = "42P01"
	codeUndefinedColumn       = "42703"
	codeInvalidSchema         = "3F000"

	codeTransactionFailed = "25P02"
	codeNoStatement       = "26000" // a prepared one
	codeTwiceStatement    = "42P05"
)

// querier is a connection, a transaction of pgx or one of database/sql.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (rows, error)
}

// rows are what pgx.Rows and sql.Rows have in common.
type rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close()
}

// pgxQuerier is a pgx.Conn or pgx.Tx.
type pgxQuerier struct {
	q interface {
		Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	}
	mode []any // an execution mode other than the connection's
}

func (p pgxQuerier) Query(ctx context.Context, sql string, args ...any) (rows, error) {
	if len(p.mode) > 0 {
		args = append(p.mode[:1:1], args...)
	}
	return p.q.Query(ctx, sql, args...)
}

// What these set lasts as long as the transaction.
const (
	setLockTimeout = "SELECT set_config('lock_timeout', $1::text, true)"
	// setKeyed has a statement that finds its rows by their keys planned once, and
	// never so that it reads a whole table, which is what a plan does that was made
	// while the tables were empty.
	setKeyed    = "SELECT set_config('plan_cache_mode', 'force_generic_plan', true), " + noWholeTable
	setTimeouts = setLockTimeout + ", set_config('idle_in_transaction_session_timeout', $2::text, true), " + noWholeTable

	noWholeTable = "set_config('enable_seqscan', 'off', true)"
)

// sqlQuerier is a transaction of database/sql.
type sqlQuerier struct{ tx *sql.Tx }

func (s sqlQuerier) Query(ctx context.Context, sql string, args ...any) (rows, error) {
	r, err := s.tx.QueryContext(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return sqlRows{r}, nil
}

type sqlRows struct{ *sql.Rows }

func (r sqlRows) Close() { _ = r.Rows.Close() } // Err has returned it

// statement is one of those that go to the server together.
type statement struct {
	sql  string
	args []any
	scan func(rows) error // called for each row; nil to leave them out
}

// all runs statements one after another, in one trip to the server where the
// driver can.
func all(ctx context.Context, q querier, statements ...statement) error {
	p, _ := q.(pgxQuerier)
	sender, ok := p.q.(interface {
		SendBatch(context.Context, *pgx.Batch) pgx.BatchResults
	})
	if !ok || len(statements) == 1 {
		for _, s := range statements {
			if err := each(ctx, q, s.sql, s.scan, s.args...); err != nil {
				return err
			}
		}
		return nil
	}
	var batch pgx.Batch
	for _, s := range statements {
		batch.Queue(s.sql, s.args...)
	}
	results := sender.SendBatch(ctx, &batch)
	for _, s := range statements {
		r, err := results.Query()
		if err == nil {
			err = scanAll(r, s.scan)
		}
		if err != nil {
			_ = results.Close() // it has failed
			return err
		}
	}
	return results.Close()
}

// scanAll calls scan for each row, and closes rows.
func scanAll(r rows, scan func(rows) error) error {
	defer r.Close()
	for r.Next() {
		if scan == nil {
			continue
		}
		if err := scan(r); err != nil {
			return err
		}
	}
	r.Close() // a statement that fails late returns its error only now
	return r.Err()
}

// each calls scan for each row of a query.
func each(ctx context.Context, q querier, sql string, scan func(rows) error, args ...any) error {
	r, err := q.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	return scanAll(r, scan)
}

// exec runs a statement, and returns how many rows it returned.
func exec(ctx context.Context, q querier, sql string, args ...any) (int, error) {
	n := 0
	err := each(ctx, q, sql, func(rows) error { n++; return nil }, args...)
	return n, err
}

// seqs runs a query that returns numbers.
func seqs(ctx context.Context, q querier, sql string, args ...any) ([]int64, error) {
	var out []int64
	err := each(ctx, q, sql, scanSeqs(&out), args...)
	return out, err
}

// scanSeqs appends the number of each row to out.
func scanSeqs(out *[]int64) func(rows) error {
	return func(r rows) error {
		var seq int64
		err := r.Scan(&seq)
		*out = append(*out, seq)
		return err
	}
}

// with is repeat for what the engine does itself: errors are of one line.
func (e *Engine) with(ctx context.Context, pool *pgxpool.Pool, f func(*pgx.Conn) error) error {
	return explained(pgtext.Error(e.repeat(ctx, pool, f)))
}

// repeat runs f on a connection of a pool, again after errors that say that
// another try may succeed and that nothing was done.
func (e *Engine) repeat(ctx context.Context, pool *pgxpool.Pool, f func(*pgx.Conn) error) error {
	for try := 1; ; try++ {
		err := e.once(ctx, pool, f)
		if err == nil || try == maxTries || !transient(err) {
			return err
		}
		if !enginekit.Pause(ctx, time.Duration(rand.Int64N(int64(try)*int64(5*time.Millisecond)))) {
			return ctx.Err()
		}
	}
}

func (e *Engine) once(ctx context.Context, pool *pgxpool.Pool, f func(*pgx.Conn) error) error {
	conn, err := acquire(ctx, pool)
	if err != nil {
		return err
	}
	defer conn.Release()
	return f(conn.Conn())
}

// acquire returns a connection of a pool within a bounded time.
func acquire(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Conn, error) {
	bounded, cancel := context.WithTimeout(ctx, acquireTimeout)
	defer cancel()
	conn, err := pool.Acquire(bounded)
	if stat := pool.Stat(); err != nil && ctx.Err() == nil && stat.AcquiredConns() >= stat.MaxConns() {
		return nil, fmt.Errorf("all %d connections of the pool are in use (pool_max_conns raises their number): %w", stat.MaxConns(), err)
	}
	return conn, err
}

// query runs f with single statements, each of which commits by itself.
func (e *Engine) query(ctx context.Context, f func(querier) error) error {
	return e.with(ctx, e.pool, func(c *pgx.Conn) error { return f(pgxQuerier{q: c}) })
}

// keyed runs a statement that finds its rows by their keys, made anew for each try.
func (e *Engine) keyed(ctx context.Context, pool *pgxpool.Pool, made func() statement) error {
	return e.with(ctx, pool, func(c *pgx.Conn) error {
		return all(ctx, pgxQuerier{q: c}, statement{sql: setKeyed}, made())
	})
}

// planned is query for statements that are planned anew each time, for the values
// they have.
func (e *Engine) planned(ctx context.Context, f func(querier) error) error {
	return e.with(ctx, e.pool, func(c *pgx.Conn) error { return f(pgxQuerier{c, e.mode}) })
}

// own is planned on the engine's own connections.
func (e *Engine) own(ctx context.Context, f func(querier) error) error {
	return e.with(ctx, e.ownPool, func(c *pgx.Conn) error { return f(pgxQuerier{c, e.mode}) })
}

// begin begins the engine's own transactions.
const begin = "begin isolation level read committed"

// timeouts are the parameters of setTimeouts. A process that has stopped would
// hold its locks, and so its operations, for ever.
func (e *Engine) timeouts() []any {
	return []any{milliseconds(lockTimeout), milliseconds(e.opts.Lease)}
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }

// transient reports errors after which nothing was done, and another try may
// succeed.
func transient(err error) bool {
	return isCode(err, codeSerializationFailure) || isCode(err, codeDeadlock) || pgconn.SafeToRetry(err)
}

// isCode reports whether err is PostgreSQL's, with this code. Drivers of
// database/sql have their own types.
func isCode(err error, code string) bool {
	if e, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err); ok {
		return e.SQLState() == code
	}
	return false
}
