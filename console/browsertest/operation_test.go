package browsertest

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/console"
	"github.com/go-lro/lro/lropb"
)

func page(name string) string { return "/operation?" + url.Values{"name": {name}}.Encode() }

func TestCancel(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	name := s.reindex(time.Hour, nil)
	b := newTab(t, s)
	b.open(page(name))
	b.waitText("#head", "3 of 8 volumes")
	b.do(chromedp.Click(chromedp.ID("ask-cancel")))
	b.wait("document.getElementById('confirm-cancel').matches(':popover-open')")
	if s.op(name).GetDone() {
		t.Fatal("it was cancelled before anybody confirmed")
	}
	b.do(chromedp.Click(chromedp.Search(`//*[normalize-space(text())="Let it run"]`)))
	b.wait("!document.getElementById('confirm-cancel').matches(':popover-open')")
	b.do(chromedp.Click(chromedp.ID("ask-cancel")), chromedp.Click(chromedp.Search(`//*[normalize-space(text())="Cancel the operation"]`)))
	b.waitText("#head .badge", "Cancelled")
	b.waitText("#result", "CANCELLED")
	b.waitText("#timeline", "Cancel requested")
	b.wait("!document.getElementById('ask-cancel')")
	if got := s.op(name).GetError().GetCode(); got != 1 {
		t.Errorf("error code = %d, want 1", got)
	}
}

func TestFailure(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	name := s.reindex(0, locked(t))
	s.ended(name)
	b := newTab(t, s)
	b.open(page(name))
	b.waitText("#head .badge", "Failed")
	for _, text := range []string{"UNAVAILABLE", "The shelf is locked until 18:00", "google.rpc.ErrorInfo", "SHELF_LOCKED", "east-12", "90s", "library.v1.LockDetail", "not known here"} {
		b.waitText("#result", text)
	}
	b.waitText("#request", "catalogues/autumn")
	b.waitText("#timeline", "Attempt 1 started")
	b.waitText("#commands", "lro get --addr HOST:PORT "+name)
	b.do(chromedp.Click(chromedp.CSS("#raw summary")))
	b.waitText("#raw-text", `"reason": "SHELF_LOCKED"`)
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	name := s.reindex(0, nil)
	s.ended(name)
	b := newTab(t, s)
	b.open(page(name))
	b.do(chromedp.Click(chromedp.ID("ask-delete")), chromedp.Click(chromedp.Search(`//*[normalize-space(text())="Delete the operation"]`)))
	b.waitText("#notice", "The operation was deleted")
	b.waitText("main", "There are no operations yet")
}

// TestDeletedElsewhere shows a viewer who looks that there is nothing any more.
func TestDeletedElsewhere(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	name := s.reindex(0, nil)
	s.ended(name)
	b := newTab(t, s)
	b.open(page(name))
	b.wait("document.querySelector('#live').dataset.state === 'live'")
	if err := s.source(false).Delete(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	b.waitText("#notice", "does not exist any more")
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{config: console.Config{ReadOnly: true}})
	b := newTab(t, s)
	b.open(page(s.export("shelves/1").Name()))
	b.waitText("#head", "Running")
	if eval[bool](b, "!!document.querySelector('form[method=post], #ask-cancel, #ask-delete')") {
		t.Error("a read-only console has buttons to change something")
	}
}

// TestHostile views operations whose text attacks the viewer.
func TestHostile(t *testing.T) {
	t.Parallel()
	const evil = `<script>window.evil = 1</script><img src=x onerror="window.evil = 2">` + "\u202e" + `"><svg onload="window.evil = 3">`
	s := newSite(t, siteOptions{})
	op, err := strange.Start(t.Context(), s.srv, pack(t, &lropb.SimulateRequest{Echo: evil + strings.Repeat("A", 1<<20)}), nil)
	if err != nil {
		t.Fatal(err)
	}
	ext, err := strange.Attach(t.Context(), s.srv, op.GetName())
	if err != nil {
		t.Fatal(err)
	}
	report := func(m *anypb.Any) {
		t.Helper()
		if err := ext.Report(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	hostile := &lropb.OperationMetadata{
		Target: evil, Verb: evil, StatusMessage: evil,
		Progress:      &lropb.Progress{Done: 1, Total: 2, Unit: evil, Message: evil},
		PartialErrors: []*spb.Status{{Code: 3, Message: evil}},
	}
	report(pack(t, hostile))
	b := newTab(t, s)
	b.allow("400")
	for _, path := range []string{"/", page(op.GetName()), "/overview", "/?" + url.Values{"filter": {evil}}.Encode()} {
		b.open(path)
		b.wait("document.readyState === 'complete' && (document.getElementById('filter-error') || document.querySelector('#live').dataset.state === 'live')")
		if eval[bool](b, "'evil' in window || !!document.querySelector('main img, main script, main svg[onload]')") {
			t.Errorf("%s: what is in an operation became part of the page", path)
		}
	}
	b.open("/")
	b.waitText("#rows", "<script>window.evil = 1</script>")
	b.waitText("#rows", `\u202e`)

	// The same by way of the live stream, then of an unknown type.
	b.open(page(op.GetName()))
	b.wait("document.querySelector('#live').dataset.state === 'live'")
	hostile.Target, hostile.StatusMessage = "second "+evil, evil+strings.Repeat("שלום ", 1<<17) // a megabyte
	report(pack(t, hostile))
	b.waitText("#metadata", "second <script>")
	b.waitText("#metadata", "more characters")
	b.waitText("#request", "more characters")
	report(&anypb.Any{TypeUrl: "type.googleapis.com/evil." + "Unknown", Value: []byte(evil)})
	b.waitText("#metadata", "evil.Unknown")
	b.waitText("#metadata", "type that is not known here")
	if eval[bool](b, "'evil' in window || !!document.querySelector('main img, main script, main svg')") {
		t.Error("what came by the stream became part of the page")
	}
	if wide := eval[int](b, "document.documentElement.scrollWidth - innerWidth"); wide > 0 {
		t.Errorf("the page is %d pixels wider than the window", wide)
	}
}

// TestPolicy sees to it that the browser enforces the policy.
func TestPolicy(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	b := newTab(t, s)
	b.allow("Content Security Policy")
	b.allow("https://example.invalid/") // the browser tells of it, and does not send it
	b.open("/")
	b.wait("document.querySelector('#live').dataset.state === 'live'")
	eval[bool](b, `(() => {
		window.broken = [];
		document.addEventListener('securitypolicyviolation', (e) => window.broken.push(e.effectiveDirective));
		const add = (tag, attributes) => document.body.append(Object.assign(document.createElement(tag), attributes));
		add('script', { textContent: 'window.evil = 1' });
		add('img', { src: 'https://example.invalid/x.png' });
		document.body.insertAdjacentHTML('beforeend', '<p style="color: red" onclick="window.evil = 2"></p>');
		document.body.lastElementChild.click();
		return true;
	})()`)
	for _, directive := range []string{"script-src-elem", "img-src", "style-src-attr", "script-src-attr"} {
		b.wait("window.broken.includes('" + directive + "')")
	}
	if eval[bool](b, "'evil' in window") {
		t.Error("a script ran that is not the console's own")
	}
}
