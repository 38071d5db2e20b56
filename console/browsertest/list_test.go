package browsertest

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/go-lro/lro/lropb"
)

func TestFilter(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	for range 3 {
		s.export("shelves/1")
	}
	s.ended(s.reindex(0, locked(t)))
	b := newTab(t, s)
	b.open("/")
	b.wait("document.querySelectorAll('#rows tbody tr').length === 4")
	b.waitText("#tabs", "Failed 1")
	b.waitText("#rows", "UNAVAILABLE: The shelf is locked")

	b.do(chromedp.SendKeys(chromedp.ID("filter"), "kind = export"+kb.Enter))
	b.wait("document.querySelectorAll('#rows tbody tr').length === 3")
	if got := eval[string](b, "document.getElementById('filter').value"); got != "kind = export" {
		t.Errorf("after filtering, the box has %q", got)
	}

	// A mistake is told beside the box, with what was written left in it.
	b.allow("400")
	b.do(chromedp.SetValue(chromedp.ID("filter"), `kind = "export`), chromedp.SendKeys(chromedp.ID("filter"), kb.Enter))
	b.waitText("#filter-error", "a quote that is not closed")
	if got := eval[string](b, "document.getElementById('filter').value"); got != `kind = "export` {
		t.Errorf("after a mistake, the box has %q", got)
	}

	b.do(chromedp.Click(chromedp.Search(`//*[normalize-space(text())="Clear"]`)))
	b.wait("document.querySelectorAll('#rows tbody tr').length === 4")
	b.do(chromedp.Click(chromedp.CSS("#tabs .is-failed")))
	b.wait("document.querySelectorAll('#rows tbody tr').length === 1")
	b.do(chromedp.Click(chromedp.CSS("#rows a")))
	b.waitText("#result", "SHELF_LOCKED")
	b.do(chromedp.Click(chromedp.ID("back")))
	b.wait("document.querySelector('#tabs .is-failed[aria-current]')")
}

// TestBarMoves looks at a list and at an operation while it goes on.
func TestBarMoves(t *testing.T) {
	t.Parallel()
	for name, foreign := range map[string]bool{"with a change feed": false, "of a foreign service": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, siteOptions{remote: foreign})
			ext := s.export("shelves/1")
			report := func(done int64) {
				t.Helper()
				err := ext.Report(t.Context(), &lropb.OperationMetadata{Target: "shelves/1", Progress: &lropb.Progress{Done: done, Total: 200, Unit: "books"}})
				if err != nil {
					t.Fatalf("report: %v", err)
				}
			}
			report(20)
			b := newTab(t, s)
			b.open("/")
			b.wait("document.querySelector('#live').dataset.state === 'live'")
			b.wait("document.querySelector('#rows progress').value === 10")
			b.mark()
			report(50)
			b.wait("document.querySelector('#rows progress').value === 25")
			report(100)
			b.wait("document.querySelector('#rows progress').value === 50")
			b.waitText("#rows", "100 of 200 books")
			b.unchanged()

			b.do(chromedp.Click(chromedp.CSS("#rows a")))
			b.wait("document.querySelector('#head progress')?.value === 50")
			b.wait("document.querySelector('#live').dataset.state === 'live'")
			b.mark()
			report(150)
			b.wait("document.querySelector('#head progress').value === 75")
			b.waitText("#metadata", "150")
			if err := ext.Complete(t.Context(), &lropb.SimulateResponse{Echo: "all books are there"}); err != nil {
				t.Fatalf("complete: %v", err)
			}
			b.waitText("#head", "Succeeded")
			b.waitText("#result", "all books are there")
			b.unchanged()
			if foreign {
				b.waitText("main", "no change feed")
				b.waitText("#timeline", "keeps no history")
			}
		})
	}
}

// TestStaysStill has operations arrive while the list is read.
func TestStaysStill(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	b := newTab(t, s)
	b.open("/")
	b.waitText("main", "There are no operations yet")
	b.wait("document.querySelector('#live').dataset.state === 'live'")
	first := s.export("shelves/1").Name()
	b.wait("document.querySelectorAll('#rows tbody tr').length === 1") // an empty page does not count as being read
	b.wait("document.querySelector('#live').dataset.state === 'live'")
	b.mark()
	s.export("shelves/2")
	s.export("shelves/3")
	b.waitText("#fresh", "2 newer operations: show")
	b.waitText("#tabs", "All 3")
	if got := eval[string](b, "[...document.querySelectorAll('#rows tr[data-name]')].map(r => r.dataset.name).join()"); got != first {
		t.Errorf("rows = %q, want %q alone", got, first)
	}
	b.unchanged()
	b.do(chromedp.Click(chromedp.CSS("#fresh button")))
	b.wait("document.querySelectorAll('#rows tbody tr').length === 3")
}

// TestHidden closes the stream of a hidden tab.
func TestHidden(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	ext := s.export("shelves/1")
	b := newTab(t, s)
	b.open("/")
	b.wait("document.querySelector('#live').dataset.state === 'live'")
	hide := func(on bool) {
		eval[bool](b, fmt.Sprintf(`(Object.defineProperty(document, 'hidden', { value: %t, configurable: true }),
			document.dispatchEvent(new Event('visibilitychange')))`, on))
	}
	hide(true)
	b.wait("document.querySelector('#live').innerText === 'Paused'")
	if err := ext.Report(t.Context(), &lropb.OperationMetadata{ProgressPercent: 64}); err != nil {
		t.Fatal(err)
	}
	// Longer than a stream would take to tell.
	b.do(chromedp.Sleep(time.Second))
	if eval[bool](b, "document.querySelector('#rows progress')?.value === 64") {
		t.Error("a hidden tab follows changes")
	}
	hide(false)
	b.wait("document.querySelector('#rows progress')?.value === 64")
}

// TestTimes shows times in the viewer's zone, the exact ones on hover.
func TestTimes(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	name := s.export("shelves/1").Name()
	b := newTab(t, s)
	if _, err := chromedp.Call(b.ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Kolkata"}); err != nil {
		t.Fatal(err)
	}
	b.locale("en-GB")
	b.open("/operation?" + url.Values{"name": {name}}.Encode())
	b.wait("document.querySelector('#live').dataset.state === 'live'")
	type shown struct{ ISO, Title, Text string }
	got := eval[shown](b, "(e => ({ ISO: e.dateTime, Title: e.title, Text: e.innerText }))(document.querySelector('#head time'))")
	at, err := time.Parse(time.RFC3339Nano, got.ISO)
	if err != nil {
		t.Fatal(err)
	}
	kolkata := time.FixedZone("", 5*3600+1800)
	if want := at.In(kolkata).Format("15:04:05"); !strings.Contains(got.Text, want) {
		t.Errorf("the page shows %q, want it to have %q", got.Text, want)
	}
	if !strings.Contains(got.Title, got.ISO) || !strings.Contains(got.Title, "GMT+5:30") {
		t.Errorf("on hover it shows %q, want it to have %q and the zone", got.Title, got.ISO)
	}
	b.open("/")
	b.waitText("#rows .c-age", "s ago")
	before := b.text("#rows .c-age")
	b.wait(fmt.Sprintf("document.querySelector('#rows .c-age').innerText !== %q", before))

	// The script counts on as the templates began; see TestSpan of the console.
	ids := eval[[]string](b, `[61e3, 3 * 3600e3 + 90e3, 50 * 3600e3 + 90e3].map((ms, i) => {
		const e = document.createElement('span');
		e.id = 'span-' + i;
		e.dataset.since = new Date(Date.now() - ms).toISOString();
		document.querySelector('main').append(e);
		return e.id;
	})`)
	for i, want := range []string{"1 min ", "3 h 01 min", "2 d 2 h"} {
		b.wait(fmt.Sprintf("document.getElementById(%q).innerText.startsWith(%q)", ids[i], want))
	}
}
