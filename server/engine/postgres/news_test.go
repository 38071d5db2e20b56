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
	if got := n.payloads(); len(got) != 1 || !strings.HasSuffix(got[0], "\n"+lineMissed) {
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
