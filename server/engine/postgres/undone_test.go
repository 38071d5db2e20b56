package postgres

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/server/engine"
)

// failCommit has the server refuse the first commit of an event on table op, as it
// does with a serialization failure: after the rows were returned.
func (s *store) failCommit(t *testing.T, event string) {
	t.Helper()
	s.exec(t, strings.ReplaceAll(`CREATE SEQUENCE {schema}.refused;
		CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF nextval('{schema}.refused') = 1 THEN RAISE EXCEPTION 'once' USING ERRCODE = '40001'; END IF;
			RETURN NULL;
		END $$;
		CREATE CONSTRAINT TRIGGER refuse AFTER `+event+` ON {schema}.op DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW EXECUTE FUNCTION {schema}.refuse()`, "{schema}", pgx.Identifier{s.opts.Schema}.Sanitize()))
}

// TestStartUndone: a start that was undone after its answer is not acknowledged when
// another process has used its request ID before it is repeated.
func TestStartUndone(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*Engine, engine.Spec) (*engine.Record, error){
		"grouped": func(e *Engine, spec engine.Spec) (*engine.Record, error) { return e.Start(t.Context(), spec) },
		"alone": func(e *Engine, spec engine.Spec) (*engine.Record, error) {
			c, err := e.newStart(spec)
			if err != nil {
				return nil, err
			}
			return e.startOne(t.Context(), c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t, &Options{Lease: testLease})
			other := s.open(t)
			spec := engine.Spec{Kind: "k", RequestID: "id"}
			var sent atomic.Int64
			var twin *engine.Record
			e := s.openTraced(t, func(trip []*pgx.QueuedQuery) {
				for _, q := range trip {
					if strings.Contains(q.SQL, "ON CONFLICT") && sent.Add(1) == 2 {
						twin = mustStart(t, other, spec)
					}
				}
			})
			s.failCommit(t, "INSERT")
			rec, err := start(e, spec)
			if twin == nil {
				t.Fatalf("start = %v, %v; want it repeated", rec, err)
			}
			if err != nil || rec != nil && rec.Name != twin.Name {
				t.Errorf("start = %v, %v; want none, or that of another process, %q", rec, err, twin.Name)
			}
		})
	}
}

// TestEndUndone: an end that was undone after its answer is stored nevertheless,
// when another transaction has locked the operation before it is repeated.
func TestEndUndone(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	pool := s.pool(t)
	var sent atomic.Int64
	var tx pgx.Tx
	e := s.openTraced(t, func(trip []*pgx.QueuedQuery) {
		for _, q := range trip {
			if !strings.Contains(q.SQL, "WITH gone") {
				continue
			}
			var err error
			switch sent.Add(1) {
			case 2:
				if tx, err = pool.Begin(t.Context()); err == nil {
					_, err = tx.Exec(t.Context(), "SELECT FROM "+pgx.Identifier{s.opts.Schema, "live"}.Sanitize()+" FOR UPDATE")
				}
			case 3:
				err = tx.Rollback(t.Context())
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
	s.failCommit(t, "UPDATE")
	work(t, e, func(context.Context, engine.Attempt) engine.Outcome { return engine.Outcome{Response: text("ran")} })
	rec := mustStart(t, e, engine.Spec{})
	ctx, cancel := context.WithTimeout(t.Context(), elsewhere)
	defer cancel()
	end, err := e.Wait(ctx, rec.Name)
	if sent.Load() < 3 {
		t.Errorf("the end was sent %d times, want 3", sent.Load())
		if tx != nil {
			_ = tx.Rollback(t.Context())
		}
	}
	if err != nil || end.State != engine.Succeeded {
		t.Errorf("Wait() = %v, %v; want success", end, err)
	}
}

// TestEndsOfOneOperation: of two attempts that end an operation in one group, that
// which has it ends it, with its own result.
func TestEndsOfOneOperation(t *testing.T) {
	t.Parallel()
	e := newStore(t, &Options{Lease: testLease}).open(t)
	begun, end := make(chan *attempt, 1), make(chan struct{})
	work(t, e, func(_ context.Context, a engine.Attempt) engine.Outcome {
		begun <- a.(*attempt)
		<-end
		return engine.Outcome{}
	})
	rec := mustStart(t, e, engine.Spec{})
	has := <-begun
	lost, earlier := *has, *has.rec
	earlier.Fence--
	lost.rec = &earlier
	var group []*call[endCall, bool]
	for a, result := range map[*attempt]string{has: "has", &lost: "lost"} {
		c, err := newEnd(a, engine.Outcome{Response: text(result)}, 1)
		if err != nil {
			t.Fatal(err)
		}
		group = append(group, &call[endCall, bool]{query: c})
	}
	slices.SortFunc(group, func(a, b *call[endCall, bool]) int { return cmp.Compare(b.query.fence, a.query.fence) })
	w := e.waits.Join(has.seq)
	defer w.Leave()
	e.runEnds(t.Context(), group)
	if !group[0].result || group[1].result || group[0].err != nil || group[1].err != nil {
		t.Errorf("ends = %v, %v; errors %v, %v; want that of the attempt that has the operation",
			group[0].result, group[1].result, group[0].err, group[1].err)
	}
	if got, err := w.Result(); err != nil || got.Response.String() != text("has").String() {
		t.Errorf("a wait gets %v, %v; want what is stored", got, err)
	}
	close(end)
	if got, err := e.Get(t.Context(), rec.Name); err != nil || got.Response.String() != text("has").String() {
		t.Errorf("Get() = %v, %v; want what the attempt that has the operation returned", got, err)
	}
}
