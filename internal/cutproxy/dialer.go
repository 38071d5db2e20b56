package cutproxy

import (
	"context"
	"errors"
	"net"
	"sync"
)

// Dialer makes connections of one client until it is cut. The zero value is ready
// to use. Its methods are safe for concurrent use.
type Dialer struct {
	mu    sync.Mutex
	down  bool
	conns []net.Conn
}

// DialContext makes a connection, as [net.Dialer] does. It fails after
// [Dialer.Cut].
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		conn.Close()
		return nil, errors.New("the network is down")
	}
	d.conns = append(d.conns, conn)
	return conn, nil
}

// Cut closes all connections, and lets none be made any more.
func (d *Dialer) Cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = true
	for _, conn := range d.conns {
		conn.Close()
	}
}
