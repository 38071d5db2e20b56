//go:build unix

package simulation

import (
	"context"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/internal/oracle"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
)

// TestBook: what a process writes is in the history, also when the process dies
// before it says what became of it.
func TestBook(t *testing.T) {
	t.Parallel()
	w := newWorld(generate(1).share(false))
	b, err := openBook(w)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	b.since[7] = w.history.next()
	p, err := openPen(b.socket.Addr().String(), w.history.begin)
	if err != nil {
		t.Fatal(err)
	}
	p.claim(oracle.Event{Key: 1, Do: oracle.Claim, Name: "shelves/a/operations/x", Lived: 7})
	saved := p.call(oracle.Event{Key: 1, Do: oracle.Save, Name: "shelves/a/operations/x", Lived: 7})
	p.done(saved, oracle.Lost)
	p.call(oracle.Event{Key: 1, Do: oracle.Save, Name: "shelves/a/operations/x", Lived: 7})
	if err := p.client.Close(); err != nil {
		t.Fatal(err)
	}
	type event struct {
		Do, Out      string
		Call, Return int
	}
	var got []event
	for _, e := range w.history.events {
		got = append(got, event{e.Do, e.Out, e.Call, e.Return})
	}
	want := []event{{oracle.Claim, oracle.OK, 1, 3}, {oracle.Save, oracle.Lost, 4, 5}, {oracle.Save, oracle.Unknown, 6, 0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if names := w.names(); len(names) != 1 {
		t.Errorf("known are %q, want the operation that was claimed", names)
	}
}

// TestSettle: the end of a program waits for operations that it does not know, since
// it would know them as soon as their attempts begin.
func TestSettle(t *testing.T) {
	t.Parallel()
	e, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "operations.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	kind := server.Kind[text, text, details]{Name: kindOutside}
	srv, err := server.New(e, server.Config{}, kind.External())
	if err != nil {
		t.Fatal(err)
	}
	packed, err := anypb.New(wrapperspb.String(""))
	if err != nil {
		t.Fatal(err)
	}
	for key := range 2 {
		op, err := srv.Starter().StartOperation(t.Context(), &lropb.StartOperationRequest{Parent: parentOf(key), Kind: kindOutside, Request: packed})
		if err != nil {
			t.Fatal(err)
		}
		var completed atomic.Bool
		time.AfterFunc(100*time.Millisecond, func() {
			ext, err := kind.Attach(context.Background(), srv, op.GetName())
			if err == nil {
				completed.Store(true)
				err = ext.Complete(context.Background(), wrapperspb.String(""))
			}
			if err != nil {
				t.Error(err)
			}
		})
		c := &cluster{w: newWorld(generate(1).share(false)), server: srv}
		if c.settle(); !completed.Load() {
			t.Errorf("settle() returned while %s ran", op.GetName())
		}
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// TestShare: in real time no actor pauses for long, and the steps are the same, but
// for faults that are aimed where there are faults. All but the first of these come
// last.
func TestShare(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		p := generate(seed)
		p.steps = p.withoutBackups()
		transacts := seed%2 == 0
		s := p.share(transacts)
		paused := make(map[int]time.Duration)
		aimed := slices.IndexFunc(s.steps, func(s step) bool { return s.Index == len(p.steps) })
		if aimed >= 0 {
			last := s.steps[len(p.steps)+1:]
			if last[len(last)-1].Do != doElsewhere || transacts != (last[0].Do == doCommit) {
				t.Errorf("seed %d: the last steps are %v, and there are transactions: %t", seed, last, transacts)
			}
			s = s.only(upTo(len(p.steps)))
		}
		if faults := slices.ContainsFunc(p.steps, func(s step) bool { return s.Actor < 0 }); (aimed >= 0) != faults {
			t.Errorf("seed %d: a fault is aimed: %t, and the program has faults: %t", seed, aimed >= 0, faults)
		}
		for i, step := range s.steps {
			paused[step.Actor] += step.After
			step.After, step.For = p.steps[i].After, p.steps[i].For
			if step != p.steps[i] {
				t.Fatalf("seed %d: step %v became %v", seed, p.steps[i], step)
			}
		}
		for actor, d := range paused {
			if d > sharedTime {
				t.Errorf("seed %d: %s pauses for %v", seed, actorName(actor), d)
			}
		}
	}
}

func TestLongest(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]time.Duration{
		"ok": 0, "report 9s save deaf": 9*time.Second + deafFor, "1s later": 3 * (time.Second + laterDelay),
	} {
		if got := longest(script); got != want {
			t.Errorf("longest(%q) = %v, want %v", script, got, want)
		}
	}
}

// TestQueue: a limit has its operations wait for each other, so more of them take
// longer.
func TestQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(&program{keys: []key{{kind: kindNarrow, script: "1s deaf"}, {kind: kindWork, script: "1h ok"}}})
	for i := range 40 {
		w.know(string(rune('a'+i)), ownSlot*(i+1)+i%2)
	}
	if got, want := w.queue(), 20*(time.Second+deafFor); got != want {
		t.Errorf("queue() = %v, want %v", got, want)
	}
}
