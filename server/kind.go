package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/internal/rpcinfo"
)

// Kind is a type of operation: its request, its response and the metadata that
// it shows meanwhile. The three are generated message types, or *anypb.Any for
// a message of any type. Declare a kind once, as a package-level variable, and
// do not change it after [New]. Its methods are safe for concurrent use.
type Kind[Req, Resp, M proto.Message] struct {
	// Name is stored with each operation and finds its handler after a
	// restart, so it never changes: a letter, then at most 62 letters, digits,
	// "_", "-" or ".". Required.
	Name string
	// Method is the full name of the RPC that starts operations of this kind,
	// "pkg.Service.Method". The form of gRPC's generated constants,
	// "/pkg.Service/Method", is accepted too. It is not stored. [New] compares the
	// three types with those of the RPC; see Unchecked. Empty means Name, if that
	// is an RPC's.
	Method string
	// Unchecked turns off the comparison of the three types with those of the RPC,
	// for a kind with another request, or a wrong annotation. By default [New]
	// refuses a kind whose types differ from the RPC's request and its
	// google.longrunning.operation_info, if the descriptor is linked into the
	// program. *anypb.Any is never refused.
	Unchecked bool

	// Concurrency is how many attempts of this kind run at once in one
	// [Server.Serve] or [Server.Work]. 0 means no limit but [Config].Concurrency.
	Concurrency int
	// AttemptTimeout ends an attempt's context after this time. 0 means never. The
	// operation ends as DEADLINE_EXCEEDED once the handler returns the context's
	// error, unless Retry allows another attempt; anything else that the handler
	// returns counts as usual.
	AttemptTimeout time.Duration
	// TimeoutGrace is how long a handler may take to return after AttemptTimeout.
	// Then its operation ends as DEADLINE_EXCEEDED without a retry, its slot
	// becomes free, and what it still saves, reports or returns is refused; the
	// handler itself cannot be stopped. 0 means 30 s, negative for ever. It has no
	// effect without AttemptTimeout: a cancelled handler may continue for any
	// time.
	TimeoutGrace time.Duration
	// Retry controls which errors are retried. The zero value retries none.
	Retry Retry
	// AtMostOnce ends an operation as ABORTED, instead of running it again,
	// when the process of its attempt dies, or a drain ends before the
	// handler does. It turns Retry off.
	AtMostOnce bool
	// CrashLimit is the number of crashes of its process after which an
	// operation ends as ABORTED. 0 means 5: the fifth ends it.
	CrashLimit int
	// Retention is how long an operation is kept after its end. 0 means 30 days
	// (AIP-151), negative for ever.
	Retention time.Duration
	// Lease ends an operation registered by [Kind.External] as ABORTED when it has
	// had no report or heartbeat for this time. 0 means never.
	Lease time.Duration

	// Validate refuses a request before an operation exists. Start returns its
	// error, which should be a gRPC status; one without a status becomes
	// INVALID_ARGUMENT. The request is a copy that Validate may change, for
	// example to set defaults; it is stored with the changes. Nil accepts every
	// request.
	Validate func(ctx context.Context, req Req) error
}

// Handler does the work of one attempt. ctx ends when the operation is
// cancelled, the server drains or another attempt owns it; see the package
// comment. A panic ends the operation as INTERNAL, but one in a goroutine that
// the handler has started ends the process, as anywhere in Go. A handler that
// returns neither a response nor an error ends the operation as INTERNAL too.
type Handler[Req, Resp, M proto.Message] func(ctx context.Context, task *Task[M], req Req) (Resp, error)

const (
	defaultRetention    = 30 * 24 * time.Hour
	defaultTimeoutGrace = 30 * time.Second
)

var kindName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,62}$`)

// Registration is a kind to pass to [New].
type Registration struct {
	kind *kind
}

// Handle registers the kind with the handler that runs its operations.
func (k Kind[Req, Resp, M]) Handle(h Handler[Req, Resp, M]) Registration {
	r := k.register()
	if h == nil {
		r.err = errors.Join(r.err, errors.New("handler is nil"))
		return Registration{r}
	}
	r.invoke = func(ctx context.Context, s *Server, a *attempt) (*anypb.Any, error) {
		req, err := unpack[Req](a.Record().Request)
		if err != nil {
			return nil, s.internal(ctx, reasonRequestUnreadable, a.Record().Name, fmt.Errorf("decode request: %w", err))
		}
		resp, err := h(ctx, &Task[M]{attempt: a, server: s}, req)
		if err != nil {
			return nil, err
		}
		if isNil(resp) {
			return nil, s.internal(ctx, reasonNoResponse, a.Record().Name, errors.New("handler returned neither response nor error"))
		}
		packed, err := pack(resp)
		if err != nil {
			return nil, s.internal(ctx, reasonResponseInvalid, a.Record().Name, fmt.Errorf("encode response: %w", err))
		}
		return packed, nil
	}
	return Registration{r}
}

// External registers the kind without a handler: the program reports progress
// and outcome of its operations itself, through [Kind.Attach].
func (k Kind[Req, Resp, M]) External() Registration {
	r := k.register()
	r.external = true
	return Registration{r}
}

// Declare registers the kind so that its operations can be started here, while
// their handler runs in another process that shares the engine.
func (k Kind[Req, Resp, M]) Declare() Registration {
	return Registration{k.register()}
}

// kind is a Kind without its types, as the server keeps it.
type kind struct {
	name        string
	concurrency int
	timeout     time.Duration
	grace       time.Duration // negative for no end
	retry       Retry
	atMostOnce  bool
	crashLimit  int
	retention   time.Duration // 0 for ever
	lease       time.Duration
	external    bool
	types       types
	typed       reflect.Type // of the Kind
	// accept validates a request and returns it as it is stored.
	accept func(ctx context.Context, req *anypb.Any) (*anypb.Any, error)
	// invoke runs the handler; nil where there is none.
	invoke func(ctx context.Context, s *Server, a *attempt) (*anypb.Any, error)
	err    error // why the declaration is wrong
}

func (k Kind[Req, Resp, M]) register() *kind {
	r := &kind{
		name:        k.Name,
		concurrency: k.Concurrency,
		timeout:     k.AttemptTimeout,
		grace:       cmp.Or(k.TimeoutGrace, defaultTimeoutGrace),
		retry:       k.Retry,
		atMostOnce:  k.AtMostOnce,
		crashLimit:  k.CrashLimit,
		retention:   max(0, k.Retention),
		lease:       k.Lease,
		typed:       reflect.TypeFor[Kind[Req, Resp, M]](),
	}
	if k.Retention == 0 {
		r.retention = defaultRetention
	}
	r.types, r.err = typesOf[Req, Resp, M]()
	if r.err == nil && !k.Unchecked {
		r.err = r.types.declared().Verify(rpcinfo.FullName(cmp.Or(k.Method, k.Name)))
	}
	r.err = errors.Join(r.err, k.check())
	r.accept = func(ctx context.Context, packed *anypb.Any) (*anypb.Any, error) {
		req, err := unpack[Req](packed)
		if err != nil {
			return nil, err
		}
		if k.Validate != nil {
			if err := k.Validate(ctx, req); err != nil {
				return nil, err
			}
		}
		// A copy, encoded anew: a caller that repeats a start may encode the same
		// request in another order.
		return pack(req)
	}
	return r
}

func (k Kind[Req, Resp, M]) check() error {
	var errs []error
	if !kindName.MatchString(k.Name) {
		errs = append(errs, fmt.Errorf("Kind.Name %q does not match %s", k.Name, kindName))
	}
	if k.Concurrency < 0 {
		errs = append(errs, fmt.Errorf("Kind.Concurrency is negative (%d)", k.Concurrency))
	}
	if k.AttemptTimeout < 0 {
		errs = append(errs, fmt.Errorf("Kind.AttemptTimeout is negative (%s)", k.AttemptTimeout))
	}
	if k.CrashLimit < 0 {
		errs = append(errs, fmt.Errorf("Kind.CrashLimit is negative (%d)", k.CrashLimit))
	}
	if k.Lease < 0 {
		errs = append(errs, fmt.Errorf("Kind.Lease is negative (%s)", k.Lease))
	}
	errs = append(errs, k.Retry.check())
	return errors.Join(errs...)
}
