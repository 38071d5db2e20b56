package enginekit

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-lro/lro/server/engine"
)

func TestSeqName(t *testing.T) {
	t.Parallel()
	for _, seq := range []int64{0, 1, 31, 32, 1 << 20, MaxSeq} {
		for _, parent := range []string{"", "projects/p", "operations/x"} {
			name := FormatName(parent, FormatSeqID(seq, Random(SeqTail)))
			if got, ok := ParseSeqName(name); !ok || got != seq {
				t.Errorf("ParseSeqName(%q) = %d, %v; want %d, true", name, got, ok, seq)
			}
		}
		if got, ok := ParseSeqCursor(FormatSeqCursor(seq)); !ok || got != seq {
			t.Errorf("ParseSeqCursor(FormatSeqCursor(%d)) = %d, %v", seq, got, ok)
		}
	}
	if a, b := FormatSeqID(1<<20, Random(SeqTail)), FormatSeqID(1<<20+1, Random(SeqTail)); a >= b {
		t.Errorf("IDs %q and %q are not in the order of their operations", a, b)
	}
}

func FuzzParseSeqName(f *testing.F) {
	id := FormatSeqID(42, "0123456789abcde")
	for _, seed := range []string{
		"", "operations/" + id, "projects/p/operations/" + id, "/operations/" + id, "operations/" + strings.ToUpper(id),
		id, "xoperations/" + id, "operations/" + id[:len(id)-1], "operations//" + id, "operations/x" + id[1:],
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		seq, ok := ParseSeqName(name)
		if ok {
			before, id := name[:len(name)-seqIDLen], name[len(name)-seqIDLen:]
			if seq < 0 || seq > MaxSeq || FormatSeqID(seq, id[1+seqDigits:]) != id || !strings.HasSuffix(before, "operations/") {
				t.Errorf("ParseSeqName(%q) = %d, which is %q", name, seq, FormatSeqID(seq, id[1+seqDigits:]))
			}
		}
	})
}

func FuzzParseSeqCursor(f *testing.F) {
	for _, seed := range []string{"", "00000000", "vvvvvvvv", "0000000", "000000000", "0000000V", "-0000001"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if seq, ok := ParseSeqCursor(s); ok && FormatSeqCursor(seq) != s {
			t.Errorf("ParseSeqCursor(%q) = %d, which is %q", s, seq, FormatSeqCursor(seq))
		}
	})
}

func TestSeqBefore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		after string
		limit int
		want  int64
		err   error
	}{
		{"", 1, MaxSeq + 1, nil},
		{FormatSeqCursor(7), 1, 7, nil},
		{"no cursor", 1, 0, engine.ErrInvalidCursor},
		{"", 0, 0, engine.ErrInvalid},
	} {
		if got, err := SeqBefore(engine.Query{After: tt.after, Limit: tt.limit}); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("SeqBefore(%q, %d) = %d, %v; want %d, %v", tt.after, tt.limit, got, err, tt.want, tt.err)
		}
	}
}
