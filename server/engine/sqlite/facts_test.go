package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// facts is what an engine has acknowledged, and so must hold for ever, and
// what it was asked for in vain, and so may hold.
type facts struct {
	ops    []*opFacts
	failed int // calls of Start
}

type opFacts struct {
	started     *engine.Record // as Start returned it
	ended       *engine.Record // as it was first seen to have ended
	cancelled   bool
	deleted     bool
	mayBeGone   bool     // deletion was asked for
	checkpoints []string // of which saving was asked for, in order
	saved       int      // checkpoints[:saved] were acknowledged
}

func (f *facts) of(name string) *opFacts {
	for _, o := range f.ops {
		if o.started.Name == name {
			return o
		}
	}
	return nil
}

// saw notes a record that was seen.
func (f *facts) saw(rec *engine.Record) {
	if rec == nil || !rec.State.Terminal() {
		return
	}
	if o := f.of(rec.Name); o != nil && o.ended == nil {
		o.ended = rec
	}
}

const (
	smallRequest = "small"
	bigSize      = 3 * inlineRequest
)

func textAny(s string) *anypb.Any {
	a, err := anypb.New(wrapperspb.String(s))
	if err != nil {
		panic(err) // a string can always be packed
	}
	return a
}

// scenario uses everything that writes, and notes what was acknowledged. It
// stops at nothing. Its request IDs begin with id.
func scenario(e *Engine, id string) *facts {
	f := &facts{}
	ctx := context.Background()
	start := func(spec engine.Spec) *engine.Record {
		rec, err := e.Start(ctx, spec)
		if err != nil {
			f.failed++
			return nil
		}
		if f.of(rec.Name) == nil {
			f.ops = append(f.ops, &opFacts{started: rec})
		}
		return rec
	}
	small, big := textAny(smallRequest), textAny(strings.Repeat("x", bigSize))

	a := start(engine.Spec{Kind: "work", Parent: "p", Request: small, RequestID: id + "a"})
	b := start(engine.Spec{Kind: "none", Parent: "p", Request: big, RequestID: id + "b"})
	c := start(engine.Spec{Kind: "none", Parent: "p", External: true, Request: small, LeaseFor: time.Hour})
	d := start(engine.Spec{Kind: "work", Parent: "p", Request: big, Retention: time.Minute})

	workCtx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		done <- e.Work(workCtx, engine.Worker{Run: f.attempt, Kinds: map[string]int{"work": 0}, Concurrency: 1})
	}()
	for _, rec := range []*engine.Record{a, d} {
		if rec == nil {
			continue
		}
		waitCtx, cancel := context.WithTimeout(ctx, time.Minute)
		rec, _ := e.Wait(waitCtx, rec.Name)
		cancel()
		f.saw(rec)
	}
	stop()
	<-done
	if c != nil {
		_, _ = e.Report(ctx, c.Lease(), engine.Update{Metadata: textAny("half")})
		rec, _ := e.Complete(ctx, c.Lease(), engine.Completion{Response: small})
		f.saw(rec)
	}
	if b != nil {
		rec, err := e.Cancel(ctx, b.Name)
		f.saw(rec)
		f.of(b.Name).cancelled = err == nil
		f.of(b.Name).mayBeGone = true
		f.of(b.Name).deleted = e.Delete(ctx, b.Name) == nil
	}
	start(engine.Spec{Kind: "none", Parent: "p", Request: small, RequestID: id + "a2"})
	// The one with a retention is removed meanwhile.
	if d != nil {
		f.of(d.Name).mayBeGone = true
	}
	time.Sleep(2 * time.Minute) // sleep: in the bubble of its caller
	return f
}

// attempt fails the first time, and then saves twice and succeeds.
func (f *facts) attempt(ctx context.Context, a engine.Attempt) engine.Outcome {
	rec := a.Record()
	if rec.Attempt == 1 {
		return engine.Outcome{Error: enginekit.Status(code.Code_UNAVAILABLE, "try again"), Retry: true, RetryAfter: time.Second}
	}
	o := f.of(rec.Name)
	for i := range 2 {
		cp := fmt.Sprintf("%d/%d", rec.Attempt, i)
		a.Report(textAny(cp))
		if o != nil {
			o.checkpoints = append(o.checkpoints, cp)
		}
		if a.Save(ctx, []byte(cp)) == nil && o != nil {
			o.saved = len(o.checkpoints)
		}
	}
	return engine.Outcome{Response: textAny("response")}
}

// check finds what an engine, on the store or a copy of it, does not have as
// it must.
func (f *facts) check(t testing.TB, e *Engine) {
	t.Helper()
	known := make(map[string]bool)
	for _, o := range f.ops {
		known[o.started.Name] = true
		o.check(t, e)
	}
	p, err := e.List(t.Context(), engine.Query{AnyParent: true, Limit: 1000})
	if err != nil {
		t.Errorf("List() = %v", err)
	}
	unknown := 0
	for _, rec := range p.Records {
		if known[rec.Name] {
			continue
		}
		unknown++
		if got := unpack(rec.Request); rec.Kind == "" || rec.Parent != "p" || got != smallRequest && len(got) != bigSize {
			t.Errorf("an operation that was not acknowledged is there in part: %v", rec)
		}
	}
	if unknown > f.failed {
		t.Errorf("%d operations that no start returned, want at most %d, the starts that failed", unknown, f.failed)
	}
}

func unpack(a *anypb.Any) string {
	s := new(wrapperspb.StringValue)
	if a == nil || a.UnmarshalTo(s) != nil {
		return ""
	}
	return s.GetValue()
}

func (o *opFacts) check(t testing.TB, e *Engine) {
	t.Helper()
	name := o.started.Name
	rec, err := e.Get(t.Context(), name)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		if !o.deleted && !o.mayBeGone {
			t.Errorf("Get(%q) = %v, and Start had acknowledged it", name, err)
		}
		return
	case err != nil:
		t.Errorf("Get(%q) = %v", name, err)
		return
	case o.deleted:
		t.Errorf("Get(%q) = %v, and Delete had acknowledged it", name, rec)
	}
	if diff := cmp.Diff(o.started.Request, rec.Request, protocmp.Transform()); diff != "" {
		t.Errorf("request of %q (-want +got):\n%s", name, diff)
	}
	if o.ended != nil {
		if diff := diffRecords(rec, o.ended); diff != "" {
			t.Errorf("%q had ended, and has changed (-want +got):\n%s", name, diff)
		}
	}
	if o.cancelled && rec.CancelTime.IsZero() {
		t.Errorf("CancelTime of %q is zero, and Cancel had acknowledged it", name)
	}
	o.checkCheckpoint(t, rec)
}

func (o *opFacts) checkCheckpoint(t testing.TB, rec *engine.Record) {
	t.Helper()
	may := o.checkpoints[max(o.saved-1, 0):]
	if o.saved == 0 && rec.Checkpoint == nil || slices.Contains(may, string(rec.Checkpoint)) {
		return
	}
	t.Errorf("checkpoint of %q is %q, want one of %q", rec.Name, rec.Checkpoint, may)
}

func diffRecords(got, want *engine.Record) string {
	return cmp.Diff(want, got, protocmp.Transform())
}

// checkSound finds what is wrong with a closed database as such.
func checkSound(t testing.TB, path string) {
	t.Helper()
	if err := soundness(t.Context(), path); err != nil {
		t.Errorf("%q: %v", path, err)
	}
}

// soundness returns what is wrong with a closed database as such.
func soundness(ctx context.Context, path string) (err error) {
	c, err := openConn(ctx, path, "", readerCache)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	defer func() { err = errors.Join(err, c.close()) }()
	integrity, _, err := c.db.Prepare("PRAGMA integrity_check")
	if err != nil {
		return fmt.Errorf("integrity check: %w", err)
	}
	var errs []error
	for integrity.Step() {
		if got := integrity.ColumnText(0); got != "ok" {
			errs = append(errs, fmt.Errorf("integrity check: %s", got))
		}
	}
	if err := integrity.Close(); err != nil {
		errs = append(errs, fmt.Errorf("integrity check: %w", err))
	}
	for what, sql := range unsound {
		n, err := queryInt(c.db, sql)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
		if n != 0 {
			errs = append(errs, fmt.Errorf("%d %s", n, what))
		}
	}
	return errors.Join(errs...)
}

// unsound are queries that count what must not be there.
var unsound = map[string]string{
	"operations that are counted wrongly": `SELECT count(*) FROM (
			SELECT kind, state, n FROM tally WHERE n <> 0 EXCEPT
			SELECT kind, state, count(*) FROM op WHERE flags & 4 = 0 GROUP BY kind, state)`,
	"operations that are not counted": `SELECT count(*) FROM (
			SELECT kind, state, count(*) FROM op WHERE flags & 4 = 0 GROUP BY kind, state EXCEPT
			SELECT kind, state, n FROM tally)`,
	"request IDs without operation": `SELECT count(*) FROM request_id WHERE seq NOT IN
			(SELECT seq FROM op WHERE request_id IS NOT NULL AND flags & 4 = 0)`,
	"operations whose request ID is lost": `SELECT count(*) FROM op WHERE request_id IS NOT NULL AND flags & 4 = 0
			AND seq < (SELECT coalesce(max(value), 0) FROM meta WHERE name = 'request_id_merged') AND seq NOT IN (SELECT seq FROM request_id)`,
	"request IDs that lead elsewhere": `SELECT count(*) FROM (
			SELECT seq, count(*) AS n FROM request_id GROUP BY seq HAVING n > 1)`,
	"checkpoints without operation": `SELECT count(*) FROM checkpoint WHERE seq NOT IN (SELECT seq FROM op WHERE flags & 16)`,
	"operations without checkpoint": `SELECT count(*) FROM op WHERE flags & 16 AND seq NOT IN (SELECT seq FROM checkpoint)`,
	"requests without operation":    `SELECT count(*) FROM request WHERE seq NOT IN (SELECT seq FROM op WHERE flags & 8)`,
	"operations without request":    `SELECT count(*) FROM op WHERE flags & 8 AND seq NOT IN (SELECT seq FROM request)`,
	"ends without result":           `SELECT count(*) FROM op WHERE (state >= 3) <> (end_time IS NOT NULL) OR (state >= 3) <> (result IS NOT NULL)`,
}
