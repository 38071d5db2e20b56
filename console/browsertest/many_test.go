package browsertest

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/go-lro/lro/lropb"
)

// manyOperations is how many there are in TestMany.
const manyOperations = 100_000

// fill starts operations that wait for ever.
func (s *site) fill(n int) {
	s.t.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	var starting sync.WaitGroup
	for range 256 { // they share the store's writes
		starting.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := idle.Start(s.t.Context(), s.srv, &lropb.SimulateRequest{Echo: "x"}, nil); err != nil {
					s.t.Errorf("start: %v", err)
					return
				}
			}
		})
	}
	starting.Wait()
}

var (
	rowNames = regexp.MustCompile(`<tr id="[^"]*" data-name="([^"]*)"`)
	nextPage = regexp.MustCompile(`id="next" rel="next" href="([^"]*)"`)
)

// TestMany pages through 100,000 operations while others arrive.
func TestMany(t *testing.T) {
	if testing.Short() {
		t.Skip("starts 100,000 operations")
	}
	t.Parallel()
	s := newSite(t, siteOptions{})
	begin := time.Now()
	s.fill(manyOperations)
	t.Logf("%d operations started in %s", manyOperations, time.Since(begin).Round(time.Millisecond))

	// Every page, without a browser; each row must come once.
	begin = time.Now()
	seen := make(map[string]bool, manyOperations)
	pages, slowest := 0, time.Duration(0)
	for path := "/"; path != ""; pages++ {
		if pages%100 == 50 {
			s.export("shelves/new") // newer than anything on the pages to come
		}
		asked := time.Now()
		w := s.get(path)
		slowest = max(slowest, time.Since(asked))
		text := w.Body.String()
		if w.Code != 200 {
			t.Fatalf("page %d = %d:\n%.500s", pages, w.Code, text)
		}
		for _, m := range rowNames.FindAllStringSubmatch(text, -1) {
			if seen[m[1]] {
				t.Fatalf("page %d has %q, which an earlier page had", pages, m[1])
			}
			seen[m[1]] = true
		}
		path = ""
		if m := nextPage.FindStringSubmatch(text); m != nil {
			path = strings.TrimPrefix(html.UnescapeString(m[1]), ".")
		}
	}
	if len(seen) != manyOperations {
		t.Errorf("%d pages have %d rows, want %d", pages, len(seen), manyOperations)
	}
	t.Logf("%d pages in %s, the slowest in %s", pages, time.Since(begin).Round(time.Millisecond), slowest.Round(time.Millisecond))

	b := newTab(t, s)
	measure := func(what string, do func()) {
		t.Helper()
		begin := time.Now()
		do()
		took := time.Since(begin)
		t.Logf("%s in %s", what, took.Round(time.Millisecond))
		if took > 10*time.Second {
			t.Errorf("%s took %s, want it to be usable", what, took)
		}
	}
	full := "document.querySelectorAll('#rows tbody tr').length === 50"
	measure("first page in the browser", func() { b.open("/"); b.wait(full) })
	first := b.text("#rows tbody tr:last-child .c-name")
	measure("20 pages on", func() {
		for i := range 20 {
			b.do(chromedp.Click(chromedp.ID("next")))
			b.waitText(".paging", fmt.Sprintf("Rows %s to", thousands(51+50*i)))
		}
	})
	b.waitText(".paging", "Rows 1,001 to 1,050 of 100,0")
	measure("20 pages back", func() {
		for i := range 20 {
			b.wait("!document.getElementById('previous').hidden")
			b.do(chromedp.Click(chromedp.ID("previous")))
			b.waitText(".paging", fmt.Sprintf("Rows %s to", thousands(951-50*i)))
		}
	})
	if got := b.text("#rows tbody tr:last-child .c-name"); got != first {
		t.Errorf("back on the first page, the last row is %q, was %q", got, first)
	}
	measure("a tab with few rows", func() {
		b.do(chromedp.Click(chromedp.CSS("#tabs .is-running")))
		b.wait("document.querySelectorAll('#rows tbody tr').length === 20")
	})
	measure("a filter that nothing meets", func() {
		b.open("/?filter=metadata.target%3Dnowhere")
		// Whichever a machine gets to first: the end, or of its patience.
		b.wait(`/No operations found so far|No operations match/.test(document.querySelector('main').innerText)`)
	})
	measure("overview", func() { b.open("/overview"); b.waitText("#figures", "From the newest 5,000") })
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
