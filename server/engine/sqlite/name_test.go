package sqlite

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

func TestName(t *testing.T) {
	t.Parallel()
	for _, seq := range []int64{0, 1, 31, 32, 1 << 20, maxSeq} {
		for _, parent := range []string{"", "projects/p", "operations/x"} {
			name := enginekit.FormatName(parent, formatID(seq, enginekit.Random(tailDigits)))
			if got, ok := parseName(name); !ok || got != seq {
				t.Errorf("parseName(%q) = %d, %v; want %d, true", name, got, ok, seq)
			}
		}
		if got, ok := parseCursor(formatCursor(seq)); !ok || got != seq {
			t.Errorf("parseCursor(formatCursor(%d)) = %d, %v", seq, got, ok)
		}
	}
	if a, b := formatID(1<<20, enginekit.Random(tailDigits)), formatID(1<<20+1, enginekit.Random(tailDigits)); a >= b {
		t.Errorf("IDs %q and %q are not in the order of their operations", a, b)
	}
}

func FuzzParseName(f *testing.F) {
	id := formatID(42, "0123456789abcde")
	for _, seed := range []string{
		"", "operations/" + id, "projects/p/operations/" + id, "/operations/" + id, "operations/" + strings.ToUpper(id),
		id, "xoperations/" + id, "operations/" + id[:len(id)-1], "operations//" + id, "operations/x" + id[1:],
	} {
		f.Add(seed)
	}
	e := mustOpen(f, filepath.Join(f.TempDir(), "operations.db"), nil)
	rec, err := e.Start(f.Context(), engine.Spec{Kind: "k", Parent: "projects/p"})
	if err != nil {
		f.Fatalf("Start() = %v", err)
	}
	f.Add(rec.Name)
	f.Fuzz(func(t *testing.T, name string) {
		seq, ok := parseName(name)
		if ok {
			before, id := name[:len(name)-idLen], name[len(name)-idLen:]
			if seq < 0 || seq > maxSeq || formatID(seq, id[1+seqDigits:]) != id || !strings.HasSuffix(before, "operations/") {
				t.Errorf("parseName(%q) = %d, which is %q", name, seq, formatID(seq, id[1+seqDigits:]))
			}
		}
		got, err := e.Get(t.Context(), name)
		if name == rec.Name && err != nil || name != rec.Name && !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("Get(%q) = %v, %v", name, got, err)
		}
	})
}

func FuzzParseCursor(f *testing.F) {
	for _, seed := range []string{"", "00000000", "vvvvvvvv", "0000000", "000000000", "0000000V", "-0000001"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if seq, ok := parseCursor(s); ok && formatCursor(seq) != s {
			t.Errorf("parseCursor(%q) = %d, which is %q", s, seq, formatCursor(seq))
		}
	})
}

func FuzzDecodeHistory(f *testing.F) {
	for _, seed := range []string{"", "[]", `[{"t":1,"e":"checkpoint","a":1,"x":"text"}]`, `[{"t":"x"}]`, "null", "[[", `[{"t":9223372036854775807}]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		events, err := decodeHistory(text)
		if err != nil {
			return
		}
		again, err := encodeHistory(events)
		if err != nil {
			t.Fatalf("encodeHistory(%v) = %v", events, err)
		}
		back, err := decodeHistory([]byte(again))
		if err != nil || len(back) != len(events) {
			t.Errorf("decodeHistory(%q) = %v, %v; want %v", again, back, err, events)
		}
	})
}
