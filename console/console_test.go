package console

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

type ctxT = context.Context

func ts(t time.Time) *timestamppb.Timestamp { return timestamppb.New(t) }

func bodyOf(t testing.TB, resp *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestNew(t *testing.T) {
	t.Parallel()
	if _, err := New(nil, Config{}); err == nil {
		t.Error("New(nil) = nil error")
	}
	for _, c := range []Config{
		{Timeout: -1}, {Poll: -1}, {Poll: time.Millisecond}, {Endpoint: Endpoint{Address: "a:1", URL: "http://a"}},
		{Endpoint: Endpoint{SameHost: true, Address: "a:1"}},
	} {
		if _, err := New(&plainSource{}, c); err == nil {
			t.Errorf("New(%+v) = nil error", c)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	h := newHandler(t, &plainSource{}, Config{Authorize: func(_ *http.Request, a Access) error {
		if a.Name == "no" {
			return errNo
		}
		return nil
	}})
	for _, target := range []string{"/", "/overview", "/operation", "/raw", "/nothing", "/events", "/operation?name=no", "/" + assets["console.css"].url} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		csp := w.Header().Get("Content-Security-Policy")
		wantIn(t, "the policy of "+target, csp, "default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'")
		wantNotIn(t, "the policy of "+target, csp, "unsafe", "http:", "https:", "*")
		if got := w.Header().Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("GET %s: X-Content-Type-Options is %q", target, got)
		}
	}
}

// TestPagesNeedNothingInline is what the policy would break.
func TestPagesNeedNothingInline(t *testing.T) {
	t.Parallel()
	src := &fullSource{plainSource: plainSource{ops: many(t, 3)}}
	h := newHandler(t, src, Config{})
	for _, target := range []string{"/", "/overview", operationURL("projects/p/operations/o0001")} {
		_, page := get(t, h, target)
		wantNotIn(t, target, page, " style=", "<style", " onclick=", "javascript:", "http://", "https://", "<script>", `href="/`, `src="/`, `action="/`)
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	h := newHandler(t, &plainSource{}, Config{})
	for name, want := range map[string]string{
		"console.js": "text/javascript; charset=utf-8", "console.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/"+assets[name].url, nil))
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != want || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("GET %s = %d, %v", assets[name].url, w.Code, w.Header())
		}
		w = httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/assets/"+name, nil))
		if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("GET assets/%s = %d, %v, want it not to be kept", name, w.Code, w.Header())
		}
	}
}

func TestMounted(t *testing.T) {
	t.Parallel()
	src := &fullSource{plainSource: plainSource{ops: many(t, 1)}}
	mux := http.NewServeMux()
	mux.Handle("/admin/operations/", http.StripPrefix("/admin/operations", newHandler(t, src, Config{})))
	code, page := get(t, mux, "/admin/operations/")
	if code != http.StatusOK {
		t.Fatalf("GET the mounted console = %d, want 200", code)
	}
	wantIn(t, "the list", page, `href="operation?name=`, `src="assets/`)
	if code, _ := get(t, mux, "/admin/operations/"+assets["console.js"].url); code != http.StatusOK {
		t.Errorf("GET a mounted asset = %d, want 200", code)
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		hosts []string
		host  string
		want  int
	}{
		{nil, "evil.example", 200},
		{[]string{}, "evil.example", 403},
		{[]string{}, "localhost:8700", 200},
		{[]string{}, "localhost.", 200},
		{[]string{}, "127.0.0.1:8700", 200},
		{[]string{}, "[::1]:8700", 200},
		{[]string{}, "[::1]", 200},
		{[]string{}, "127.0.0.1.evil.example", 403},
		{[]string{}, "", 403},
		{[]string{"Console.Example"}, "console.example:443", 200},
		{[]string{"console.example"}, "other.example", 403},
	}
	for _, tt := range tests {
		h := newHandler(t, &plainSource{}, Config{Hosts: tt.hosts})
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = tt.host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("Hosts %q: GET from %q = %d, want %d", tt.hosts, tt.host, w.Code, tt.want)
		}
	}
}
