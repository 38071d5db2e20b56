package cutproxy

import (
	"fmt"
	"net"
	"sync"
)

// Proxy stands between clients and one server. Its methods are safe for
// concurrent use.
type Proxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond // isCut has
	isCut   bool
	ended   bool
	conns   map[net.Conn]struct{}
}

// Start forwards the connections that it gets on a free port of 127.0.0.1 to
// target, HOST:PORT, until [Proxy.Close].
func Start(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start proxy to %s: %w", target, err)
	}
	p := &Proxy{listener: listener, target: target, conns: make(map[net.Conn]struct{})}
	p.changed = sync.NewCond(&p.mu)
	p.running.Go(p.accept)
	return p, nil
}

// Close ends all connections and waits until they are gone.
func (p *Proxy) Close() {
	p.listener.Close()
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.Restore()
	p.running.Wait()
}

// Address is where the proxy listens, HOST:PORT.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

func (p *Proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.forward(near) })
	}
}

func (p *Proxy) forward(near net.Conn) {
	defer near.Close()
	if !p.add(near) {
		return
	}
	defer p.remove(near)
	far, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer far.Close()
	if !p.add(far) {
		return
	}
	defer p.remove(far)
	var copying sync.WaitGroup
	copying.Go(func() { p.copy(near, far) })
	copying.Go(func() { p.copy(far, near) })
	copying.Wait()
}

// copy holds what comes while the proxy is cut: to both ends that is a network
// that drops every packet.
func (p *Proxy) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		for p.isCut {
			p.changed.Wait()
		}
		p.mu.Unlock()
		if err != nil {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// Cut drops everything, and neither end notices.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isCut = true
}

// Restore forwards new connections. Those of before are reset, as by a router
// that has forgotten them; also when the proxy was not cut.
func (p *Proxy) Restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	p.isCut = false
	p.changed.Broadcast()
}

// add reports false when the proxy has ended.
func (p *Proxy) add(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) remove(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}
