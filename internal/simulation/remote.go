package simulation

import (
	"context"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"sync"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro/internal/oracle"
	"github.com/go-lro/lro/lropb"
)

// calls passes the calls of a link on to another process.
type calls struct {
	longrunningpb.UnimplementedOperationsServer
	lropb.UnimplementedStarterServer
	operations longrunningpb.OperationsClient
	starter    lropb.StarterClient
}

func callsOf(conn *grpc.ClientConn) *calls {
	return &calls{operations: longrunningpb.NewOperationsClient(conn), starter: lropb.NewStarterClient(conn)}
}

func (c *calls) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	return c.operations.GetOperation(ctx, req)
}

func (c *calls) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
	return c.operations.WaitOperation(ctx, req)
}

func (c *calls) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
	return c.operations.ListOperations(ctx, req)
}

func (c *calls) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest) (*emptypb.Empty, error) {
	return c.operations.CancelOperation(ctx, req)
}

func (c *calls) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest) (*emptypb.Empty, error) {
	return c.operations.DeleteOperation(ctx, req)
}

func (c *calls) StartOperation(ctx context.Context, req *lropb.StartOperationRequest) (*longrunningpb.Operation, error) {
	return c.starter.StartOperation(ctx, req)
}

// book is the history of a program, for its processes to write what their handlers
// see: each event by two calls, before and after what it is about.
type book struct {
	w      *world
	server *rpc.Server
	socket net.Listener
	dir    string

	mu     sync.Mutex
	since  map[int]int // by process
	events map[int]*oracle.Event
	conns  map[net.Conn]bool
	ended  bool
	served sync.WaitGroup
}

// Closing ends an event, by its place in the order.
type Closing struct {
	Call int
	Out  string
}

// Book is the book as its processes call it.
type Book struct{ b *book }

// Claim notes an attempt that has begun.
func (k *Book) Claim(e oracle.Event, _ *int) error {
	k.b.mu.Lock()
	since := k.b.since[e.Lived]
	k.b.mu.Unlock()
	k.b.w.claimed(since, e)
	return nil
}

// Call begins an event. While its process has not said otherwise, it may have
// happened: the process may die before it says so.
func (k *Book) Call(e oracle.Event, call *int) error {
	e.Out = oracle.Unknown
	called := k.b.w.history.call(e)
	*call = called.Call
	k.b.mu.Lock()
	defer k.b.mu.Unlock()
	k.b.events[*call] = called
	return nil
}

// Done ends one.
func (k *Book) Done(c Closing, _ *int) error {
	k.b.mu.Lock()
	e := k.b.events[c.Call]
	delete(k.b.events, c.Call)
	k.b.mu.Unlock()
	if e == nil {
		return fmt.Errorf("no event %d", c.Call)
	}
	k.b.w.history.done(e, c.Out)
	return nil
}

// openBook listens for processes on a socket of its own.
func openBook(w *world) (*book, error) {
	// The path of a socket is short, so it is not in the folder of the test.
	dir, err := os.MkdirTemp("", "lro-sim-")
	if err != nil {
		return nil, err
	}
	b := &book{w: w, server: rpc.NewServer(), dir: dir, since: make(map[int]int), events: make(map[int]*oracle.Event), conns: make(map[net.Conn]bool)}
	if err := b.server.Register(&Book{b}); err != nil {
		return nil, err
	}
	if b.socket, err = net.Listen("unix", dir+"/book"); err != nil {
		return nil, err
	}
	b.served.Go(func() {
		for {
			conn, err := b.socket.Accept()
			if err != nil {
				return
			}
			if !b.add(conn) {
				return
			}
			b.served.Go(func() { b.server.ServeConn(conn) })
		}
	})
	return b, nil
}

func (b *book) add(conn net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		conn.Close()
		return false
	}
	b.conns[conn] = true
	return true
}

func (b *book) close() {
	b.socket.Close()
	b.mu.Lock()
	b.ended = true
	for c := range b.conns {
		c.Close()
	}
	b.mu.Unlock()
	b.served.Wait()
	os.RemoveAll(b.dir)
}

// pen writes into a book from another process.
type pen struct {
	client *rpc.Client
	begin  time.Time // of the program
}

func openPen(socket string, begin time.Time) (*pen, error) {
	client, err := rpc.Dial("unix", socket)
	if err != nil {
		return nil, err
	}
	return &pen{client, begin}, nil
}

// The program that a pen writes for has ended, or ends this process, when a call
// fails.

func (p *pen) claim(e oracle.Event) { _ = p.client.Call("Book.Claim", e, new(int)) }

func (p *pen) call(e oracle.Event) *oracle.Event {
	_ = p.client.Call("Book.Call", e, &e.Call)
	return &e
}

func (p *pen) done(e *oracle.Event, out string) {
	_ = p.client.Call("Book.Done", Closing{e.Call, out}, new(int))
}

func (p *pen) now() time.Duration { return time.Since(p.begin) }
