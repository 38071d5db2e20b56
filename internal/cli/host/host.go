package host

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip" // clients may compress; the limit holds for what comes out
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"github.com/go-lro/lro/lrohttp"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
	"github.com/go-lro/lro/server/guard"
)

// Config is what a host runs with.
type Config struct {
	DB string // path of the database file; created where there is none
	// Engine opens the engine, which Close closes. Nil is the embedded one on DB.
	Engine func(context.Context, *slog.Logger) (server.Engine, error)

	Parent  string // see [server.Config]
	Logger  *slog.Logger
	Drain   time.Duration // see [server.Config]
	TLS     *TLS          // nil serves plain text
	Tokens  *Tokens       // nil admits every caller
	Metrics bool          // serve them at /metrics
	Hosts   []string      // that callers of HTTP may know it by, see [console.Config]
	Proxies Proxies       // that stand before it

	PageKey []byte // see [server.Config]; nil is the engine's, where it has one
	// Concurrency bounds the operations that run at once; 0 means 100. Kinds
	// bounds those of a kind besides.
	Concurrency int
	Kinds       map[string]int
	// ChecksumRoot confines the kind checksum to a directory. Empty means none,
	// unless NoChecksum says that the kind is off.
	ChecksumRoot string
	NoChecksum   bool
	// WorkerOnly serves health and metrics alone, and no operations.
	WorkerOnly bool
	// AnswerOnly serves operations and runs none.
	AnswerOnly bool
	// Grace is how long calls under way may take when the host stops, see
	// [server.Config].
	Grace time.Duration
}

// Host serves the operations of one engine. Open makes one.
type Host struct {
	engine  server.Engine
	server  *server.Server
	tls     *tls.Config // nil for plain text
	grpc    *grpc.Server
	http    *http.Server
	health  *health.Server
	metrics *metrics // counted always, served where Config.Metrics says so
}

// Open opens the engine. Nothing runs and nothing is served yet.
func Open(ctx context.Context, c Config) (*Host, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Engine == nil {
		c.Engine = func(ctx context.Context, logger *slog.Logger) (server.Engine, error) {
			return sqlite.Open(ctx, c.DB, &sqlite.Options{Logger: logger})
		}
	}
	eng, err := c.Engine(ctx, c.Logger)
	if err != nil {
		return nil, err
	}
	h, err := assemble(c, eng)
	if err != nil {
		return nil, errors.Join(err, eng.Close())
	}
	return h, nil
}

func assemble(c Config, eng server.Engine) (*Host, error) {
	config := server.Config{
		Parent: c.Parent, Logger: c.Logger, Drain: c.Drain, Caller: caller,
		PageKey: c.PageKey, Concurrency: c.Concurrency, Grace: c.Grace,
	}
	if shared, ok := eng.(interface{ PageKey() []byte }); ok && config.PageKey == nil {
		config.PageKey = shared.PageKey()
	}
	kinds := c.kinds()
	m := newMetrics(eng, c)
	config.Observer = m.observer()
	srv, err := server.New(eng, config, kinds...)
	if err != nil {
		return nil, err
	}
	limits, err := guard.New(guard.Limits{})
	if err != nil {
		return nil, err
	}
	h := &Host{engine: eng, server: srv, metrics: m, health: health.NewServer()}
	var transport credentials.TransportCredentials
	if c.TLS != nil {
		h.tls, transport = c.TLS.config(), handshaken{}
	}
	h.grpc = grpc.NewServer(append(limits.ServerOptions(transport), guard.Authentication(c.Tokens.authenticate))...)
	healthpb.RegisterHealthServer(h.grpc, h.health)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", h.serveHealth)
	mux.HandleFunc("GET /readyz", h.serveReady(c.Logger))
	if c.Metrics {
		mux.Handle("GET /metrics", guarded(c.Tokens, m))
	}
	h.http = &http.Server{
		Handler:  c.Proxies.restore(sameOrigin(c.Hosts, known(c.Hosts, mux))),
		ErrorLog: slog.NewLogLogger(c.Logger.Handler(), slog.LevelDebug),
	}
	limits.Apply(h.http)
	if c.WorkerOnly {
		return h, nil
	}
	return h, h.addOperations(c, mux)
}

// addOperations adds the services, over gRPC and to mux, with the console.
func (h *Host) addOperations(c Config, mux *http.ServeMux) error {
	h.server.Register(h.grpc)
	h.server.RegisterStarter(h.grpc)
	reflection.Register(h.grpc)
	operations, err := lrohttp.NewHandler(h.server.Operations(),
		lrohttp.WithStarter(h.server.Starter()), lrohttp.WithAuthentication(c.Tokens.authenticate))
	if err != nil {
		return err
	}
	pages, err := newConsole(c, h.server)
	if err != nil {
		return err
	}
	mux.Handle("/v1/", operations)
	mux.Handle("/", signedIn(c.Tokens, pages))
	h.http.RegisterOnShutdown(pages.Close)
	return nil
}

// guarded admits those to a handler who have a token.
func guarded(t *Tokens, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := t.admit(r.Context(), r.Header["Authorization"]); err != nil {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "a bearer token is required", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Serve runs operations and answers calls on l, over gRPC and HTTP, until ctx
// ends or something fails; see [server.Server.Serve], also for beside. A nil l
// answers no calls. It may be called once.
func (h *Host) Serve(ctx context.Context, l net.Listener, beside ...server.Part) error {
	if l == nil {
		return h.server.Serve(ctx, nil, nil, beside...)
	}
	s := split(l, h.tls)
	return h.server.Serve(ctx, h.grpc, s.grpc, append(beside,
		server.HTTP(h.http, s.http), server.Run(s.run), h.server.Health(h.health))...)
}

// Inspect looks at the operations as the server has them.
func (h *Host) Inspect() server.Inspector { return h.server.Inspect() }

// Close closes the engine, after Serve has returned.
func (h *Host) Close() error { return h.engine.Close() }
