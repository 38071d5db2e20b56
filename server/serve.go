package server

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/go-lro/lro/server/engine"
)

// Serve runs operations, and answers calls on l, until ctx ends, [Server.Shutdown]
// is called, or the work or one of the parts fails. Then it stops everything in
// this order, and returns:
//
//  1. Functions of [OnStop] are called.
//  2. The work stops as [Server.Work] does: no more attempts begin, handlers
//     have [Config].Drain to finish, and operations that do not are handed
//     back. Calls are still answered, so that callers can follow operations to
//     their end.
//  3. Calls to WaitOperation return the current state of their operation.
//  4. Listeners are closed, and calls that are under way get [Config].Grace to
//     finish. After that their connections are closed.
//
// A server whose kinds have no handlers, since all are registered by
// [Kind.Declare] or [Kind.External], runs no work and only answers.
//
// Serve owns g and l: it always stops g and closes l. Register all services on
// g before, including that of [Server.Register]. With a nil g and a nil l it
// serves without gRPC. Use [HTTP], [Run] and [OnStop] to serve and stop other
// parts of the program.
//
// The error is nil when ctx ended, Shutdown was called, or a transport was stopped
// by its own methods. Otherwise it is the first failure, wrapped; failures that
// follow from it are logged. The engine is still open when Serve returns: close it
// then.
//
//	return errors.Join(operations.Serve(ctx, grpcServer, listener), engine.Close())
//
// A Server may serve several times, one after another or at once. Each Serve runs
// operations itself, up to [Config].Concurrency and the limits of the kinds: to
// answer on several listeners, use one Serve with parts. After Shutdown, Serve
// stops at once.
func (s *Server) Serve(ctx context.Context, g GRPCServer, l net.Listener, beside ...Part) error {
	parts, err := withGRPC(g, l, beside)
	if err != nil {
		return err
	}
	s.serving.enter()
	defer s.serving.leave(nil)

	ctx, stop := s.untilShutdown(ctx)
	defer stop()
	calls, stopCalls := context.WithCancel(context.WithoutCancel(ctx))
	defer stopCalls()

	failures := make(chan error, len(parts)+1) // one for each sender
	var running, working sync.WaitGroup
	s.working.enter()
	working.Go(func() {
		if err := s.workIfAny(ctx); err != nil {
			failures <- fmt.Errorf("run operations: %w", err)
		}
		stop()
	})
	for _, p := range parts {
		if p.run == nil {
			continue
		}
		running.Go(func() {
			err := p.run(calls)
			if err != nil {
				failures <- err
			}
			if err != nil || p.essential {
				stop()
			}
		})
	}
	<-ctx.Done()
	for _, p := range parts {
		if p.onStop != nil {
			p.onStop()
		}
	}
	working.Wait()
	s.working.leave(errStopped)
	stopCalls()
	s.stopParts(parts)
	running.Wait()
	return s.first(ctx, failures)
}

// Shutdown stops every [Server.Serve] and [Server.Work], including later ones,
// like the end of their ctx, and waits until they have returned. If ctx ends
// first, it returns an error that wraps ctx's cause, and the stop continues
// within [Config].Drain and [Config].Grace. Calling it again waits again.
func (s *Server) Shutdown(ctx context.Context) error {
	s.shut()
	select {
	case <-s.serving.idle():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("shut down server: %w", context.Cause(ctx))
	}
}

// untilShutdown returns a ctx that ends with Shutdown too.
func (s *Server) untilShutdown(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if s.shutdown.Err() != nil {
		cancel() // now, not soon
	}
	stop := context.AfterFunc(s.shutdown, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// workIfAny runs operations until ctx ends, or waits for that when no kind has a
// handler.
func (s *Server) workIfAny(ctx context.Context) error {
	limits := s.handled()
	if len(limits) == 0 {
		<-ctx.Done()
		return nil
	}
	if err := s.work(ctx, limits); err != nil {
		return err
	}
	if ctx.Err() == nil {
		return engine.ErrClosed // an engine ends its Works without an error when it is closed
	}
	return nil
}

// stopParts lets calls finish for Config.Grace.
func (s *Server) stopParts(parts []Part) {
	grace, cancel := context.WithTimeout(context.Background(), s.config.Grace)
	defer cancel()
	var stopping sync.WaitGroup
	for _, p := range parts {
		if p.stop != nil {
			stopping.Go(func() { p.stop(grace) })
		}
	}
	stopping.Wait()
	if grace.Err() != nil && s.config.Grace > 0 {
		s.logger.Warn("calls were cut off when the server stopped", "grace", s.config.Grace)
	}
}

// first returns the first failure and logs the others.
func (s *Server) first(ctx context.Context, failures chan error) error {
	close(failures)
	cause := <-failures // nil when there is none
	for err := range failures {
		s.logger.WarnContext(ctx, "another failure when the server stopped", "error", err)
	}
	return cause
}

// presence counts the calls of something. Its zero value is not usable.
type presence struct {
	mu    sync.Mutex
	count int
	until context.Context // ends when the last of them has left
	end   context.CancelCauseFunc
}

func newPresence() *presence {
	p := &presence{}
	p.until, p.end = context.WithCancelCause(context.Background())
	return p
}

func (p *presence) enter() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count++; p.until.Err() != nil {
		p.until, p.end = context.WithCancelCause(context.Background())
	}
}

func (p *presence) leave(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count--; p.count == 0 {
		p.end(cause)
	}
}

// left ends when the last has left, and does not while none has come.
func (p *presence) left() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until
}

// idle is closed when none is there.
func (p *presence) idle() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count == 0 {
		none := make(chan struct{})
		close(none)
		return none
	}
	return p.until.Done()
}
