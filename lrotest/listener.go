package lrotest

import (
	"net"
	"sync"

	"google.golang.org/grpc/test/bufconn"
)

// bufferSize is that of each direction of an in-memory connection, in bytes.
const bufferSize = 64 << 10

// listener accepts in-memory connections and can cut them all.
type listener struct {
	*bufconn.Listener

	mu       sync.Mutex
	accepted []net.Conn // also those that are closed
}

func listen() *listener { return &listener{Listener: bufconn.Listen(bufferSize)} }

// Accept returns the next connection.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted = append(l.accepted, c)
	return c, nil
}

// cut closes the connections.
func (l *listener) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.accepted {
		c.Close()
	}
	l.accepted = nil
}
