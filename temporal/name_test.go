package temporal

import (
	"strings"
	"testing"

	"github.com/go-lro/lro/server/engine/enginekit"
)

func TestNewID(t *testing.T) {
	t.Parallel()
	id, activityID := newID("q", "", "")
	if id != activityID || len(id) != randomLen {
		t.Errorf("newID() = %q, %q; want one ID of %d bytes", id, activityID, randomLen)
	}
	seen := make(map[string]string)
	for _, s := range []struct{ queue, caller, requestID string }{
		{"q", "", "ab"}, {"q", "a", "b"}, {"q", "ab", "b"}, {"qa", "", "b"}, {"r", "", "ab"},
	} {
		id, activityID := newID(s.queue, s.caller, s.requestID)
		again, same := newID(s.queue, s.caller, s.requestID)
		if activityID != same || id == again || !strings.HasPrefix(id, activityID) {
			t.Errorf("newID(%+v) = %q, %q and %q, %q; want one activity, and names of it", s, id, activityID, again, same)
		}
		if other, ok := seen[activityID]; ok {
			t.Errorf("newID(%+v) is that of %s", s, other)
		}
		seen[activityID] = s.queue + "/" + s.caller + "/" + s.requestID
		for _, parent := range []string{"", "projects/p", "a/operations/b"} {
			if got, ok := parseName(enginekit.FormatName(parent, id)); !ok || got != activityID {
				t.Errorf("parseName(%q) = %q, %v; want %q", enginekit.FormatName(parent, id), got, ok, activityID)
			}
		}
	}
}

func TestParseNameRefuses(t *testing.T) {
	t.Parallel()
	id, _ := newID("q", "", "id")
	for _, name := range []string{
		"", "/", id, "/" + id, "operations/", "operations" + id, "operations//" + id, "xoperations/" + id,
		"operations/" + id + "0", "operations/" + id[1:], "operations/" + strings.ToUpper(id), "operations/o" + id[1:],
		"operations/" + strings.Repeat("o", 1<<16), "operations/" + id[:20] + "\x00" + id[21:],
	} {
		if got, ok := parseName(name); ok {
			t.Errorf("parseName(%.80q) = %q, want it refused", name, got)
		}
	}
}

func FuzzParseName(f *testing.F) {
	id, _ := newID("q", "", "id")
	f.Add(enginekit.FormatName("", id))
	f.Add(enginekit.FormatName("projects/p", enginekit.Random(randomLen)))
	f.Add("operations/o")
	f.Fuzz(func(t *testing.T, name string) {
		id, ok := parseName(name)
		if ok && (!strings.Contains(name, "operations/"+id) || len(id) > requestLen) {
			t.Errorf("parseName(%q) = %q, which is not in it", name, id)
		}
	})
}
