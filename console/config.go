package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Config configures a console. The zero value is usable.
type Config struct {
	// Title is at the top of each page. Empty means "Operations".
	Title string

	// Authorize is called for every request, including the console's own style
	// sheet, before anything is read for it. An error is answered with 403; its
	// text is only logged. It is also called for each operation that a page would
	// show, by name, so that lists, live pages and the overview omit those that
	// the viewer may not see: it is called up to 5,000 times for an overview and
	// must be fast. The buttons on a page are shown if Authorize allows their
	// actions, which is checked again whenever the page changes. It must be safe
	// for concurrent use. Nil allows everything.
	//
	// A live page is authorized again every few minutes, and each operation on it
	// whenever it changes. To redirect viewers to a login, put a middleware before
	// the console.
	Authorize func(r *http.Request, a Access) error
	// CountAll shows how many operations there are by kind and state even if
	// Authorize is set. A source counts all operations, so the numbers include
	// those that a viewer may not see. False means that pages count what they
	// read.
	CountAll bool
	// ReadOnly refuses to cancel and delete, and hides the buttons.
	ReadOnly bool
	// Hosts are the host names, without port, that the console answers to; it
	// answers requests for others with 403. IP addresses and "localhost" are
	// always allowed. This prevents other sites from reaching a console on this
	// machine or network under a name of theirs that resolves to it (DNS
	// rebinding), so set it, at least to an empty slice, if nothing else
	// authenticates. Nil allows every host.
	//
	// Pages under these names are the console's own, so what they send is
	// accepted too where a reverse proxy sets another Host.
	Hosts []string

	// Endpoint is where the operations are served, for the commands that pages
	// show. The zero value leaves a placeholder.
	Endpoint Endpoint

	// Decode returns the message in an Any, nil when it cannot. It is called
	// by several goroutines at once. Nil finds the types that are linked into
	// the program.
	Decode func(ctx context.Context, a *anypb.Any) proto.Message

	// Timeout bounds each page, in which there may be several calls of the
	// source. 0 means 10 s.
	Timeout time.Duration
	// Poll is how often live pages poll a source that is no [Watcher]. A slow
	// source is polled less often. 0 means 2 s; at least 100 ms.
	Poll time.Duration

	// Logger records the actions of viewers (cancel, delete), refusals, and errors
	// whose text viewers do not see. Nil discards them.
	Logger *slog.Logger
}

// Endpoint is where a service is reached. Address, URL and SameHost exclude each
// other.
type Endpoint struct {
	Address string // HOST:PORT of the gRPC service
	// SameHost says that the gRPC service has the host and port of the console.
	// A middleware that knows how the viewer reached a proxy sets Host and
	// URL.Scheme of the request.
	SameHost  bool
	Plaintext bool   // the gRPC service has no TLS
	URL       string // base of the HTTP/JSON service
}

const (
	defaultTitle   = "Operations"
	defaultTimeout = 10 * time.Second
	defaultPoll    = 2 * time.Second
	minPoll        = 100 * time.Millisecond
)

// withDefaults returns a checked copy.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	if c.Timeout < 0 {
		errs = append(errs, fmt.Errorf("timeout %s is negative", c.Timeout))
	}
	if c.Poll < 0 || c.Poll > 0 && c.Poll < minPoll {
		errs = append(errs, fmt.Errorf("poll %s is shorter than %s", c.Poll, minPoll))
	}
	if e := c.Endpoint; e.Address != "" && e.URL != "" || e.SameHost && e.Address+e.URL != "" {
		errs = append(errs, errors.New("endpoint is in more than one place"))
	}
	if c.Title == "" {
		c.Title = defaultTitle
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Poll == 0 {
		c.Poll = defaultPoll
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Decode == nil {
		c.Decode = decodeLinked
	}
	return c, errors.Join(errs...)
}
