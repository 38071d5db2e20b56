package guard_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/go-lro/lro/server/guard"
)

// pipes is a listener of connections in memory, which stand still in a bubble of
// synctest when nothing happens.
type pipes struct {
	conns chan net.Conn
	quit  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), quit: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.quit:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.quit) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (p *pipes) dial(context.Context, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.quit:
		return nil, errors.New("the server is stopped")
	}
}

func newGuard(t *testing.T, l guard.Limits) *guard.Guard {
	t.Helper()
	g, err := guard.New(l)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// health is a service whose Check ends with its ctx if the name is "hang".
type health struct {
	healthpb.UnimplementedHealthServer
}

func (health) Check(ctx context.Context, req *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	if req.GetService() == "hang" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
}

func (health) Watch(_ *healthpb.HealthCheckRequest, s grpc.ServerStreamingServer[healthpb.HealthCheckResponse]) error {
	<-s.Context().Done()
	return s.Context().Err()
}

// serve serves health with these options.
func serve(t *testing.T, options ...grpc.ServerOption) *pipes {
	t.Helper()
	l, s := newPipes(), grpc.NewServer(options...)
	healthpb.RegisterHealthServer(s, health{})
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		s.Stop()
		serving.Wait()
	})
	return l
}

// attacker is a client of HTTP/2 that keeps to the rules of flow control, and to
// no others.
type attacker struct {
	conn   net.Conn
	framer *http2.Framer
	block  bytes.Buffer
	hpack  *hpack.Encoder
	next   uint32

	mu      sync.Mutex
	changed *sync.Cond
	window  map[uint32]int // of streams; 0 for the connection
	initial int
	resets  map[http2.ErrCode]int
	status  map[uint32]string // grpc-status, by stream
	err     error             // that ended the connection
	reading sync.WaitGroup
}

func attack(t *testing.T, l *pipes) *attacker {
	t.Helper()
	conn, err := l.dial(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	a := &attacker{
		conn: conn, framer: http2.NewFramer(conn, conn), next: 1, initial: 65535,
		window: map[uint32]int{0: 65535}, resets: map[http2.ErrCode]int{}, status: map[uint32]string{},
	}
	a.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	a.hpack = hpack.NewEncoder(&a.block)
	a.changed = sync.NewCond(&a.mu)
	a.reading.Go(a.read)
	t.Cleanup(a.close)
	a.must(t, a.write([]byte(http2.ClientPreface)))
	a.must(t, a.framer.WriteSettings())
	return a
}

func (a *attacker) write(p []byte) error {
	_, err := a.conn.Write(p)
	return err
}

func (a *attacker) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (a *attacker) close() {
	a.conn.Close()
	a.reading.Wait()
}

func (a *attacker) read() {
	acks := http2.NewFramer(a.conn, nil) // a pipe writes one frame at a time
	for {
		f, err := a.framer.ReadFrame()
		if ping, ok := f.(*http2.PingFrame); ok && !ping.IsAck() {
			err = acks.WritePing(true, ping.Data)
		}
		a.mu.Lock()
		switch f := f.(type) {
		case *http2.WindowUpdateFrame:
			a.grow(f.StreamID, int(f.Increment))
		case *http2.SettingsFrame:
			if size, ok := f.Value(http2.SettingInitialWindowSize); ok {
				a.initial = int(size)
			}
		case *http2.RSTStreamFrame:
			a.resets[f.ErrCode]++
		case *http2.MetaHeadersFrame:
			for _, h := range f.Fields {
				if h.Name == "grpc-status" {
					a.status[f.StreamID] = h.Value
				}
			}
		}
		a.err = err
		a.changed.Broadcast()
		a.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (a *attacker) grow(stream uint32, n int) {
	if _, ok := a.window[stream]; !ok {
		a.window[stream] = a.initial
	}
	a.window[stream] += n
}

// open begins a call and returns its stream.
func (a *attacker) open(method string) (uint32, error) {
	a.block.Reset()
	for _, h := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", method}, {":authority", "x"},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		if err := a.hpack.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]}); err != nil {
			return 0, err
		}
	}
	stream := a.next
	a.next += 2
	return stream, a.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: a.block.Bytes(), EndHeaders: true})
}

// send sends n bytes on a stream, the first of which begin a message of size.
func (a *attacker) send(stream uint32, size, n int) error {
	data := make([]byte, n)
	binary.BigEndian.PutUint32(data[1:], uint32(size))
	for len(data) > 0 {
		k, err := a.take(stream, min(len(data), 16<<10))
		if err != nil {
			return err
		}
		if err := a.framer.WriteData(stream, false, data[:k]); err != nil {
			return err
		}
		data = data[k:]
	}
	return nil
}

// take waits until the windows allow to send up to most bytes.
func (a *attacker) take(stream uint32, most int) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.grow(stream, 0)
	for min(a.window[0], a.window[stream]) <= 0 {
		if a.err != nil {
			return 0, a.err
		}
		a.changed.Wait()
	}
	n := min(most, a.window[0], a.window[stream])
	a.window[0] -= n
	a.window[stream] -= n
	return n, nil
}

// wait waits until ok says so, and returns the error of the connection.
func (a *attacker) wait(ok func() bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.err == nil && !ok() {
		a.changed.Wait()
	}
	if ok() {
		return nil
	}
	return a.err
}

// ended waits until the server closes the connection, for an hour at most.
func (a *attacker) ended() error {
	stop := time.AfterFunc(time.Hour, func() { a.conn.Close() })
	defer stop.Stop()
	err := a.wait(func() bool { return false })
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}
