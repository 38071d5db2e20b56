package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc/status"
)

// Config configures a [Server]. The zero value is usable.
type Config struct {
	// Parent is the resource under which operations are started that name no
	// other, such as "projects/p/locations/l". Empty starts top-level
	// operations, which some clients cannot reach over HTTP/JSON.
	Parent string

	// Logger gets what callers must not see: panics with their stacks, failures
	// of the store. Nil discards it.
	Logger *slog.Logger

	// Concurrency is how many attempts one [Server.Work] or [Server.Serve] runs at
	// once; several of them at a time have as many each. 0 means 100.
	Concurrency int
	// Drain is how long handlers may run on after [Server.Serve] or [Server.Work]
	// was told to stop; then their context ends, with the cause [ErrDraining]. 0
	// means 10 s, negative at once.
	Drain time.Duration
	// Grace is how long calls that are under way may take to finish when
	// [Server.Serve] stops, after Drain; then their connections are closed. 0
	// means 5 s, negative at once.
	Grace time.Duration

	// MaxOperation is the greatest size of an operation's metadata and result
	// together, in bytes. Metadata over it is refused, and an operation whose
	// response is over it ends as RESOURCE_EXHAUSTED. 0 means 3.5 MiB: gRPC
	// clients refuse messages over 4 MiB unless they are told otherwise. Lists
	// leave out the metadata or the result of operations over 3.5 MiB, whatever
	// this is. The engine has limits of its own.
	MaxOperation int

	// Authorize decides about each call of the Operations service and of the
	// Starter before the operation is looked up, so that a stranger cannot tell
	// whether it exists. A gRPC status it returns is the caller's answer; any
	// other error becomes PERMISSION_DENIED without its text. Nil allows all.
	Authorize func(ctx context.Context, a Access) error
	// Caller names who calls, for [StartOptions].RequestID: the same request ID
	// of two callers starts two operations. Nil makes all callers one.
	Caller func(ctx context.Context) string

	// ErrorStatus translates an error without a gRPC status that a handler
	// returned. Nil, or a nil result, means UNKNOWN with the error's text.
	ErrorStatus func(err error) *status.Status
	// ErrorDomain is the domain of the ErrorInfo in statuses (AIP-193): the name of
	// the service. Empty means "github.com/go-lro/lro".
	ErrorDomain string

	// PageKey makes page tokens unreadable and unforgeable. Servers that answer
	// for each other need the same, of at least 16 bytes. Nil means a random
	// one, so that tokens end with the process.
	PageKey []byte

	// Strict refuses with FAILED_PRECONDITION what otherwise changes nothing or
	// little and succeeds: to cancel an operation that has ended, and to delete
	// one that has not.
	Strict bool

	// Observer sees starts and attempts. The zero value sees nothing.
	Observer Observer
}

// Access is what a caller wants to do.
type Access struct {
	// Method is the name of the RPC, such as "GetOperation".
	Method string
	// Name is the name of an operation; the parent for "ListOperations" and
	// "StartOperation" (empty for top-level operations, and see
	// docs/serving.md for lists across parents); empty for "ListKinds".
	Name string
	// Kind is set for "StartOperation".
	Kind string
}

const (
	defaultDomain  = "github.com/go-lro/lro"
	defaultDrain   = 10 * time.Second
	defaultGrace   = 5 * time.Second
	minPageKeySize = 16
)

// withDefaults returns a checked copy.
func (c Config) withDefaults() (Config, error) {
	var errs []error
	if c.Parent != "" {
		if err := checkStartParent(c.Parent); err != nil {
			errs = append(errs, fmt.Errorf("parent %q: %w", c.Parent, err))
		}
	}
	if c.Concurrency < 0 {
		errs = append(errs, fmt.Errorf("concurrency %d is negative", c.Concurrency))
	}
	if c.MaxOperation < 0 {
		errs = append(errs, fmt.Errorf("max operation of %d bytes is negative", c.MaxOperation))
	}
	if c.MaxOperation == 0 {
		c.MaxOperation = defaultMaxOperation
	}
	if c.PageKey != nil && len(c.PageKey) < minPageKeySize {
		errs = append(errs, fmt.Errorf("page key has %d bytes, fewer than %d", len(c.PageKey), minPageKeySize))
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Drain == 0 {
		c.Drain = defaultDrain
	}
	c.Drain = max(0, c.Drain)
	if c.Grace == 0 {
		c.Grace = defaultGrace
	}
	c.Grace = max(0, c.Grace)
	if c.ErrorDomain == "" {
		c.ErrorDomain = defaultDomain
	}
	return c, errors.Join(errs...)
}
