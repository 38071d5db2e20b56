package temporal

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/go-lro/lro/server/engine/enginekit"
)

func TestCursor(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 1, 2, 3, 456789, time.UTC)
	for _, want := range []cursor{
		{at: at}, {at: at, id: "o1"}, {at: at, id: enginekit.Random(requestLen), span: time.Hour}, {at: time.Unix(0, 0).UTC(), span: minSpan},
	} {
		if got, ok := parseCursor(want.String()); !ok || got != want {
			t.Errorf("parseCursor(%q) = %+v, %v; want %+v", want.String(), got, ok, want)
		}
	}
}

func TestCursorOrder(t *testing.T) {
	t.Parallel()
	at := time.Unix(100, 0)
	for _, tt := range []struct {
		c    cursor
		at   time.Time
		id   string
		want bool
	}{
		{cursor{at: at, id: "m"}, at, "a", true},
		{cursor{at: at, id: "m"}, at, "m", false},
		{cursor{at: at, id: "m"}, at, "z", false},
		{cursor{at: at, id: "m"}, at.Add(-1), "z", true},
		{cursor{at: at, id: "m"}, at.Add(1), "a", false},
		{cursor{at: at}, at, "a", false},
		{cursor{at: at}, at.Add(-1), "a", true},
	} {
		if got := tt.c.before(tt.at, tt.id); got != tt.want {
			t.Errorf("%+v.before(%v, %q) = %v, want %v", tt.c, tt.at, tt.id, got, tt.want)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add(cursor{at: time.Unix(1, 2), id: "o1", span: time.Hour}.String())
	f.Add(cursor{at: time.Unix(1, 2)}.String() + "\n")
	f.Add("AQ\r\n" + cursor{at: time.Unix(1, 2)}.String()[2:])
	f.Add("")
	f.Add("-1")
	f.Add(base64.RawURLEncoding.EncodeToString(make([]byte, cursorHead+cursorSum)))
	f.Fuzz(func(t *testing.T, s string) {
		c, ok := parseCursor(s)
		if ok && c.String() != s {
			t.Errorf("parseCursor(%q) = %+v, which is %q", s, c, c.String())
		}
	})
}
