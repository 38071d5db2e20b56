package postgres

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-lro/lro/server/engine"
)

// joined is a caller's transaction.
type joined struct {
	q querier

	mu      sync.Mutex
	changes []news // what it makes known once it is committed
}

type joinedKey struct{}

// WithTx returns a ctx with which calls of an engine take part in tx: what they
// change is there if and only if tx commits, together with the rows that the
// caller writes. These are Start, and with it the calls of package server that
// start operations, Cancel, Delete, Report, Heartbeat, Complete, Fail and
// [engine.Attempt].Save. Get and List do not take part: they read what is
// committed.
//
// tx must be on the database of the engine's pool. After an error of a call it can
// still be used, unless its connection is lost, but is best rolled back. A tx that
// has ended, or in which a statement of the caller's has failed, is an error that
// does not wrap [engine.ErrUnavailable]. Call
// [Engine.Committed] after the commit, so that workers and waiters learn of it at
// once and not at their next poll.
func WithTx(ctx context.Context, tx pgx.Tx) context.Context {
	return context.WithValue(ctx, joinedKey{}, &joined{q: pgxQuerier{q: tx}})
}

// WithSQLTx is [WithTx] for a transaction of database/sql, such as those of GORM,
// ent and sqlc. Its driver must speak to the database of the engine's pool:
// stdlib.OpenDBFromPool of pgx makes a sql.DB that shares that pool.
func WithSQLTx(ctx context.Context, tx *sql.Tx) context.Context {
	return context.WithValue(ctx, joinedKey{}, &joined{q: sqlQuerier{tx}})
}

// joinedBy returns the transaction of ctx, or nil.
func joinedBy(ctx context.Context) *joined {
	j, _ := ctx.Value(joinedKey{}).(*joined)
	return j
}

// apart returns a ctx without the transaction of ctx.
func apart(ctx context.Context) context.Context {
	if joinedBy(ctx) == nil {
		return ctx
	}
	return context.WithValue(ctx, joinedKey{}, (*joined)(nil))
}

// Committed makes known what calls with a ctx of [WithTx] or [WithSQLTx] have
// changed. It may be called once the transaction is committed, and should be when the
// answer to the commit is lost: what was rolled back has no effect. Without it workers
// and waiters find the changes when they poll, and subscribers of other processes do not
// hear of them before the next change of the same operation.
func (e *Engine) Committed(ctx context.Context) {
	j := joinedBy(ctx)
	if j == nil {
		return
	}
	changes := j.take()
	for i := range changes {
		changes[i].ended = nil // it is read: the transaction may have been rolled back
	}
	e.tell(changes)
}

// ended reports whether an operation was ended by a call of the transaction.
func (j *joined) ended(seq int64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.ContainsFunc(j.changes, func(n news) bool { return n.seq == seq && n.ended != nil })
}

// take returns the changes that are not known yet.
func (j *joined) take() []news {
	j.mu.Lock()
	defer j.mu.Unlock()
	changes := j.changes
	j.changes = nil
	return changes
}

// InTx runs f in a transaction of the engine's pool, commits it if f returns nil
// and rolls it back otherwise. f gets a ctx of [WithTx].
//
// A transaction that lost against another one, by a deadlock or a serialization
// failure, is repeated a few times, so f should have no effects but those of tx.
// When the database cannot be reached, the connection is lost or no repetition
// helped, the error wraps [engine.ErrUnavailable]: returned by a handler, it is
// one that [server.Kind] retries where it has retries. Other errors are f's own,
// or the commit's.
//
// If ctx is that of an attempt and the attempt loses its lease while f runs, the
// connection is closed, which rolls the transaction back: a handler that ignores
// the end of its ctx does not keep the operation from the next attempt.
//
// Once f has returned nil the commit does not depend on ctx any more. An error
// that wraps engine.ErrUnavailable may mean that the answer to the commit was
// lost: the transaction may have been committed. A repetition of a start with the
// same request ID returns the operation that is there. A handler should return the
// error: to run the transaction again in the same attempt would write its rows again,
// unless it ends the operation, which is refused then.
func (e *Engine) InTx(ctx context.Context, f func(ctx context.Context, tx pgx.Tx) error) error {
	var in context.Context
	var connected bool // when the error came
	err := e.repeat(ctx, e.pool, func(c *pgx.Conn) (err error) {
		connected = false
		tx, err := c.Begin(ctx)
		if err != nil {
			return err
		}
		in = WithTx(ctx, tx)
		// A handler that ignores its ctx would hold its operation, which another
		// process runs meanwhile, for ever.
		ended := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			defer close(ended)
			if errors.Is(context.Cause(ctx), engine.ErrLeaseLost) {
				_ = c.PgConn().Conn().Close()
			}
		})
		err = f(in, tx)
		if !stop() {
			<-ended // before the connection is used for anything else
		}
		connected = !c.IsClosed()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
		defer cancel()
		if err != nil {
			_ = tx.Rollback(end) // the error of f is what the caller needs
			return err
		}
		err = tx.Commit(end)
		connected = !c.IsClosed()
		return err
	})
	switch {
	case err == nil:
		e.tell(joinedBy(in).take())
		return nil
	case connected && !transient(err):
		return err
	case in != nil && !connected:
		e.Committed(in) // maybe
	}
	return e.storeError(ctx, err)
}

// changed makes changes known: now, or when the transaction of ctx is committed.
func (e *Engine) changed(ctx context.Context, changes ...news) {
	if len(changes) == 0 {
		return
	}
	j := joinedBy(ctx)
	if j == nil {
		e.tell(changes)
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.changes = slices.Concat(j.changes, changes)
}

// frame is what a change is made in: a transaction of its own, or a part of a
// caller's, which can be used whatever the change meets. Either way it waits for
// locks for a bounded time.
type frame struct {
	q                  querier
	enter, leave, undo []statement
}

// within calls f with a frame in the transaction of ctx or, without one, on a
// connection of pool, again while another try may succeed.
func (e *Engine) within(ctx context.Context, pool *pgxpool.Pool, f func(frame) error) error {
	if j := joinedBy(ctx); j != nil {
		return f(j.frame())
	}
	return e.with(ctx, pool, func(c *pgx.Conn) error {
		return f(frame{
			q:     pgxQuerier{q: c},
			enter: []statement{{sql: begin}, {sql: setTimeouts, args: e.timeouts()}},
			leave: []statement{{sql: "commit"}},
			undo:  []statement{{sql: "rollback"}},
		})
	})
}

// Parameters of the name lro are free to keep the caller's settings in.
const (
	enterJoined = "SELECT set_config('lro.lock_timeout', current_setting('lock_timeout'), true), " +
		"set_config('lro.enable_seqscan', current_setting('enable_seqscan'), true), " +
		"set_config('lock_timeout', $1::text, true), " + noWholeTable
	leaveJoined = "SELECT set_config('lock_timeout', current_setting('lro.lock_timeout'), true), " +
		"set_config('enable_seqscan', current_setting('lro.enable_seqscan'), true)"
)

func (j *joined) frame() frame {
	return frame{
		q:     j.q,
		enter: []statement{{sql: "SAVEPOINT lro"}, {sql: enterJoined, args: []any{milliseconds(lockTimeout)}}},
		leave: []statement{{sql: leaveJoined}, {sql: "RELEASE SAVEPOINT lro"}},
		// Takes back the settings, too.
		undo: []statement{{sql: "ROLLBACK TO SAVEPOINT lro"}, {sql: "RELEASE SAVEPOINT lro"}},
	}
}

// run runs statements, in one trip to the server.
func (f frame) run(ctx context.Context, statements ...statement) error {
	return f.undone(ctx, all(ctx, f.q, slices.Concat(f.enter, statements, f.leave)...))
}

// runTwo runs statements and then those that next makes of their rows, in two
// trips.
func (f frame) runTwo(ctx context.Context, first []statement, next func() ([]statement, error)) error {
	err := all(ctx, f.q, slices.Concat(f.enter, first)...)
	var then []statement
	if err == nil {
		then, err = next()
	}
	if err == nil {
		err = all(ctx, f.q, slices.Concat(then, f.leave)...)
	}
	return f.undone(ctx, err)
}

// undone undoes all after an error, which is what the caller needs.
func (f frame) undone(ctx context.Context, err error) error {
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
		defer cancel()
		for _, s := range f.undo {
			_ = each(ctx, f.q, s.sql, nil)
		}
	}
	return err
}
