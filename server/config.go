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
	// Parent is the resource under which operations start by default, such as
	// "projects/p/locations/l". Empty starts top-level operations, which some
	// clients cannot reach over HTTP/JSON.
	Parent string

	// Logger receives what callers must not see: panics with their stacks,
	// failures of the store. Nil discards it.
	Logger *slog.Logger

	// Concurrency is how many attempts one [Server.Work] or [Server.Serve] runs at
	// once; if several are called at the same time, each has this limit. 0 means
	// 100.
	Concurrency int
	// Drain is how long handlers may continue after [Server.Serve] or
	// [Server.Work] begins to stop; then their context ends with the cause
	// [ErrDraining]. 0 means 10 s; a negative value ends it at once.
	Drain time.Duration
	// Grace is how long calls under way may take to finish when [Server.Serve]
	// stops, after Drain; then their connections are closed. 0 means 5 s; a
	// negative value closes them at once.
	Grace time.Duration

	// MaxOperation is the largest size of an operation's metadata and result
	// together, in bytes. Larger metadata is refused, and an operation with a
	// larger response ends as RESOURCE_EXHAUSTED. 0 means 3.5 MiB, since gRPC
	// clients refuse messages over 4 MiB by default. Lists omit the metadata or
	// the result of operations over 3.5 MiB, independent of MaxOperation. The
	// engine has limits of its own.
	MaxOperation int

	// Authorize is called for each call of the Operations service and of the
	// Starter before the operation is looked up, so that a caller without
	// permission cannot find out whether it exists. The caller gets its error if
	// that is a gRPC status; any other error becomes PERMISSION_DENIED without its
	// text. Nil allows every call.
	Authorize func(ctx context.Context, a Access) error
	// Caller identifies the caller for [StartOptions].RequestID: the same request
	// ID from two callers starts two operations. Nil treats all callers as one.
	Caller func(ctx context.Context) string

	// ErrorStatus translates an error without a gRPC status that a handler
	// returned. Nil, or a nil result, means UNKNOWN with the error's text.
	ErrorStatus func(err error) *status.Status
	// ErrorDomain is the domain of the ErrorInfo in statuses (AIP-193): the name of
	// the service. Empty means "github.com/go-lro/lro".
	ErrorDomain string

	// PageKey encrypts page tokens, so that callers can neither read nor forge
	// them. It has at least 16 bytes. Servers behind one address need the same
	// key. Nil means a random key, so that tokens are valid until the process
	// ends.
	PageKey []byte

	// Strict refuses, with FAILED_PRECONDITION, to cancel an operation that is
	// done and to delete one that is not. By default both succeed.
	Strict bool

	// Observer is called for starts and attempts. The zero value observes nothing.
	Observer Observer
}

// Access describes a call to be authorized.
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
			errs = append(errs, fmt.Errorf("Config.Parent %q %w", c.Parent, err))
		}
	}
	if c.Concurrency < 0 {
		errs = append(errs, fmt.Errorf("Config.Concurrency is negative (%d)", c.Concurrency))
	}
	if c.MaxOperation < 0 {
		errs = append(errs, fmt.Errorf("Config.MaxOperation is negative (%d)", c.MaxOperation))
	}
	if c.MaxOperation == 0 {
		c.MaxOperation = defaultMaxOperation
	}
	if c.PageKey != nil && len(c.PageKey) < minPageKeySize {
		errs = append(errs, fmt.Errorf("Config.PageKey has %d bytes, fewer than %d", len(c.PageKey), minPageKeySize))
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
