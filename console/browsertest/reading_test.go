package browsertest

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// every returns a page of each sort, on a site that has something to show.
func every(t *testing.T, s *site) []string {
	t.Helper()
	failed := s.reindex(0, locked(t))
	s.ended(failed)
	ended := s.reindex(0, nil)
	s.ended(ended)
	running := s.reindex(time.Hour, nil)
	s.export("shelves/1")
	if _, err := idle.Start(t.Context(), s.srv, nil, nil); err != nil {
		t.Fatal(err)
	}
	return []string{"/", "/?filter=nonsense+%3D", "/?state=cancelled", page(failed), page(ended), page(running), "/overview", page("operations/none"), "/nothing"}
}

// TestKeyboard uses the console without a mouse.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	name := s.reindex(time.Hour, nil)
	b := newTab(t, s)
	b.open("/")
	b.wait("document.querySelector('#live').dataset.state === 'live'")
	b.press(kb.Tab)
	if got := b.focused(); got != "Skip to the content" {
		t.Errorf("the first stop is %q, want the link past the navigation", got)
	}
	if eval[int](b, "document.activeElement.getBoundingClientRect().left") < 0 {
		t.Error("the link past the navigation has the focus and is not to be seen")
	}
	b.press(kb.Enter, kb.Tab)
	if got := b.focused(); got != "filter" {
		t.Errorf("behind the navigation comes %q, want the filter", got)
	}
	eval[bool](b, "(document.activeElement.blur(), true)")
	// As a keyboard does it: the character arrives only if no handler takes the key.
	if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{
		Type: input.DispatchKeyEventTypeKeyDown, Key: "/", Code: "Slash", Text: "/", WindowsVirtualKeyCode: 191,
	}); err != nil {
		t.Fatal(err)
	}
	if got := b.focused(); got != "filter" {
		t.Errorf("\"/\" leads to %q, want the filter", got)
	}
	if got := eval[string](b, "document.getElementById('filter').value"); got != "" {
		t.Errorf("\"/\" wrote %q into the filter", got)
	}
	short := name[strings.LastIndexByte(name, '/')+1:]
	for i := 0; b.focused() != short; i++ {
		if i == 20 {
			t.Fatal("Tab does not get to the operation")
		}
		b.press(kb.Tab)
	}
	if width := eval[string](b, "getComputedStyle(document.activeElement).outlineWidth"); width != "2px" {
		t.Errorf("the focus has an outline of %s, want 2px", width)
	}
	b.press(kb.Enter)
	b.waitText("#head", "Running")
	b.wait("document.querySelector('#live').dataset.state === 'live'")
	for i := 0; b.focused() != "ask-cancel"; i++ {
		if i == 20 {
			t.Fatal("Tab does not get to Cancel")
		}
		b.press(kb.Tab)
	}
	b.press(kb.Enter)
	b.wait("document.getElementById('confirm-cancel').matches(':popover-open')")
	if got := b.focused(); got != "Cancel the operation" {
		t.Errorf("in the question, the focus is on %q", got)
	}
	b.press(kb.Escape)
	b.wait("!document.getElementById('confirm-cancel').matches(':popover-open')")
	if got := b.focused(); got != "ask-cancel" {
		t.Errorf("after Escape, the focus is on %q, want it where it was", got)
	}
	b.press(kb.Enter)
	b.wait("document.getElementById('confirm-cancel').matches(':popover-open')")
	b.press(kb.Enter)
	b.waitText("#head .badge", "Cancelled")
}

// TestNames sees to it that whatever can be operated has a name for those who
// hear the page.
func TestNames(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	paths := every(t, s)
	b := newTab(t, s)
	b.allow("40") // two of the pages are errors
	operable := regexp.MustCompile(`^(button|link|textbox|searchbox|progressbar|navigation|dialog|image|table|search)$`)
	for _, path := range paths {
		b.open(path)
		tree, err := chromedp.Call(b.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		if err != nil {
			t.Fatal(err)
		}
		headings := 0
		for _, n := range tree.Nodes {
			if n.Ignored || n.Role == nil {
				continue
			}
			role := strings.Trim(string(n.Role.Value), `"`)
			name := ""
			if n.Name != nil {
				name = strings.Trim(string(n.Name.Value), `"`)
			}
			if operable.MatchString(role) && name == "" && role != "table" && role != "search" {
				t.Errorf("%s: a %s has no name", path, role)
			}
			if role == "heading" {
				headings++
			}
		}
		if headings == 0 {
			t.Errorf("%s has no heading", path)
		}
	}
}

// contrast returns the texts of a page whose contrast to what lies behind them
// is below 4.5 (WCAG 2, AA).
const contrast = `(() => {
	const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
	const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
	const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
	const rgba = (color) => {
		canvas.clearRect(0, 0, 1, 1);
		canvas.fillStyle = color;
		canvas.fillRect(0, 0, 1, 1);
		const d = canvas.getImageData(0, 0, 1, 1).data;
		return [d[0], d[1], d[2], d[3] / 255];
	};
	const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
	const ground = (e) => {
		if (!e) return rgba(getComputedStyle(document.documentElement).backgroundColor === 'rgba(0, 0, 0, 0)' ? 'white' : 'black');
		const own = rgba(getComputedStyle(e).backgroundColor);
		return own[3] === 1 ? own : over(own, ground(e.parentElement));
	};
	const bad = [];
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	let count = 0;
	for (let n = walker.nextNode(); n; n = walker.nextNode()) {
		const e = n.parentElement;
		if (!n.data.trim() || !e.checkVisibility({ visibilityProperty: true }) || e.closest('title, .unseen, .skip, script, noscript')) continue;
		const style = getComputedStyle(e);
		const under = ground(e instanceof SVGElement ? e.closest('svg').parentElement : e);
		const color = over(rgba(e instanceof SVGElement ? style.fill : style.color), under);
		const [a, b] = [light(color), light(under)].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05);
		count++;
		if (ratio < 4.5) bad.push(n.data.trim().slice(0, 40) + ': ' + ratio.toFixed(2) + ' (' + (e.className.baseVal ?? e.className) + ')');
	}
	return { Count: count, Bad: bad };
})()`

func TestContrast(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	paths := every(t, s)
	b := newTab(t, s)
	b.allow("40")
	seen := map[string]bool{}
	for _, dark := range []bool{false, true} {
		b.dark(dark)
		for _, path := range paths {
			b.open(path)
			eval[bool](b, "(document.querySelectorAll('details').forEach((d) => (d.open = true)), true)")
			got := eval[struct {
				Count int
				Bad   []string
			}](b, contrast)
			if got.Count < 5 {
				t.Errorf("%s: only %d texts were looked at", path, got.Count)
			}
			for _, bad := range got.Bad {
				if key := fmt.Sprintf("dark %t: %s", dark, bad); !seen[key] {
					seen[key] = true
					t.Errorf("%s: %s", path, key)
				}
			}
		}
	}
}

// TestPhone looks at the pages in a window as narrow as phones are.
func TestPhone(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	paths := every(t, s)
	b := newTab(t, s)
	b.allow("40")
	for _, width := range []int64{360, 768} {
		b.do(chromedp.EmulateViewport(width, 800, chromedp.EmulateMobile))
		for _, path := range paths {
			b.open(path)
			if wide := eval[int](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); wide > 0 {
				wider := eval[[]string](b, `[...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
					.map((e) => e.tagName + '.' + (e.className.baseVal ?? e.className)).slice(0, 5)`)
				t.Errorf("%s is %d pixels wider than a window of %d: %v", path, wide, width, wider)
			}
		}
	}
}

// TestWithoutJavaScript reads the pages, follows links, and asks for a filter.
func TestWithoutJavaScript(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	for range 60 {
		s.export("shelves/1")
	}
	failed := s.reindex(0, locked(t))
	s.ended(failed)
	b := newTab(t, s)
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	see := func(texts ...string) {
		t.Helper()
		text, err := chromedp.Run(b.ctx, chromedp.OuterHTML(chromedp.CSS("html")))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range texts {
			if !strings.Contains(text, want) {
				t.Errorf("the page has no %q", want)
			}
		}
	}
	b.open("/")
	see("The shelf is locked", " data-ago=\"\">", "Rows 1 to 50 of", "Without JavaScript")
	b.do(chromedp.Click(chromedp.ID("next")), chromedp.WaitVisible(chromedp.Search(`//*[normalize-space(text())="Newest"]`)))
	see("Rows 51 to 61")
	b.do(chromedp.SendKeys(chromedp.ID("filter"), "kind = reindex"+kb.Enter), chromedp.WaitVisible(chromedp.Search(`//*[normalize-space(text())="Clear"]`)))
	see("Rows 1 to 1")
	b.open(page(failed))
	see("SHELF_LOCKED", " UTC</time>", "library.v1.LockDetail", "Attempt 1 started")
	b.do(chromedp.Click(chromedp.ID("ask-delete")), chromedp.WaitVisible(chromedp.ID("confirm-delete")))
	b.do(chromedp.Click(chromedp.Search(`//*[normalize-space(text())="Delete the operation"]`)), chromedp.WaitVisible(chromedp.ID("filter")))
	see("The operation was deleted")
	b.open("/overview")
	see("Ended per minute", "Running and pending, by kind")
	if code := s.get(page(failed)).Code; code != http.StatusNotFound {
		t.Errorf("after the delete, its page = %d, want 404", code)
	}
}
