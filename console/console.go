package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Handler serves a console. It is safe for concurrent use. [New] makes one.
type Handler struct {
	source  Source
	config  Config
	mux     *http.ServeMux
	origins *http.CrossOriginProtection

	closing context.Context // ends with Close
	close   context.CancelCauseFunc
}

// New returns a console for the operations of a source. It makes no call to the
// source, and fails if src is nil or c is invalid.
func New(src Source, c Config) (*Handler, error) {
	if src == nil {
		return nil, errors.New("new console: source is nil")
	}
	c, err := c.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("new console: %w", err)
	}
	h := &Handler{source: src, config: c, mux: http.NewServeMux(), origins: http.NewCrossOriginProtection()}
	for _, name := range c.Hosts {
		for _, scheme := range []string{"http", "https"} {
			if err := h.origins.AddTrustedOrigin(scheme + "://" + name); err != nil {
				return nil, fmt.Errorf("new console: host %q: %w", name, err)
			}
		}
	}
	h.closing, h.close = context.WithCancelCause(context.Background())
	for pattern, serve := range h.routes() {
		h.mux.HandleFunc(pattern, serve)
	}
	return h, nil
}

// routes are all that the console answers.
func (h *Handler) routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /{$}":           h.serveList,
		"GET /operation":     h.serveOperation,
		"GET /overview":      h.serveOverview,
		"GET /raw":           h.serveRaw,
		"GET /events":        h.serveEvents,
		"GET /assets/{file}": h.serveAsset,
		"POST /cancel":       h.serveCancel,
		"POST /delete":       h.serveDelete,
		"/":                  h.serveNothing,
	}
}

// errClosed ends live streams.
var errClosed = errors.New("console closed")

// Close ends the streams of all live pages; their viewers see that the
// connection is lost, and pages try to reconnect. Pass it to
// [http.Server.RegisterOnShutdown]. Other requests are still answered, and
// streams end at once. Closing twice does nothing.
func (h *Handler) Close() { h.close(errClosed) }

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	if !h.knownHost(r) {
		h.config.Logger.WarnContext(r.Context(), "request for another host", "host", r.Host)
		http.Error(w, "This console does not answer to that host name.", http.StatusForbidden)
		return
	}
	if err := h.origins.Check(r); err != nil {
		h.config.Logger.WarnContext(r.Context(), "request from another site", "error", err)
		http.Error(w, "Requests from other sites are refused.", http.StatusForbidden)
		return
	}
	h.mux.ServeHTTP(w, r)
}

func (h *Handler) serveNothing(w http.ResponseWriter, r *http.Request) {
	if !h.allow(w, r, Access{Action: View}) {
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		h.serveProblem(w, r, problem{Status: http.StatusMethodNotAllowed, Title: "Only reading is possible here", Text: "This address can only be read."})
		return
	}
	h.serveProblem(w, r, problem{Status: http.StatusNotFound, Title: "No such page", Text: "There is nothing at this address."})
}

// limited bounds what is done for one page.
func (h *Handler) limited(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(r.Context(), h.config.Timeout, errSlow)
}

// errSlow is the cause that ends what takes longer than [Config].Timeout.
var errSlow = errors.New("the source takes too long")

// How long the console reads pages of a list for one page of its own, before it
// shows what it has.
const (
	soon   = 1500 * time.Millisecond
	atOnce = 400 * time.Millisecond // when it has something
)
