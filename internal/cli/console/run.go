package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/go-lro/lro/console"
	source "github.com/go-lro/lro/console/remote"
	"github.com/go-lro/lro/internal/cli/remote"
	"github.com/go-lro/lro/internal/cli/term"
)

const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	// stopGrace is how long requests under way may take when the console stops.
	stopGrace = 5 * time.Second
)

func (o *options) run(ctx context.Context) error {
	address, err := o.address()
	if err != nil {
		return err
	}
	s, err := o.Open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	pages, err := o.pages(s)
	if err != nil {
		return err
	}
	listener, err := net.ListenTCP("tcp", address)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.io.Err, "console of %s: http://%s/; press Ctrl-C to stop\n", term.Clean(s.Target), listener.Addr())
	return serve(ctx, listener, pages)
}

// pages is the console in front of a service.
func (o *options) pages(s *remote.Session) (*console.Handler, error) {
	parent := o.parent
	if parent == "" {
		parent = "operations"
	}
	src, err := source.New(s.Service, source.Config{Parent: parent})
	if err != nil {
		return nil, err
	}
	hosts := o.hosts
	if hosts == nil && !o.insecure {
		hosts = []string{} // names that resolve to this machine belong to others
	}
	return console.New(src, console.Config{
		Title:    s.Target,
		ReadOnly: o.readOnly,
		Hosts:    hosts,
		Endpoint: endpoint(s),
		Decode:   newTypes(s).decode,
		Poll:     o.poll,
		Logger:   slog.New(slog.NewTextHandler(o.io.Err, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
}

// serve answers until ctx ends.
func serve(ctx context.Context, listener net.Listener, pages *console.Handler) error {
	server := &http.Server{Handler: pages, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout}
	server.RegisterOnShutdown(pages.Close)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	if server.Shutdown(stopping) != nil {
		server.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// endpoint is where the commands that pages show find the service.
func endpoint(s *remote.Session) console.Endpoint {
	if s.Conn == nil {
		return console.Endpoint{URL: s.Target}
	}
	return console.Endpoint{Address: s.Target, Plaintext: s.Plaintext}
}
