package guard

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// deadlines counts the read deadlines that are set after its handler returned.
type deadlines struct {
	http.ResponseWriter
	returned bool
	late     int
}

func (d *deadlines) SetReadDeadline(time.Time) error {
	if d.returned {
		d.late++
	}
	return nil
}

// TestCutAfterTheHandler: another connection chooses a body to be cut, and comes
// to it when its handler has just returned. The connection then serves the next
// request, and that of HTTP/2 panics.
func TestCutAfterTheHandler(t *testing.T) {
	t.Parallel()
	g, err := New(Limits{InFlight: 100})
	if err != nil {
		t.Fatal(err)
	}
	var most *holder
	w := &deadlines{ResponseWriter: httptest.NewRecorder()}
	g.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadFull(r.Body, make([]byte, 90)); err != nil {
			t.Error(err)
		}
		most = g.inFlight.change(&holder{}, 20)
	})).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", 1000))))
	w.returned = true
	if most == nil {
		t.Fatal("no body was chosen, though all hold too much")
	}
	most.end()
	if w.late != 0 {
		t.Error("the deadline was set for a request that the handler has answered")
	}
}

// TestWholeBodiesHoldNothing: a body that has come to its end counts no more,
// while its handler still runs.
func TestWholeBodiesHoldNothing(t *testing.T) {
	t.Parallel()
	g, err := New(Limits{InFlight: 100})
	if err != nil {
		t.Fatal(err)
	}
	g.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			t.Error(err)
		}
		if most := g.inFlight.change(&holder{}, 90); most != nil || g.inFlight.total != 90 {
			t.Errorf("%d bytes are held, want 90 of another connection", g.inFlight.total)
		}
	})).ServeHTTP(&deadlines{ResponseWriter: httptest.NewRecorder()}, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat("x", 90))))
}
