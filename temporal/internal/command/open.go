package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/temporal"
)

// open connects to the service and opens the engine on it.
func (s *store) open(ctx context.Context, o client.Options, logger *slog.Logger) (engine.Engine, error) {
	o.Logger = sdklog.NewStructuredLogger(logger)
	c, err := client.DialContext(ctx, o)
	if err != nil {
		return nil, s.explain(err)
	}
	e, err := temporal.Open(ctx, c, &temporal.Options{
		TaskQueue: s.taskQueue, Namespace: s.service.namespace, Lease: s.lease, Logger: logger,
	})
	if err != nil {
		c.Close()
		return nil, s.explain(err)
	}
	return &connected{Engine: e, client: c}, nil
}

// explain says what is wrong, and what to do about it.
func (s *store) explain(err error) error {
	if _, ok := errors.AsType[*serviceerror.NamespaceNotFound](err); ok {
		return exit.Hint(fmt.Errorf("the Temporal service at %s has no namespace %q", s.service.address, s.service.namespace),
			fmt.Sprintf("make it: temporal operator namespace create --address %s --retention 720h %s", s.service.address, s.service.namespace))
	}
	if _, ok := errors.AsType[*serviceerror.PermissionDenied](err); ok {
		return exit.Hint(fmt.Errorf("the Temporal service at %s admits this program to nothing in namespace %q: %w", s.service.address, s.service.namespace, err),
			"is it the right one of --temporal-api-key-file, or of --temporal-cert?")
	}
	if _, ok := errors.AsType[*serviceerror.Unavailable](err); ok {
		return exit.Hint(fmt.Errorf("cannot reach Temporal at %s: %w", s.service.address, err),
			"does it run, and is --temporal right? A service that speaks TLS needs --temporal-tls")
	}
	return fmt.Errorf("use Temporal at %s, namespace %q: %w", s.service.address, s.service.namespace, err)
}

// connected is an engine that closes its client.
type connected struct {
	*temporal.Engine
	client client.Client
}

// Close implements [engine.Engine].
func (c *connected) Close() error {
	err := c.Engine.Close()
	c.client.Close()
	return err
}
