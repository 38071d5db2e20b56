package console

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func benchmarkPage(b *testing.B, src Source, target string) {
	h := newHandler(b, src, Config{})
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		if w.Code != http.StatusOK {
			b.Fatalf("GET %s = %d", target, w.Code)
		}
	}
}

// BenchmarkList makes a page of 50 rows.
func BenchmarkList(b *testing.B) {
	benchmarkPage(b, &fullSource{plainSource: plainSource{ops: many(b, 60)}}, "/")
}

// BenchmarkOperation makes the page of one operation.
func BenchmarkOperation(b *testing.B) {
	src := &fullSource{plainSource: plainSource{ops: []Operation{running(b, "operations/one", 1)}}}
	benchmarkPage(b, src, operationURL("operations/one"))
}

// BenchmarkOverview reads 5,000 operations and makes the overview.
func BenchmarkOverview(b *testing.B) {
	benchmarkPage(b, &fullSource{plainSource: plainSource{ops: many(b, sampleSize)}}, "/overview")
}

// BenchmarkRow makes what one change of a row sends to a page.
func BenchmarkRow(b *testing.B) {
	h := newHandler(b, &plainSource{}, Config{})
	op := running(b, "operations/one", 1)
	for b.Loop() {
		if _, err := part("list", "row", h.rowOf(b.Context(), op)); err != nil {
			b.Fatal(err)
		}
	}
}
