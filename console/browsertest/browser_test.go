package browsertest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/go-lro/lro/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// browsers are the names of what is run, the first that is found.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell"}

// findBrowser returns the browser to run. Without one it ends the test: as
// skipped, or as failed in CI.
func findBrowser(t testing.TB) string {
	t.Helper()
	names := browsers
	if name := os.Getenv("LRO_CHROMIUM"); name != "" {
		names = []string{name}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("Chromium is not installed (looked for %s); apt-get install chromium", strings.Join(names, ", "))
	}
	t.Skipf("SKIPPED: Chromium is not installed (looked for %s), so the console was not tested in a browser", strings.Join(names, ", "))
	return ""
}

// newBrowser starts a browser for one test, with nothing from an earlier one.
func newBrowser(t testing.TB) context.Context {
	t.Helper()
	opts := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(findBrowser(t)),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, // tests run as root in containers
		chromedp.DisableGPU,
		chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
	)
	ctx, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Logf("close browser: %v", err)
		}
		cancel()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start browser: %v", err)
	}
	return ctx
}

// tab is one page in a browser. At the end of the test it fails if the page
// has complained, or asked another host for something.
type tab struct {
	testing.TB
	ctx  context.Context
	site *site

	watching sync.WaitGroup
	mu       sync.Mutex
	allowed  []string // complaints that are part of the test
	said     []string // complaints
	asked    []string // URLs
}

// patience is how long a page may take for anything.
const patience = 30 * time.Second

func newTab(t testing.TB, s *site) *tab {
	t.Helper()
	b := &tab{TB: t, ctx: newBrowser(t), site: s}
	watching, stop := context.WithCancel(b.ctx)
	messages := chromedp.Console(watching)
	if _, err := chromedp.Call(b.ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatalf("enable network events: %v", err)
	}
	requests := chromedp.Events(watching, network.RequestWillBeSent)
	b.watching.Go(func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning || m.IsException() {
				b.note(&b.said, fmt.Sprintf("%s (%s)", m, m.URL))
			}
		}
	})
	b.watching.Go(func() {
		for r, err := range requests {
			if err != nil {
				return
			}
			b.note(&b.asked, r.Request.URL)
		}
	})
	t.Cleanup(func() {
		stop()
		b.watching.Wait()
		b.check()
	})
	return b
}

func (b *tab) note(list *[]string, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	*list = append(*list, text)
}

// allow takes complaints, and requests, that contain text for part of the test.
func (b *tab) allow(text string) { b.note(&b.allowed, text) }

func (b *tab) check() {
	allowed := func(text string) bool {
		return slices.ContainsFunc(b.allowed, func(part string) bool { return strings.Contains(text, part) })
	}
	for _, said := range b.said {
		if !allowed(said) {
			b.Errorf("the browser complains: %s", said)
		}
	}
	if len(b.asked) == 0 {
		b.Error("no request was seen")
	}
	for _, asked := range b.asked {
		if u, err := url.Parse(asked); (err != nil || u.Host != b.site.addr) && !allowed(asked) {
			b.Errorf("the page asks another host: %.200s", asked)
		}
	}
}

// do runs actions on the page.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.Fatalf("browser: %v", err)
	}
}

// open goes to a page of the console.
func (b *tab) open(path string) {
	b.Helper()
	b.do(chromedp.Navigate(b.site.url(path)))
}

// eval returns the value of a JavaScript expression.
func eval[T any](b *tab, expression string) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.Fatalf("evaluate %s: %v", expression, err)
	}
	return v
}

// wait waits until a JavaScript expression is true, on this page or one that
// follows it.
func (b *tab) wait(expression string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		// It fails while a page goes and another comes.
		if ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")")); err == nil && ok {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("location.href + '\\n' + document.body.innerText.slice(0, 2000)"))
			b.Fatalf("waited %s in vain for %s on\n%s", patience, expression, text)
		}
	}
}

// waitText waits until an element shows text.
func (b *tab) waitText(selector, text string) {
	b.Helper()
	b.wait(fmt.Sprintf("document.querySelector(%q)?.innerText.includes(%q)", selector, text))
}

// text is what an element shows, empty if there is none.
func (b *tab) text(selector string) string {
	b.Helper()
	return eval[string](b, fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector))
}

// mark lets unchanged tell whether the page was loaded again.
func (b *tab) mark() { eval[bool](b, "window.marked = true") }

func (b *tab) unchanged() {
	b.Helper()
	if !eval[bool](b, "window.marked === true") {
		b.Error("the page was loaded again")
	}
}

// press presses keys, one after the other.
func (b *tab) press(keys ...string) {
	b.Helper()
	for _, key := range keys {
		b.do(chromedp.KeyEvent(key))
	}
}

// focused tells about the element with the focus.
func (b *tab) focused() string {
	b.Helper()
	return eval[string](b, "(e => e.id || e.textContent.trim() || e.tagName)(document.activeElement)")
}

// dark sets what the viewer prefers.
func (b *tab) dark(on bool) {
	b.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		b.Fatalf("prefer %s: %v", scheme, err)
	}
}

// locale sets the language that the page writes times in.
func (b *tab) locale(name string) {
	b.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetLocaleOverride, emulation.SetLocaleOverrideParams{Locale: name}); err != nil {
		b.Fatalf("set locale %q: %v", name, err)
	}
}
