package browsertest

import (
	"testing"

	"github.com/go-lro/lro/lropb"
)

// TestServerGoesAway takes the console from the network and brings it back.
func TestServerGoesAway(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	ext := s.export("shelves/1")
	b := newTab(t, s)
	b.allow("ERR_CONNECTION_REFUSED")
	b.allow("ERR_INCOMPLETE_CHUNKED_ENCODING")
	b.allow("ERR_CONNECTION_RESET")
	b.open("/")
	b.wait("document.querySelector('#live').dataset.state === 'live'")
	b.mark()
	s.down()
	b.waitText("#banner", "The connection to the console is lost")
	b.waitText("#live", "Connection lost")
	// The page cannot learn of this change now.
	if err := ext.Report(t.Context(), &lropb.OperationMetadata{ProgressPercent: 88}); err != nil {
		t.Fatal(err)
	}
	s.up()
	b.wait("document.querySelector('#banner').hidden")
	b.waitText("#live", "Live")
	b.wait("document.querySelector('#rows progress').value === 88")
	b.unchanged()
}

// TestStoreGoesAway closes the store behind a console that goes on.
func TestStoreGoesAway(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	s.export("shelves/1")
	b := newTab(t, s)
	b.allow("503")
	b.open("/")
	b.wait("document.querySelector('#live').dataset.state === 'live'")
	if err := s.eng.Close(); err != nil {
		t.Fatal(err)
	}
	b.waitText("#banner", "the store of operations is unavailable")
	b.waitText("#live", "Out of date")
	b.waitText("#rows", "export") // what was known is still there
	b.open("/")
	b.waitText("main", "the store of operations is unavailable")
}

// TestErrorPageRecovers waits for a page that could not be shown at first.
func TestErrorPageRecovers(t *testing.T) {
	t.Parallel()
	s := newSite(t, siteOptions{})
	flaky := &flakySource{Source: s.source(true)}
	flaky.set(true)
	s.use(flaky)
	b := newTab(t, s)
	b.allow("503")
	b.open("/overview")
	b.waitText("main", "This page tries again by itself")
	b.waitText("main", "gone fishing")
	flaky.set(false)
	b.waitText("main", "Running and pending, by kind")
}
