package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"google.golang.org/grpc"
)

// GRPCServer has the methods of a gRPC server that [Server.Serve] uses. A
// *grpc.Server is one, and so is a *xds.GRPCServer.
type GRPCServer interface {
	Serve(l net.Listener) error
	GracefulStop()
	Stop()
}

// Part is something else for [Server.Serve] to run or stop, in addition to the
// handlers and the gRPC server. Use [HTTP], [Run], [OnStop] or [Server.Health]
// to make one. The zero value does nothing. A Part can be used once.
type Part struct {
	run       func(calls context.Context) error // returns after calls has ended, and stop was called
	essential bool                              // everything stops when run returns, with an error or not
	onStop    func()
	stop      func(grace context.Context)
}

// HTTP serves h on l, for example a mux with lrohttp.NewHandler, the console
// and health. It owns both, as Serve owns its gRPC server and listener, and
// stops them at the same time. Use [http.Server.RegisterOnShutdown] to end
// streams; otherwise they delay the stop for [Config].Grace. For TLS, l is a
// listener of package crypto/tls.
func HTTP(h *http.Server, l net.Listener) Part {
	return Part{
		essential: true,
		run: func(calls context.Context) error {
			return transportError(calls, "HTTP", l, h.Serve(l))
		},
		stop: func(grace context.Context) {
			if h.Shutdown(grace) != nil {
				h.Close()
			}
		},
	}
}

// Run runs f for as long as calls are answered. The ctx of f ends when calls
// stop, which is after the work, and f must return soon after; Serve waits for
// it. If f returns an error before that, everything stops with this error. If
// it returns nil, everything else continues.
func Run(f func(ctx context.Context) error) Part {
	return Part{run: func(calls context.Context) error {
		err := f(calls)
		if calls.Err() != nil && errors.Is(err, calls.Err()) {
			return nil
		}
		return err
	}}
}

// OnStop calls f when the stop begins, before the work has finished and while
// calls are still answered: use it to report that this process accepts no more
// traffic, like Shutdown of a gRPC health server. f should return soon, since
// the stop waits for it.
func OnStop(f func()) Part { return Part{onStop: f} }

// withGRPC returns the parts, gRPC first.
func withGRPC(g GRPCServer, l net.Listener, beside []Part) ([]Part, error) {
	if g == nil && l == nil {
		return beside, nil
	}
	if g == nil || l == nil {
		if l != nil {
			l.Close()
		}
		return nil, errors.New("serve operations: a gRPC server and its listener belong together, and one is nil")
	}
	return append([]Part{overGRPC(g, l)}, beside...), nil
}

func overGRPC(g GRPCServer, l net.Listener) Part {
	return Part{
		essential: true,
		run: func(calls context.Context) error {
			return transportError(calls, "gRPC", l, g.Serve(l))
		},
		stop: func(grace context.Context) {
			graceful := make(chan struct{})
			go func() { // ends with the last call; one that ignores the end of its ctx is not waited for
				defer close(graceful)
				g.GracefulStop()
			}()
			select {
			case <-graceful:
			case <-grace.Done():
				g.Stop()
			}
		},
	}
}

// transportError is nil for a transport that was stopped.
func transportError(calls context.Context, name string, l net.Listener, err error) error {
	switch {
	case err == nil, errors.Is(err, grpc.ErrServerStopped), errors.Is(err, http.ErrServerClosed):
		return nil
	case calls.Err() != nil && errors.Is(err, net.ErrClosed):
		return nil // a listener may be closed by more than its transport
	}
	return fmt.Errorf("serve %s on %s: %w", name, l.Addr(), err)
}
