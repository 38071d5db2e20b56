package postgres

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

func TestLines(t *testing.T) {
	t.Parallel()
	name := enginekit.FormatName("projects/a b/x", enginekit.FormatSeqID(7, enginekit.Random(enginekit.SeqTail)))
	for _, n := range []news{
		{seq: 1},
		{seq: 1, lives: true},
		{seq: enginekit.MaxSeq, kind: "a kind", lives: true},
		{seq: 7, deleted: &engine.Record{Name: name, Parent: "projects/a b/x"}},
		{seq: 7, deleted: &engine.Record{Name: strings.TrimPrefix(name, "projects/a b/x/")}},
	} {
		got, ok := parseLine(n.line())
		if diff := cmp.Diff(n, got, cmp.AllowUnexported(news{}), cmp.Comparer(func(a, b *engine.Record) bool {
			return (a == nil) == (b == nil) && (a == nil || a.Name == b.Name && a.Parent == b.Parent)
		})); diff != "" || !ok {
			t.Errorf("parseLine(%q) = %v (-want +got):\n%s", n.line(), ok, diff)
		}
	}
}

// TestHearEnd: an end that is heard of ends the waits for it at once, before the
// database is polled.
func TestHearEnd(t *testing.T) {
	t.Parallel()
	e := newStore(t, &Options{Lease: testLease}).open(t)
	w := e.waits.Join(7)
	defer w.Leave()
	other := e.waits.Join(8)
	defer other.Leave()
	e.hear([]news{{seq: 7, ended: &engine.Record{State: engine.Succeeded}}})
	if !enginekit.IsClosed(w.Done()) || enginekit.IsClosed(other.Done()) {
		t.Error("hearing of an end did not end the wait for that operation alone")
	}
}

// TestPayloads: notifications are no longer than PostgreSQL takes, and lose
// nothing.
func TestPayloads(t *testing.T) {
	t.Parallel()
	n := &notifier{id: "id", kick: make(chan struct{}, 1)}
	var want []string
	for i := range 3000 {
		c := news{seq: int64(i), kind: strings.Repeat("k", i%engine.MaxKind)}
		n.queue([]news{c})
		want = append(want, c.line())
	}
	var got []string
	for _, payload := range n.payloads() {
		if len(payload) >= 8000 {
			t.Errorf("a notification has %d bytes", len(payload))
		}
		lines := strings.Split(payload, "\n")
		if lines[0] != n.id {
			t.Errorf("a notification begins with %q, want %q", lines[0], n.id)
		}
		got = append(got, lines[1:]...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	n.queue(make([]news, maxQueued+1))
	if got := n.payloads(); len(got) != 1 || got[0] != "id\nc 0\n"+lineMissed {
		t.Errorf("notifications of %d changes = %.100q, want that some are missed", maxQueued+1, got)
	}
}

func FuzzParseLine(f *testing.F) {
	for _, seed := range []string{"", "c 1", "p 1 kind", "d 1 operations/x", "d 1 p/operations/x", "m", "i 5", "c x", "d 9223372036854775808 x", "p  "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		n, ok := parseLine(line)
		if !ok {
			return
		}
		if again, ok := parseLine(n.line()); !ok || again.seq != n.seq || again.kind != n.kind || (again.deleted == nil) != (n.deleted == nil) {
			t.Errorf("parseLine(%q) = %+v, which is %q", line, n, n.line())
		}
	})
}

// TestEndAfterDelete: an end that comes to be published after the delete that followed
// it is not.
func TestEndAfterDelete(t *testing.T) {
	t.Parallel()
	e := newStore(t, &Options{}).open(t)
	changes := e.Subscribe(t.Context())
	gone := &engine.Record{Name: "operations/gone", State: engine.Succeeded}
	const seq = 1 << 40 // of no operation
	e.fetch(news{seq: seq, deleted: gone})
	until(t, "the delete is not published", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.removed.has(seq)
	})
	e.fetch(news{seq: seq, ended: gone})
	mustStart(t, e, engine.Spec{External: true}) // comes after
	var got []engine.Change
	for c, err := range changes {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, c); c.Record.Name != gone.Name {
			break
		}
	}
	if len(got) != 2 || !got[0].Deleted {
		t.Errorf("the feed has %v, want the delete and then another operation", got)
	}
}

func TestRecent(t *testing.T) {
	t.Parallel()
	var r recent
	for i := range int64(maxRecent + 2) {
		r.add(i)
		r.add(i)
	}
	if r.has(0) || r.has(1) || !r.has(2) || !r.has(maxRecent+1) || len(r.in) != maxRecent {
		t.Errorf("%d numbers are kept, want the last %d", len(r.in), maxRecent)
	}
}
