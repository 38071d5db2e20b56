package guard

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// Apply sets the limits of an HTTP server, before it serves: its header and idle
// timeouts, the size of headers and the streams of HTTP/2, where these fields are
// zero, and its Handler, around which it puts [Guard.Handler]. It does not set
// ReadTimeout and WriteTimeout, which would end long polls and live streams.
func (g *Guard) Apply(s *http.Server) {
	if s.ReadHeaderTimeout == 0 {
		s.ReadHeaderTimeout = g.limits.HeaderTime
	}
	if s.IdleTimeout == 0 {
		s.IdleTimeout = g.limits.IdleTime
	}
	if s.MaxHeaderBytes == 0 {
		s.MaxHeaderBytes = g.limits.HeaderSize
	}
	if s.HTTP2 == nil {
		s.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: g.limits.Streams, SendPingTimeout: silence, PingTimeout: pingTimeout}
	}
	next := s.Handler
	if next == nil {
		next = http.DefaultServeMux
	}
	s.Handler = g.Handler(next)
}

// Handler limits the time that the bodies of requests may take to arrive, and the
// bytes of those that are incomplete. A Read of a body that exceeds them fails,
// and the connection is closed after the answer. Requests without a body are
// passed on as they are.
func (g *Guard) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		control := http.NewResponseController(w)
		// A writer without deadlines belongs to a test or to another transport,
		// which has limits of its own.
		_ = control.SetReadDeadline(time.Now().Add(g.limits.BodyTime))
		b := &body{ReadCloser: r.Body, guard: g, control: control}
		b.holder.end = b.cut
		defer b.leave()
		limited := *r
		limited.Body = b
		next.ServeHTTP(w, &limited)
	})
}

// body is the body of a request while it is incomplete.
type body struct {
	io.ReadCloser
	guard   *Guard
	control *http.ResponseController
	holder  holder

	mu   sync.Mutex
	left bool // the handler has returned
}

// cut has the next Read fail. It is called on behalf of other connections, and
// after the handler has returned the control belongs to the next request, or to
// nothing: that of HTTP/2 panics.
func (b *body) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.left {
		_ = b.control.SetReadDeadline(time.Now())
	}
}

// leave is the end of the handler.
func (b *body) leave() {
	b.guard.inFlight.release(&b.holder)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = true
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		// The server continues to read, to notice that the client disconnects.
		_ = b.control.SetReadDeadline(time.Time{})
		b.guard.inFlight.release(&b.holder)
		return n, err
	}
	b.guard.inFlight.add(&b.holder, int64(n))
	return n, err
}
