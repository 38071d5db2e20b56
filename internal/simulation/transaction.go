package simulation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/internal/oracle"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
)

// Transactor is an engine whose calls can be part of a transaction that writes
// rows of its caller's.
type Transactor interface {
	// Transact calls f with the ctx of a transaction, which is committed when f
	// returns nil, and rolled back otherwise. write writes a row in it. f may be called
	// again after a transaction that was rolled back.
	Transact(ctx context.Context, way Way, f func(ctx context.Context, write func(row string) error) error) error
	// Rows are those that were committed. One that was written twice is there twice.
	Rows(ctx context.Context) ([]string, error)
}

// RefusedRow is a row with which a transaction cannot be committed.
const RefusedRow = ""

// Way is how a transaction is begun and committed.
type Way struct {
	By        Committer
	Isolation string // in SQL; empty for the default
	SQL       bool   // by database/sql, where a caller begins it
	Refused   bool   // what is to be rolled back is committed, and the commit refused
}

// Committer is who begins and commits a transaction.
type Committer int

// The committers.
const (
	Engine     Committer = iota
	Caller               // the engine knows it by f's ctx alone
	Unanswered           // the same, and the answer to the commit is lost: Transact returns an error though it was committed
	committers
)

// openFor is how long a transaction stays open in which an aimed fault is to happen:
// in real time less than a server waits for one that does nothing.
const openFor = 7 * time.Second

// transaction is one in which something is done.
type transaction struct {
	Transactor
	row  string
	way  Way
	undo bool          // it is rolled back in the end
	late bool          // the row is written after what is done
	open time.Duration // how long it stays open then
	wait func(ctx context.Context, d time.Duration)
}

// drawn returns the transaction of a caller that writes row.
func drawn(in Transactor, row string, r *rand.Rand) transaction {
	t := transaction{Transactor: in, row: row, way: Way{By: Committer(r.IntN(int(committers)))}, undo: r.IntN(2) == 0, late: r.IntN(2) == 0}
	t.way.draw(r)
	return t
}

// draw draws what is new in ways: after all else, which stays what it was.
func (w *Way) draw(r *rand.Rand) {
	w.SQL = r.IntN(2) == 0
	w.Isolation = []string{"", "", "REPEATABLE READ", "SERIALIZABLE"}[r.IntN(4)]
	w.Refused = r.IntN(2) == 0
}

// twoOperations is what transactions that are about two operations are counted as.
const twoOperations = "transaction of two operations"

var errUndo = errors.New("to be rolled back")

// run calls do in the transaction. The error is errUndo when it was rolled back as it
// should be.
func (t transaction) run(ctx context.Context, do func(context.Context) error) error {
	return t.Transact(ctx, t.way, func(ctx context.Context, write func(string) error) error {
		steps := []func() error{func() error { return write(t.row) }, func() error { return do(ctx) }}
		if t.late {
			slices.Reverse(steps)
		}
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
		if t.open > 0 {
			t.wait(ctx, t.open)
		}
		if t.undo && t.way.Refused {
			return write(RefusedRow)
		}
		if t.undo {
			return errUndo
		}
		return nil
	})
}

// wrote is what the writer of an operation knows after an error.
func wrote(err error) string {
	switch {
	case err == nil:
		return oracle.OK
	case errors.Is(err, errUndo):
		return oracle.Undone
	case errors.Is(err, server.ErrLeaseLost):
		return oracle.Lost
	case errors.Is(err, engine.ErrNotFound):
		return oracle.NotFound
	}
	return oracle.Unknown
}

// outcomeIn is what a caller knows after an error of the transaction that its call was
// a part of.
func outcomeIn(err error) string {
	if errors.Is(err, errUndo) {
		return oracle.Undone
	}
	if _, is := status.FromError(err); !is {
		return oracle.Unknown // of the commit
	}
	return outcome(err)
}

// call is one of those that a transaction is for.
type call struct {
	oracle.Event
	do func(ctx context.Context) (*longrunningpb.Operation, error) // nil but for a start
}

// txEvent is of a call in the transaction of a caller's step.
func (w *world) txEvent(s step, key int) oracle.Event {
	return oracle.Event{Key: key, By: "transaction of " + actorName(s.Actor), Do: s.Do, Lived: -1, Row: fmt.Sprintf("step %d", s.Index)}
}

// startCall starts the operation of a step.
func (w *world) startCall(srv *server.Server, s step, req *lropb.StartOperationRequest) call {
	e := w.txEvent(s, w.slot(s))
	e.Variant = w.variant(s)
	return call{e, func(ctx context.Context) (*longrunningpb.Operation, error) {
		return srv.Starter().StartOperation(ctx, req)
	}}
}

// changeCall cancels or deletes an operation.
func (w *world) changeCall(srv *server.Server, s step, name string) call {
	e := w.txEvent(s, w.slotOf(name))
	e.Name = name
	return call{e, func(ctx context.Context) (_ *longrunningpb.Operation, err error) {
		if s.Do == oracle.Cancel {
			_, err = srv.Operations().CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: name})
		} else {
			_, err = srv.Operations().DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: name})
		}
		return nil, err
	}}
}

// besides returns what the transaction of a step does to an operation of another key
// besides, in one of two.
func (w *world) besides(srv *server.Server, s step) []call {
	r := random(w.program.seed, streamBesides, s.Index)
	others := w.program.common - 1
	if others == 0 || r.IntN(2) == 0 {
		return nil
	}
	s.Key, s.Variant = (s.Key+1+r.IntN(others))%w.program.common, false
	s.Do = []string{oracle.Start, oracle.Start, oracle.Cancel, oracle.Delete}[r.IntN(4)]
	if s.Do == oracle.Start {
		req, err := w.startRequest(s)
		if err != nil {
			w.complain("pack request: %v", err)
			return nil
		}
		return []call{w.startCall(srv, s, req)}
	}
	name := w.name(s)
	if name == "" {
		return nil
	}
	return []call{w.changeCall(srv, s, name)}
}

// together makes calls in one transaction of a caller's.
func (w *world) together(ctx context.Context, in transaction, calls ...call) {
	if len(calls) > 1 {
		w.count(twoOperations)
	}
	begin, place := w.history.now(), w.history.next()
	made := make([]*oracle.Event, 0, len(calls)) // in any of the times that in calls
	ops := make([]*longrunningpb.Operation, len(calls))
	var failed int // which call has, the last time
	err := in.run(ctx, func(ctx context.Context) (err error) {
		for failed = range calls {
			if failed == len(made) {
				made = append(made, w.history.call(calls[failed].Event))
				if in.way.Isolation != "" {
					// It is shown what was there at the first statement.
					w.history.began(made[failed], begin, place)
				}
			}
			if ops[failed], err = calls[failed].do(ctx); err != nil {
				return err
			}
		}
		failed = len(calls)
		return nil
	})
	for i, e := range made {
		out := outcomeIn(err)
		switch {
		case failed == len(calls) || i == failed:
		case i < failed:
			out = oracle.Undone
		default:
			out = oracle.Unknown // it was made in a transaction before, which was rolled back
		}
		if out == oracle.OK && ops[i] != nil {
			var bad error
			if e.Seen, bad = w.history.view(ops[i]); bad != nil {
				w.complain("a start in a transaction returned %v: %v", ops[i], bad)
			}
			w.know(ops[i].GetName(), e.Key)
		}
		w.history.done(e, out)
	}
}

// change cancels or deletes an operation: a third of the times in a transaction of the
// caller's, where there are any.
func (w *world) change(ctx context.Context, l *link, s step, name string) {
	tx, srv := w.fleet.tx()
	r := random(w.program.seed, streamChange, s.Index)
	switch {
	case tx != nil && r.IntN(3) == 0:
		c := w.changeCall(srv, s, name)
		w.together(ctx, drawn(tx, c.Row, r), append([]call{c}, w.besides(srv, s)...)...)
	case s.Do == oracle.Cancel:
		_, _ = l.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: name})
	default:
		_, _ = l.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: name})
	}
}

// countTx names what became of the transaction of an event.
func countTx(e *oracle.Event) string {
	what := map[string]string{
		oracle.OK: "committed", oracle.Undone: "rolled back", oracle.Unknown: "without an answer", oracle.Lost: "refused", oracle.NotFound: "refused", oracle.Invalid: "refused",
	}[e.Out]
	if e.Do == oracle.Start {
		return "transaction " + what
	}
	return e.Do + " in a transaction " + what
}

// draw makes the choices for a word of an attempt's script. Where there are no
// transactions they are never for one.
func (a *actor) draw(e oracle.Event, word int) *rand.Rand {
	return random(a.seed, streamWork, (e.Key*64+e.Attempt)*16+word)
}

// in returns the transaction of a word.
func (a *actor) in(e *oracle.Event, r *rand.Rand, open time.Duration) transaction {
	e.Row = e.Name + " " + e.Arg
	in := transaction{
		Transactor: a.tx, row: e.Row, way: Way{By: Committer(r.IntN(int(committers)))}, undo: r.IntN(3) == 0, late: r.IntN(2) == 0, open: a.pace.of(open), wait: a.sleep,
	}
	in.way.draw(r)
	return in
}

// saveMaybeIn makes one checkpoint in three in a transaction.
func (a *actor) saveMaybeIn(ctx context.Context, task *server.Task[details], save oracle.Event, word int) error {
	r := a.draw(save, word)
	if a.tx == nil || r.IntN(3) > 0 {
		return a.save(ctx, task, save)
	}
	in := a.in(&save, r, 0)
	e := a.call(save)
	err := in.run(ctx, func(ctx context.Context) error { return task.Save(ctx, []byte(save.Arg)) })
	a.done(e, wrote(err))
	return err
}

// endIn ends the operation in a transaction, and returns what the handler returns
// then: once that is committed, it must not count any more.
func (a *actor) endIn(ctx context.Context, k kind, task *server.Task[details], base oracle.Event, word int, open time.Duration) (string, error) {
	at := fmt.Sprintf("%d/%d", base.Attempt, word)
	if a.tx == nil {
		return at, nil
	}
	r := a.draw(base, word)
	inner := ctx
	if open > 0 {
		inner = context.WithoutCancel(ctx) // it is to be open when the fault comes
	}
	var err error
	for again := false; ; again = true {
		e := base
		if e.Do, e.Arg = oracle.Complete, at+" in a transaction"; again {
			e.Arg += ", again"
		}
		in := a.in(&e, r, open)
		called := a.call(e)
		err = in.run(inner, func(ctx context.Context) error { return k.Complete(ctx, task, wrapperspb.String(e.Arg)) })
		a.done(called, wrote(err))
		// A handler should rather return the error.
		if again || wrote(err) != oracle.Unknown || inner.Err() != nil || r.IntN(4) == 0 {
			break
		}
	}
	switch {
	case err == nil, errors.Is(err, errUndo):
		return at, nil
	case errors.Is(err, server.ErrLeaseLost):
		return "", err
	case ctx.Err() != nil:
		return "", ctx.Err()
	}
	return "", status.Error(codes.Unavailable, at)
}

// written: the row of a transaction is there once when it was committed, and not when
// it was not. Whether the rest of it is there too, the order of events must explain.
// No operation has the rows of two ends, also one that was deleted while it ran.
func (c *checker) written() {
	c.rows = make(map[string]int)
	for _, row := range c.r.Rows {
		c.rows[row]++
	}
	left, ends := maps.Clone(c.rows), make(map[string]int)
	for _, e := range c.r.Events {
		if e.Row == "" {
			continue
		}
		delete(left, e.Row)
		switch n := c.rows[e.Row]; {
		case n > 1:
			c.complain("a row was written %d times: %v", n, e)
		case e.Out == oracle.OK && n == 0:
			c.complain("a transaction was committed, and its row is not there: %v", e)
		case e.Out != oracle.OK && e.Out != oracle.Unknown && n > 0:
			c.complain("a transaction was not committed, and its row is there: %v", e)
		}
		if e.Do == oracle.Complete && e.Attempt > 0 && c.rows[e.Row] > 0 {
			if ends[e.Name]++; ends[e.Name] == 2 {
				c.complain("%s has ended in the transactions of two attempts", e.Name)
			}
		}
	}
	for row := range left {
		c.complain("the row %q is of no transaction", row)
	}
}
