package console

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/lropb"
)

// event is a server-sent event as a page gets it.
type event struct {
	name string
	data string
}

// viewer is a client of a live page.
type viewer struct {
	header http.Header
	code   int
	cancel context.CancelFunc
	ended  chan struct{}

	mu     sync.Mutex
	events []event
	beats  int
	broken bool // writes fail
}

func (v *viewer) Header() http.Header { return v.header }

func (v *viewer) WriteHeader(code int) { v.code = code }

func (v *viewer) Write(b []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.broken {
		return 0, errors.New("connection reset")
	}
	text := string(b)
	if text == ":\n\n" {
		v.beats++
		return len(b), nil
	}
	name, data, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(text, "event: "), "\n\n"), "\ndata: ")
	if !ok || strings.Contains(data, "\n") {
		name, data = "not an event", text
	}
	v.events = append(v.events, event{name, data})
	return len(b), nil
}

func (v *viewer) Flush() {}

func (v *viewer) SetWriteDeadline(time.Time) error { return nil }

// take returns what came since the last call.
func (v *viewer) take() []event {
	synctest.Wait()
	v.mu.Lock()
	defer v.mu.Unlock()
	events := v.events
	v.events = nil
	return events
}

func (v *viewer) countBeats() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.beats
}

// look opens a stream in a bubble.
func look(t *testing.T, h *Handler, values url.Values) *viewer {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	v := &viewer{header: http.Header{}, cancel: cancel, ended: make(chan struct{})}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/events?"+values.Encode(), nil)
	go func() {
		defer close(v.ended)
		h.ServeHTTP(v, r)
	}()
	t.Cleanup(func() {
		cancel()
		<-v.ended
	})
	return v
}

func names(events []event) []string {
	var out []string
	for _, e := range events {
		out = append(out, e.name)
	}
	return out
}

// parts are the parts in events, the latest of each.
func partsIn(t *testing.T, events []event) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, e := range events {
		if e.name != "parts" {
			continue
		}
		if err := json.Unmarshal([]byte(e.data), &all); err != nil {
			t.Fatalf("parts %s: %v", e.data, err)
		}
	}
	return all
}

func listOf(ops ...string) url.Values { return url.Values{"page": {"list"}, "name": ops} }

func TestStreamList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &fullSource{changes: make(chan Change), counts: Counts{}}
		src.ops = []Operation{running(t, "operations/b", 1), running(t, "operations/a", 1)}
		h := newHandler(t, src, Config{})
		v := look(t, h, listOf("operations/b", "operations/a"))
		first := v.take()
		if len(first) == 0 || first[0].name != "hello" || v.header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("stream begins with %v, %v, want hello", first, v.header)
		}
		wantNotIn(t, "hello of a source with a feed", first[0].data, "every")
		if parts := partsIn(t, first); parts[elementID("operations/a")] == "" || parts["tabs"] == "" {
			t.Errorf("first parts = %v, want the rows and tabs", parts)
		}

		// A change of a row that is shown.
		src.put(running(t, "operations/a", 55))
		src.changes <- Change{Name: "operations/a"}
		time.Sleep(streamGap)
		parts := partsIn(t, v.take())
		wantIn(t, "the row", parts[elementID("operations/a")], `value="55"`)
		if parts[elementID("operations/b")] != "" {
			t.Errorf("a row that did not change was sent: %v", parts)
		}

		// The numbers follow within a second.
		src.recount(Counts{"export": {lropb.OperationMetadata_RUNNING: 77}})
		time.Sleep(recountEvery)
		wantIn(t, "the tabs", partsIn(t, v.take())["tabs"], ">77<")

		// Newer operations are counted; the rows stay.
		src.put(running(t, "operations/c", 1))
		src.changes <- Change{Name: "operations/c", CreateTime: began}
		src.put(running(t, "operations/d", 1))
		src.changes <- Change{Name: "operations/d", CreateTime: began}
		time.Sleep(lookEvery + streamGap)
		news := v.take()
		if len(news) != 1 || news[0] != (event{"fresh", `{"count":2,"more":false}`}) {
			t.Errorf("after two new operations: %v, want fresh with 2", news)
		}

		// A deleted row.
		src.remove("operations/b")
		src.changes <- Change{Name: "operations/b", Deleted: true}
		time.Sleep(streamGap)
		wantIn(t, "the row", partsIn(t, v.take())[elementID("operations/b")], `class="gone"`, "Deleted")

		// Nothing happens, nothing but beats is sent.
		time.Sleep(3 * streamBeat)
		events, beats := v.take(), v.countBeats()
		if len(events) > 0 || beats < 3 {
			t.Errorf("while nothing happens: %v, %d beats, want beats alone", events, beats)
		}
	})
}

// TestStreamBusy has changes without end: the page must still move.
func TestStreamBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &fullSource{changes: make(chan Change)}
		src.ops = []Operation{running(t, "operations/a", 1)}
		h := newHandler(t, src, Config{})
		v := look(t, h, listOf("operations/a"))
		v.take()
		for i := range int32(400) {
			src.put(running(t, "operations/a", i%100))
			src.changes <- Change{Name: "operations/a"}
			time.Sleep(10 * time.Millisecond)
		}
		events := v.take()
		if got, most := len(events), int(4*time.Second/streamGap); got > most+1 || got < most-2 {
			t.Errorf("400 changes in 4 s made %d events, want about %d", got, most)
		}
	})
}

func TestStreamTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &fullSource{changes: make(chan Change)}
		src.ops = []Operation{running(t, "operations/a", 1)}
		h := newHandler(t, src, Config{})
		v := look(t, h, listOf("operations/a"))
		v.take()

		src.fail(status.Error(codes.Unavailable, "store is away"))
		src.changes <- Change{Name: "operations/a"}
		time.Sleep(streamGap)
		events := v.take()
		if len(events) != 1 || events[0].name != "trouble" || !strings.Contains(events[0].data, "store is away") {
			t.Fatalf("while the source fails: %v, want trouble", events)
		}
		src.put(running(t, "operations/a", 99)) // a change without a notification
		time.Sleep(5 * time.Second)
		if got := len(v.take()); got < 1 || got > 3 {
			t.Errorf("%d tries in 5 s, want 1 to 3", got)
		}
		src.fail(nil)
		time.Sleep(10 * time.Second)
		events = v.take()
		if len(events) < 2 || events[0].name != "calm" {
			t.Fatalf("when the source is back: %v, want calm, then parts", names(events))
		}
		wantIn(t, "the row", partsIn(t, events)[elementID("operations/a")], `value="99"`)
	})
}

// TestStreamLags loses its feed, and has to read everything anew.
func TestStreamLags(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &fullSource{changes: make(chan Change)}
		src.ops = []Operation{running(t, "operations/a", 1)}
		h := newHandler(t, src, Config{})
		v := look(t, h, url.Values{"page": {"operation"}, "name": {"operations/a"}})
		v.take()
		src.put(running(t, "operations/a", 60))
		close(src.changes)
		time.Sleep(streamGap)
		wantIn(t, "the page", partsIn(t, v.take())["head"], `value="60"`)
	})
}

func TestStreamPolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &plainSource{ops: []Operation{running(t, "operations/b", 1), running(t, "operations/a", 1)}}
		h := newHandler(t, src, Config{Poll: 3 * time.Second})
		v := look(t, h, listOf("operations/b", "operations/a"))
		wantIn(t, "hello of a source without a feed", v.take()[0].data, `"every":"3 s"`)

		src.put(running(t, "operations/a", 70))
		src.put(running(t, "operations/c", 1))
		src.remove("operations/b")
		time.Sleep(3 * time.Second)
		events := v.take()
		parts := partsIn(t, events)
		wantIn(t, "the row that moved", parts[elementID("operations/a")], `value="70"`)
		wantIn(t, "the row that went", parts[elementID("operations/b")], "Deleted")
		if last := events[len(events)-1]; last != (event{"fresh", `{"count":1,"more":false}`}) {
			t.Errorf("last event = %v, want fresh with 1", last)
		}
		time.Sleep(9 * time.Second)
		if events := v.take(); len(events) > 0 {
			t.Errorf("while nothing happens: %v, want nothing", events)
		}
	})
}

// slowSource takes its time.
type slowSource struct {
	plainSource
	gets int
}

func (s *slowSource) Get(ctx context.Context, name string) (Operation, error) {
	s.gets++
	time.Sleep(time.Second) // sleep: in the bubble of its caller
	return s.plainSource.Get(ctx, name)
}

func TestStreamSparesSlowSources(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &slowSource{plainSource: plainSource{ops: []Operation{running(t, "operations/a", 1)}}}
		v := look(t, newHandler(t, src, Config{}), url.Values{"page": {"operation"}, "name": {"operations/a"}})
		time.Sleep(time.Minute)
		v.take()
		if src.gets < 4 || src.gets > 7 {
			t.Errorf("%d calls of 1 s in a minute, want one after each pause of 10 s", src.gets)
		}
	})
}

func TestStreamOperation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &fullSource{changes: make(chan Change)}
		src.ops = []Operation{running(t, "operations/a", 1), running(t, "operations/b", 1)}
		v := look(t, newHandler(t, src, Config{}), url.Values{"page": {"operation"}, "name": {"operations/a"}})
		parts := partsIn(t, v.take())
		for _, id := range []string{"head", "timeline", "result", "metadata", "commands"} {
			wantIn(t, "part "+id, parts[id], ` id="`+id+`"`)
		}
		src.changes <- Change{Name: "operations/b"}
		time.Sleep(time.Second)
		if events := v.take(); len(events) > 0 {
			t.Errorf("a change of another operation sent %v", events)
		}
		src.put(ended(t, "operations/a", nil))
		src.changes <- Change{Name: "operations/a"}
		time.Sleep(streamGap)
		parts = partsIn(t, v.take())
		wantIn(t, "the head", parts["head"], "Succeeded")
		wantNotIn(t, "the head", parts["head"], `action="cancel"`)
		wantIn(t, "the result", parts["result"], "hello")
		src.remove("operations/a")
		src.changes <- Change{Name: "operations/a", Deleted: true}
		time.Sleep(streamGap)
		wantIn(t, "the notice", partsIn(t, v.take())["notice"], "does not exist any more")
	})
}

func TestStreamOverview(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &fullSource{changes: make(chan Change)}
		v := look(t, newHandler(t, src, Config{}), url.Values{"page": {"overview"}})
		wantIn(t, "the figures", partsIn(t, v.take())["figures"], "No operation is running or pending")
		src.put(running(t, "operations/a", 1))
		src.recount(Counts{"export": {lropb.OperationMetadata_RUNNING: 5}})
		time.Sleep(overviewEvery)
		wantIn(t, "the figures", partsIn(t, v.take())["figures"], ">5<")
	})
}

func TestStreamEnds(t *testing.T) {
	t.Parallel()
	values := listOf("operations/a")
	tests := map[string]func(h *Handler, v *viewer){
		"viewer leaves":  func(_ *Handler, v *viewer) { v.cancel() },
		"console closes": func(h *Handler, _ *viewer) { h.Close(); h.Close() },
		"it is old": func(*Handler, *viewer) {
			time.Sleep(streamLife) // sleep: in the bubble of its caller
		},
		"viewer is gone": func(_ *Handler, v *viewer) {
			v.mu.Lock()
			v.broken = true
			v.mu.Unlock()
			time.Sleep(streamBeat) // sleep: in the bubble of its caller
		},
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				src := &fullSource{changes: make(chan Change)}
				h := newHandler(t, src, Config{})
				v := look(t, h, values)
				v.take()
				end(h, v)
				synctest.Wait()
				select {
				case <-v.ended:
				default:
					t.Error("the stream goes on")
				}
			})
		})
	}
}

func TestStreamAfterClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, &fullSource{changes: make(chan Change)}, Config{})
		h.Close()
		v := look(t, h, listOf())
		synctest.Wait()
		<-v.ended
		if code, _ := get(t, h, "/"); code != http.StatusOK {
			t.Errorf("GET / of a closed console = %d, want 200", code)
		}
	})
}

// TestStreamNeedsFlush tells why pages do not move behind a handler that hides
// the connection.
func TestStreamNeedsFlush(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	h := newHandler(t, &plainSource{}, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	hidden := struct{ http.ResponseWriter }{httptest.NewRecorder()}
	h.ServeHTTP(hidden, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/events?page=list", nil))
	wantIn(t, "the log", log.String(), "hides http.Flusher")
}

// TestStreamRows takes a request with more rows than a page has.
func TestStreamRows(t *testing.T) {
	t.Parallel()
	values := url.Values{}
	for range 3 {
		values["name"] = append(values["name"], strings.Repeat("x", 10))
	}
	for i := range 200 {
		values["name"] = append(values["name"], strings.Repeat("y", i+1))
	}
	h := newHandler(t, &plainSource{}, Config{})
	if l := newLiveList(h, h.viewOf(nil), values); len(l.names) != pageSize || len(l.shown) != pageSize {
		t.Errorf("a stream for %d rows follows %d, want %d", len(values["name"]), len(l.names), pageSize)
	}
}
