package reflect

import (
	"context"
	"sync"

	"google.golang.org/grpc"
)

// Gate keeps reflection and other calls apart: a session waits until calls
// under way have returned, and calls wait until it has ended. The zero value is
// open.
type Gate struct {
	mu      sync.Mutex
	calls   int
	closed  bool
	changed chan struct{} // closed at the next change; nil while no caller waits
}

// Unary is an interceptor for the connection of the calls to keep apart.
func (g *Gate) Unary(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if err := g.until(ctx, func() bool {
		if !g.closed {
			g.calls++
			return true
		}
		return false
	}); err != nil {
		return err
	}
	defer g.change(func() { g.calls-- })
	return invoke(ctx, method, req, reply, cc, opts...)
}

// shut lets calls under way return and keeps further ones waiting until open
// is called. It fails when ctx ends first.
func (g *Gate) shut(ctx context.Context) error {
	if err := g.until(ctx, func() bool {
		if g.closed {
			return false
		}
		g.closed = true
		return true
	}); err != nil {
		return err
	}
	err := g.until(ctx, func() bool { return g.calls == 0 })
	if err != nil {
		g.open()
	}
	return err
}

func (g *Gate) open() { g.change(func() { g.closed = false }) }

// until waits until try, called under the lock, returns true.
func (g *Gate) until(ctx context.Context, try func() bool) error {
	for {
		g.mu.Lock()
		if try() {
			g.mu.Unlock()
			return nil
		}
		if g.changed == nil {
			g.changed = make(chan struct{})
		}
		changed := g.changed
		g.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (g *Gate) change(do func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	do()
	if g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
}
