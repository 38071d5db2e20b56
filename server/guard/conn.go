package guard

import (
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// conn is a connection of a gRPC server that counts the bytes of the messages
// that its client has begun and not finished. grpc-go keeps them until the message
// is complete, and its flow control lets every stream have one of the full size.
type conn struct {
	net.Conn
	guard  *Guard
	holder holder

	mu       sync.Mutex
	in, out  frames
	messages map[uint32]message // by stream, of those that the client may still send on
	change   int64              // of the bytes held, by what is read or written now
	ended    bool
}

// prefixSize is that of what precedes each message: a flag and its length.
const prefixSize = 5

// message is how much of a message of a stream has come. The zero value is that
// between messages.
type message struct {
	prefix [prefixSize]byte
	have   int   // bytes of prefix
	left   int64 // bytes of the message that have not come, once prefix is whole
	held   int64 // bytes that have come
	late   *time.Timer
}

func (g *Guard) watch(c net.Conn) net.Conn {
	w := &conn{Conn: c, guard: g, in: frames{skip: prefaceSize}, messages: map[uint32]message{}}
	w.holder.end = func() { c.Close() }
	return w
}

// Read implements [net.Conn].
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.guard.inFlight.add(&c.holder, c.received(p[:n]))
	}
	return n, err
}

// received returns how many bytes more are held.
func (c *conn) received(p []byte) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change = 0
	c.in.read(p, (*incoming)(c))
	return c.change
}

// incoming is what the client sends.
type incoming conn

func (c *incoming) begin(f frame) {
	if f.typ == frameHeaders && !f.ends() && !c.ended {
		c.messages[f.stream] = message{}
	}
}

func (c *incoming) data(f frame, p []byte) {
	m, open := c.messages[f.stream]
	if !open {
		return // the server has answered, and throws it away
	}
	c.change += m.add(p)
	c.messages[f.stream] = m
}

func (c *incoming) end(f frame) {
	if f.ends() {
		(*conn)(c).drop(f.stream)
		return
	}
	// Only now: most messages come whole, in one frame.
	if m, open := c.messages[f.stream]; open && f.typ == frameData {
		c.messages[f.stream] = (*conn)(c).timed(m)
	}
}

// Write implements [net.Conn].
func (c *conn) Write(p []byte) (int, error) {
	c.guard.inFlight.add(&c.holder, c.sent(p))
	return c.Conn.Write(p)
}

// sent returns how many bytes more are held; it is not positive.
func (c *conn) sent(p []byte) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change = 0
	c.out.read(p, (*outgoing)(c))
	return c.change
}

// outgoing is what the server sends.
type outgoing conn

func (c *outgoing) begin(f frame) {
	if f.ends() {
		(*conn)(c).drop(f.stream)
	}
}

func (c *outgoing) data(frame, []byte) {}

func (c *outgoing) end(frame) {}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.mu.Lock()
	c.ended = true
	for stream := range c.messages {
		c.drop(stream)
	}
	c.mu.Unlock()
	c.guard.inFlight.release(&c.holder)
	return c.Conn.Close()
}

// drop forgets a stream.
func (c *conn) drop(stream uint32) {
	m := c.messages[stream]
	if m.late != nil {
		m.late.Stop()
	}
	delete(c.messages, stream)
	c.change -= m.held
}

// timed starts or stops the timer of a message.
func (c *conn) timed(m message) message {
	switch {
	case m.held > 0 && m.late == nil && !c.ended:
		m.late = time.AfterFunc(c.guard.limits.BodyTime, func() { c.Conn.Close() })
	case m.held == 0 && m.late != nil:
		m.late.Stop()
		m.late = nil
	}
	return m
}

// add takes the next bytes of a stream and returns how many more are held.
func (m *message) add(p []byte) int64 {
	before := m.held
	for len(p) > 0 {
		var n int
		if m.have < prefixSize {
			n = copy(m.prefix[m.have:], p)
			m.have += n
			m.left = int64(binary.BigEndian.Uint32(m.prefix[1:]))
		} else {
			n = int(min(m.left, int64(len(p))))
			m.left -= int64(n)
		}
		m.held += int64(n)
		p = p[n:]
		if m.have == prefixSize && m.left == 0 {
			*m = message{late: m.late} // it is whole
		}
	}
	return m.held - before
}
