package lrovanguard_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/go-lro/lro/lrovanguard"
)

// FuzzREST sends any request. It is answered with JSON of a success, or with an
// error of AIP-193 whose code is the HTTP status; a 5xx is the service's alone.
func FuzzREST(f *testing.F) {
	for _, seed := range []struct{ method, path, query, media, body string }{
		{"GET", "/v1/publishers/acme/books", "pageSize=1&page_token=x", "", ""},
		{"GET", "/v1/publishers/acme/books", "pageSize=1e3&parent.x=1&%zz", "", ""},
		{"POST", "/v1/publishers/acme/books", "", "application/json", `{"title":"x"}`},
		{"POST", "/v1/publishers/acme/books", "book.title=x&$alt=json", "application/json", `{"title":"x",}`},
		{"POST", "/v1/publishers/acme/books:export", "", "application/json; charset=utf-8", `{"requestId":"é"}`},
		{"POST", "/v1/publishers/acme/books:", "", "text/plain", "\xff"},
		{"PUT", "/v1/publishers/acme/books", "", "", ""},
		{"GET", "/v1/publishers/a/operations/x", "", "", ""},
		{"POST", "/v1/operations/x:wait", "timeout=1s", "", ""},
		{"HEAD", "//", "", "", ""},
	} {
		f.Add(seed.method, seed.path, seed.query, seed.media, seed.body)
	}
	server := newLibrary()
	f.Cleanup(server.Stop)
	handler, err := lrovanguard.NewHandler(server, lrovanguard.Config{MaxMessage: 64 << 10})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, method, path, query, media, body string) {
		if strings.HasPrefix(media, "application/grpc") || strings.HasPrefix(media, "application/connect") || strings.Contains(query, "connect") {
			return // of another protocol
		}
		if strings.HasPrefix(path, "/example.") || strings.HasPrefix(path, "/google.") || strings.Contains(path, "/plain/") || strings.Contains(path, "/busy/") {
			return
		}
		r := httptest.NewRequest("GET", "/", strings.NewReader(body))
		r.Method, r.URL = method, &url.URL{Path: path, RawQuery: query}
		r.Header.Set("Content-Type", media)
		if media == "" {
			r.Header.Del("Content-Type")
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code < 300 {
			if !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s %s?%s = %d %q, want JSON", method, path, query, w.Code, w.Body)
			}
			return
		}
		var got failure
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Error.Code != w.Code {
			t.Errorf("%s %s?%s (%q) = %d %q, want an error of AIP-193", method, path, query, media, w.Code, w.Body)
		}
		if w.Code >= 500 && w.Code != 501 {
			t.Errorf("%s %s?%s (%q) %q = %d %q, want an error of the client", method, path, query, media, body, w.Code, w.Body)
		}
	})
}
