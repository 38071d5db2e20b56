package host

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// preface begins each HTTP/2 connection (RFC 9113, 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// helloTimeout is how long a connection may take to show what it speaks.
const helloTimeout = 10 * time.Second

// splitter gives the connections of one listener to two servers.
type splitter struct {
	listener net.Listener
	tls      *tls.Config // nil for plain text
	grpc     *queue
	http     *queue
	telling  sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]struct{} // not told apart yet
}

func split(l net.Listener, c *tls.Config) *splitter {
	return &splitter{
		listener: l, tls: c,
		grpc: newQueue(l.Addr()), http: newQueue(l.Addr()),
		open: map[net.Conn]struct{}{},
	}
}

// run accepts connections until ctx ends, or the listener is closed or fails for
// good. Both servers see the failure too.
func (s *splitter) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { s.listener.Close() })()
	err := s.accept()
	if errors.Is(err, net.ErrClosed) {
		s.close(net.ErrClosed)
		return nil
	}
	s.close(err)
	return err
}

func (s *splitter) accept() error {
	var pause time.Duration
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			if temporary(err) {
				// Such as too many open files: open connections continue meanwhile.
				pause = min(max(2*pause, 5*time.Millisecond), time.Second)
				time.Sleep(pause)
				continue
			}
			return err
		}
		pause = 0
		s.take(conn)
		s.telling.Go(func() { s.tell(conn) })
	}
}

func temporary(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary()
}

func (s *splitter) take(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[conn] = struct{}{}
}

// tell finds out what a connection speaks and hands it over.
func (s *splitter) tell(conn net.Conn) {
	to, ready := s.look(conn)
	s.mu.Lock()
	delete(s.open, conn)
	s.mu.Unlock()
	if ready == nil || !to.put(ready) {
		conn.Close()
	}
}

// look returns the connection with nothing read from it that the server needs,
// nil when it failed.
func (s *splitter) look(conn net.Conn) (*queue, net.Conn) {
	if err := conn.SetDeadline(time.Now().Add(helloTimeout)); err != nil {
		return nil, nil
	}
	var ready net.Conn
	var isHTTP2 bool
	if s.tls != nil {
		secure := tls.Server(conn, s.tls)
		if err := secure.Handshake(); err != nil {
			explainTLS(err)
			return nil, nil
		}
		ready, isHTTP2 = secure, secure.ConnectionState().NegotiatedProtocol == "h2"
	} else {
		read, ok := readPreface(conn)
		if !ok {
			return nil, nil
		}
		ready, isHTTP2 = &replayed{Conn: conn, first: read}, string(read) == preface
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, nil
	}
	if isHTTP2 {
		return s.grpc, ready
	}
	return s.http, ready
}

// explainTLS answers a client that speaks plain HTTP/1 where TLS is served, as
// net/http does: it would see a broken connection only.
func explainTLS(err error) {
	broken, ok := errors.AsType[tls.RecordHeaderError](err)
	if !ok || broken.Conn == nil || !slices.Contains(verbs, string(broken.RecordHeader[:])) {
		return
	}
	// The only error is a client that has gone.
	_, _ = io.WriteString(broken.Conn, "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nthis port uses TLS only: use https\n")
}

// verbs are how requests of HTTP/1 begin, in as many bytes as a TLS record needs
// for its header.
var verbs = []string{"GET /", "HEAD ", "POST ", "PUT /", "PATCH", "DELET", "OPTIO"}

// readPreface reads no more than it takes to see whether conn begins with the
// preface. It fails when conn says nothing at all.
func readPreface(conn net.Conn) ([]byte, bool) {
	text := make([]byte, 0, len(preface))
	for len(text) < len(preface) && bytes.HasPrefix([]byte(preface), text) {
		n, err := conn.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		if err != nil {
			return text, len(text) > 0 && errors.Is(err, io.EOF)
		}
	}
	return text, true
}

// close ends both queues with err, and waits for connections that are being told
// apart.
func (s *splitter) close(err error) {
	s.listener.Close()
	s.mu.Lock()
	for conn := range s.open {
		conn.Close()
	}
	s.mu.Unlock()
	s.grpc.end(err)
	s.http.end(err)
	s.telling.Wait()
}

// replayed is a connection whose first bytes were read already.
type replayed struct {
	net.Conn
	first []byte
}

// Read implements [net.Conn].
func (r *replayed) Read(p []byte) (int, error) {
	if len(r.first) == 0 {
		return r.Conn.Read(p)
	}
	n := copy(p, r.first)
	r.first = r.first[n:]
	return n, nil
}

// queue is a listener whose connections were accepted by another.
type queue struct {
	addr  net.Addr
	conns chan net.Conn
	quit  chan struct{}
	once  sync.Once
	err   error // of Accept, once quit is closed
}

func newQueue(addr net.Addr) *queue {
	return &queue{addr: addr, conns: make(chan net.Conn), quit: make(chan struct{})}
}

func (q *queue) put(conn net.Conn) bool {
	select {
	case q.conns <- conn:
		return true
	case <-q.quit:
		return false
	}
}

// Accept implements [net.Listener].
func (q *queue) Accept() (net.Conn, error) {
	select {
	case conn := <-q.conns:
		return conn, nil
	case <-q.quit:
		return nil, q.err
	}
}

// Close implements [net.Listener].
func (q *queue) Close() error {
	q.end(net.ErrClosed)
	return nil
}

// end makes Accept return err.
func (q *queue) end(err error) {
	q.once.Do(func() {
		q.err = err
		close(q.quit)
	})
}

// Addr implements [net.Listener].
func (q *queue) Addr() net.Addr { return q.addr }
