package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/internal/filter"
)

// Server runs the operations of some kinds and serves those of one engine. It
// is safe for concurrent use.
type Server struct {
	engine engine.Engine
	config Config
	logger *slog.Logger
	kinds  map[string]*kind
	types  filter.Types // of all kinds
	faults faults
	tokens sealer
	views  *views // apart from the server: see views.keep
	keeps  bool   // the engine is a RecordKeeper

	working  *presence       // calls to Work, and those of Serve until their work is done; waiting calls end with the last
	serving  *presence       // calls to Work and Serve
	shutdown context.Context // ends with Shutdown
	shut     context.CancelFunc
}

// New returns a server of the given kinds, whose names must differ. The server
// does not close the engine: close it after Serve, or Work, has returned. New
// makes no calls to the engine. It fails if c or a kind is invalid.
func New(eng Engine, c Config, kinds ...Registration) (*Server, error) {
	if eng == nil {
		return nil, errors.New("new server: engine is nil")
	}
	c, err := c.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("new server: %w", err)
	}
	tokens, err := newSealer(c.PageKey)
	if err != nil {
		return nil, fmt.Errorf("new server: %w", err)
	}
	s := &Server{
		engine: eng, config: c, logger: c.Logger,
		kinds: map[string]*kind{}, faults: faults{domain: c.ErrorDomain}, tokens: tokens, views: new(views),
		working: newPresence(), serving: newPresence(),
	}
	if k, ok := eng.(engine.RecordKeeper); ok {
		s.keeps = k.KeepsRecords()
	}
	s.shutdown, s.shut = context.WithCancel(context.Background())
	var errs []error
	for _, r := range kinds {
		switch {
		case r.kind == nil:
			errs = append(errs, errors.New("registration is empty: use Handle, External or Declare of a kind"))
		case r.kind.err != nil:
			errs = append(errs, fmt.Errorf("kind %q: %w", r.kind.name, r.kind.err))
		case s.kinds[r.kind.name] != nil:
			errs = append(errs, fmt.Errorf("kind %q is registered twice", r.kind.name))
		default:
			s.kinds[r.kind.name] = r.kind
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("new server: %w", err)
	}
	s.types = filterTypes(s.kinds)
	return s, nil
}

// Register registers google.longrunning.Operations with a gRPC server. Call it
// before the server serves.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	longrunningpb.RegisterOperationsServer(r, s.Operations())
}

// RegisterStarter registers lro.v1.Starter, which starts operations of every
// kind, with a gRPC server. It is for tools and tests; a public service
// declares RPC methods of its own and calls [Kind.Start] in them.
func (s *Server) RegisterStarter(r grpc.ServiceRegistrar) {
	lropb.RegisterStarterServer(r, s.Starter())
}

// Operations returns the service that Register registers, to call it in process
// or serve it over other transports. The operations it returns are shared and
// must not be modified.
func (s *Server) Operations() longrunningpb.OperationsServer { return operations{s: s} }

// Starter returns the service that RegisterStarter registers.
func (s *Server) Starter() lropb.StarterServer { return starter{s: s} }

// errStopped ends waiting calls when the last Work has returned.
var errStopped = errors.New("server stopped working")

// Work runs operations without answering calls, for a process that is only a
// worker; [Server.Serve] does both. When ctx ends, or [Server.Shutdown] is
// called, it starts no more attempts, gives handlers [Config].Drain to finish,
// hands back the operations of handlers that have not finished, and returns
// nil. It returns an error only if the engine fails. When the last of several
// calls to Work has returned, calls to WaitOperation return the current state
// of their operation.
func (s *Server) Work(ctx context.Context) error {
	s.serving.enter()
	defer s.serving.leave(nil)
	s.working.enter()
	defer s.working.leave(errStopped)
	ctx, stop := s.untilShutdown(ctx)
	defer stop()
	return s.work(ctx, s.handled())
}

// handled returns the kinds with a handler, each with how many attempts of it may
// run at once.
func (s *Server) handled() map[string]int {
	limits := map[string]int{}
	for name, k := range s.kinds {
		if k.invoke != nil {
			limits[name] = k.concurrency
		}
	}
	return limits
}

func (s *Server) work(ctx context.Context, limits map[string]int) error {
	return s.engine.Work(ctx, engine.Worker{
		Run: s.run, Kinds: limits, Concurrency: s.config.Concurrency, Drain: s.config.Drain,
	})
}

// waiting is the context that ends when waiting calls should answer.
func (s *Server) waiting() context.Context { return s.working.left() }
