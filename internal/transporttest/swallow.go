package transporttest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Swallower is a proxy between a client and a server, over sockets, that can
// fall silent as a NAT or VPN does that forgot a connection: bytes are taken,
// none come out, and nothing is closed.
type Swallower struct {
	// Addr is where it listens, such as "127.0.0.1:8700".
	Addr string

	mu    sync.Mutex
	gone  chan struct{} // closed when the connections of now fall silent
	conns int
}

// Swallow returns a proxy to the address of a server that ends with the test.
func Swallow(t *testing.T, server string) *Swallower {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Swallower{Addr: listener.Addr().String(), gone: make(chan struct{})}
	var running sync.WaitGroup
	var open []net.Conn
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				break
			}
			far, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			open = append(open, client, far)
			s.mu.Lock()
			gone := s.gone
			s.conns++
			s.mu.Unlock()
			running.Go(func() { pipe(far, client, gone) })
			running.Go(func() { pipe(client, far, gone) })
		}
		for _, c := range open {
			c.Close()
		}
	})
	t.Cleanup(func() {
		listener.Close()
		running.Wait()
	})
	return s
}

// Silence makes all connections of now fall silent. Later ones work.
func (s *Swallower) Silence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.gone)
	s.gone = make(chan struct{})
}

// Conns returns how many connections there were.
func (s *Swallower) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

// pipe copies until from ends; when gone is closed it takes the bytes only.
func pipe(to, from net.Conn, gone <-chan struct{}) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		silent := false
		select {
		case <-gone:
			silent = true
		default:
		}
		if err != nil {
			if !silent {
				to.Close() // as an end of both directions, which is enough for HTTP/2
			}
			return
		}
		if silent {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			_, _ = io.Copy(io.Discard, from)
			return
		}
	}
}
