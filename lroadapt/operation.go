package lroadapt

import (
	"context"
	"fmt"
	"iter"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/fetch"
)

// Client makes operations of a [Source]. It is safe for concurrent use if the
// functions of the source are.
type Client[Op, R any] struct {
	source Source[Op, R]
	client *lro.Client
	method lro.Method[*anypb.Any, *anypb.Any]
}

// NewClient makes a client of a source. It makes no call and does not fail:
// without Get or State every call fails with FAILED_PRECONDITION.
func NewClient[Op, R any](source Source[Op, R], opts ...lro.ClientOption) *Client[Op, R] {
	return &Client[Op, R]{
		source: source,
		client: lro.NewClient(service[Op, R]{source}, opts...),
		method: lro.Method[*anypb.Any, *anypb.Any]{Name: source.Method, Unchecked: true},
	}
}

// LRO returns the client of package lro below, which the operations are of.
func (c *Client[Op, R]) LRO() *lro.Client { return c.client }

// Wrap makes an operation of what the client's method returned. name is what Get
// takes; the value may have another, such as a bare ID. Wrap makes no call. It
// fails if the name is empty, and if started has no JSON form.
func (c *Client[Op, R]) Wrap(name string, started Op) (*Operation[Op, R], error) {
	p, err := service[Op, R]{c.source}.operation(name, started)
	if err != nil {
		return nil, fmt.Errorf("wrap operation %q: %w", name, err)
	}
	return c.typed(c.method.Wrap(c.client, p))
}

// Resume makes an operation of its name, or of the token of one, for instance in
// another process. It makes no call. It fails for a damaged token and for one of
// another method.
func (c *Client[Op, R]) Resume(nameOrToken string) (*Operation[Op, R], error) {
	return c.typed(c.method.Resume(c.client, nameOrToken))
}

func (c *Client[Op, R]) typed(op *lro.Operation[*anypb.Any, *anypb.Any], err error) (*Operation[Op, R], error) {
	if err != nil {
		return nil, err
	}
	return &Operation[Op, R]{op}, nil
}

// Operation is an [lro.Operation] whose metadata is an Op and whose result is an
// R. The methods that it does not have itself are those of the operation that it
// embeds: add that, the field Operation, to an [lro.Group]. [Decode] reads its values. It
// is safe for concurrent use.
type Operation[Op, R any] struct {
	*lro.Operation[*anypb.Any, *anypb.Any]
}

// Wait waits for the operation to end and returns its result; see
// [lro.Operation.Wait].
func (o *Operation[Op, R]) Wait(ctx context.Context, opts ...lro.WaitOption) (R, error) {
	return o.result(o.Operation.Wait(ctx, opts...))
}

// Result returns the result of an operation that is known to be done; see
// [lro.Operation.Result].
func (o *Operation[Op, R]) Result() (R, error) { return o.result(o.Operation.Result()) }

// CancelAndWait cancels the operation and waits for its end; see
// [lro.Operation.CancelAndWait].
func (o *Operation[Op, R]) CancelAndWait(ctx context.Context) (R, error) {
	return o.result(o.Operation.CancelAndWait(ctx))
}

func (o *Operation[Op, R]) result(a *anypb.Any, err error) (R, error) {
	if err != nil {
		var none R
		return none, err
	}
	r, err := Decode[R](a)
	if err != nil {
		return r, fmt.Errorf("result of operation %q: %w", o.Name(), err)
	}
	return r, nil
}

// Metadata returns the client's operation as the last poll brought it. It reports
// false if none did.
func (o *Operation[Op, R]) Metadata() (Op, bool) {
	a, ok := o.Operation.Metadata()
	if !ok {
		var none Op
		return none, false
	}
	op, err := Decode[Op](a)
	return op, err == nil
}

// Progress iterates over the states of the operation, the last of which is done;
// see [lro.Operation.Progress].
func (o *Operation[Op, R]) Progress(ctx context.Context, opts ...lro.WaitOption) iter.Seq2[Op, error] {
	return func(yield func(Op, error) bool) {
		for s, err := range o.Operation.Progress(ctx, opts...) {
			var op Op
			if a, ok := s.Metadata(); err == nil && ok {
				op, err = Decode[Op](a)
			}
			if !yield(op, err) {
				return
			}
		}
	}
}

// Resource waits for an operation and returns what it made or changed, which get
// fetches with the operation's result. Right after the end, a replica that lags
// may not know it yet: get is repeated for 10 s while it fails with NOT_FOUND or
// UNAVAILABLE, by gRPC or HTTP status. Every other error is returned, and so are
// those of [Operation.Wait].
func Resource[T, Op, R any](ctx context.Context, op *Operation[Op, R], get func(ctx context.Context, result R) (T, error), opts ...lro.WaitOption) (T, error) {
	result, err := op.Wait(ctx, opts...)
	if err != nil {
		var none T
		return none, err
	}
	return fetch.Resource(ctx, op.Name(), func(ctx context.Context) (T, error) { return get(ctx, result) })
}
