package simulation

import (
	"context"
	"sync"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro/internal/oracle"
	"github.com/go-lro/lro/lropb"
)

// Faults of the network, as they are counted.
const (
	netLost      = "request lost"
	netReplyLost = "reply lost"
	netTwice     = "request twice"
	netHangs     = "half-open connection"
	netCut       = "partition"
)

// link is a caller's connection to whichever process serves. It is an
// lro.Service and a client of lro.v1.Starter.
type link struct {
	w      *world
	caller int
	steady bool // suffers no faults
	pinned int  // with steady: the process that its calls reach, from 1, while it is there; 0 for any

	mu    sync.Mutex
	calls int
	cutTo time.Duration // partitioned until then
}

// fate is what becomes of one call.
type fate struct {
	there, back     time.Duration
	lost, replyLost bool
	twice           time.Duration // after which the request comes again; 0 for never
	hangs           bool
	server          int // which of the process's
}

func (l *link) fate() fate {
	l.mu.Lock()
	l.calls++
	r := random(l.w.program.seed, streamNet, l.caller<<16|l.calls)
	l.mu.Unlock()
	if l.pinned > 0 {
		return fate{there: time.Millisecond, back: time.Millisecond, server: l.pinned - 1}
	}
	if l.steady || l.w.calm.Load() {
		return fate{there: time.Millisecond, back: time.Millisecond, server: r.IntN(8)}
	}
	n := l.w.program.net
	latency := func() time.Duration { return time.Duration(r.Float64() * r.Float64() * float64(n.latency)) }
	f := fate{there: latency(), back: latency(), server: r.IntN(8)}
	f.lost, f.replyLost, f.hangs = r.Float64() < n.lost, r.Float64() < n.replyLost, r.Float64() < n.hangs
	if r.Float64() < n.twice {
		f.twice = time.Duration(1 + r.Int64N(int64(3*time.Second)))
	}
	return f
}

func (l *link) cut(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cutTo = max(l.cutTo, l.w.history.now()+d)
}

func (l *link) isCut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.history.now() < l.cutTo && !l.w.calm.Load()
}

// edge is when a call was at the server, and at which process.
type edge struct {
	from, to time.Duration
	lived    int
}

// hang is what a call does whose connection is half-open: the other side has
// gone without a word. A keepalive finds that out in the end.
func (l *link) hang(ctx context.Context) error {
	l.w.clock.sleep(ctx, l.w.program.pace.of(40*time.Second))
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	return status.Error(codes.Unavailable, "keepalive: no answer")
}

// carry brings a request to the server and its reply back. repeat is called with
// what begins when the request comes a second time; nil is for calls of which
// that makes no difference.
func carry[Req, Resp proto.Message](ctx context.Context, l *link, req Req, at *edge, repeat func() *oracle.Event,
	call func(*serve, context.Context, Req) (Resp, error),
) (resp Resp, err error) {
	f, w := l.fate(), l.w
	w.clock.sleep(ctx, f.there)
	switch {
	case ctx.Err() != nil:
		return resp, status.FromContextError(ctx.Err()).Err()
	case l.isCut():
		w.count(netCut)
		return resp, l.hang(ctx)
	case f.lost:
		w.count(netLost)
		if f.hangs {
			return resp, l.hang(ctx)
		}
		return resp, status.Error(codes.Unavailable, "connection reset")
	}
	p := w.fleet.process(f.server)
	if p == nil {
		return resp, status.Error(codes.Unavailable, "connection refused")
	}
	if f.twice > 0 && repeat != nil {
		w.count(netTwice)
		e := repeat()
		w.actors.Go(func() {
			w.clock.sleep(context.Background(), f.twice)
			if p := w.fleet.process(f.server); p != nil {
				_, _ = call(p.serve(f.server), context.Background(), proto.CloneOf(req))
			}
			w.history.done(e, oracle.Unknown)
		})
	}
	at.from, at.lived = w.history.now(), p.number
	type reply struct {
		resp Resp
		err  error
		at   time.Duration
	}
	served := make(chan reply, 1)
	// The server knows the deadline of the call, but has its own clock for it.
	serverCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	if deadline, ok := ctx.Deadline(); ok {
		serverCtx, cancel = context.WithDeadline(serverCtx, deadline)
	}
	w.actors.Go(func() {
		resp, err := call(p.serve(f.server), serverCtx, proto.CloneOf(req))
		served <- reply{resp, err, w.history.now()}
	})
	defer cancel()
	var r reply
	select {
	case r = <-served:
	case <-ctx.Done():
		return resp, status.FromContextError(ctx.Err()).Err()
	case <-p.dead:
	}
	// A reply that left the server before it died may still arrive.
	if !p.alive() {
		if f.hangs {
			return resp, l.hang(ctx)
		}
		return resp, status.Error(codes.Unavailable, "connection reset")
	}
	at.to = r.at
	w.clock.sleep(ctx, f.back)
	switch {
	case ctx.Err() != nil:
		return resp, status.FromContextError(ctx.Err()).Err()
	case l.isCut():
		w.count(netCut)
		return resp, l.hang(ctx)
	case f.hangs:
		w.count(netHangs)
		return resp, l.hang(ctx)
	case f.replyLost:
		w.count(netReplyLost)
		return resp, status.Error(codes.Unavailable, "connection reset")
	case r.err != nil:
		return resp, r.err
	}
	return proto.CloneOf(r.resp), nil
}

// outcome is what a caller knows after an error.
func outcome(err error) string {
	switch status.Code(err) {
	case codes.OK:
		return oracle.OK
	case codes.NotFound:
		return oracle.NotFound
	case codes.InvalidArgument:
		return oracle.Invalid
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return oracle.Unknown
	}
	return oracle.Wrong + err.Error()
}

func (l *link) note(e *oracle.Event, at edge, err error) {
	e.From, e.To, e.Lived = at.from, at.to, at.lived
	if e.From == 0 {
		e.From = l.w.history.now()
	}
	out := outcome(err)
	if e.Do == oracle.Delete && l.w.traits.DeleteNeedsEnd && status.Code(err) == codes.FailedPrecondition {
		out = oracle.NotEnded
	}
	l.w.history.done(e, out)
}

func (l *link) event(do, name string) oracle.Event {
	return oracle.Event{Key: l.w.slotOf(name), By: actorName(l.caller), Do: do, Name: name}
}

// see is for the calls that return one operation.
func (l *link) see(e oracle.Event, op *longrunningpb.Operation, at edge, err error, called *oracle.Event) error {
	if err == nil {
		v, viewErr := l.w.history.view(op)
		if viewErr != nil {
			l.w.complain("%s of %q returned %v: %v", e.Do, e.Name, op, viewErr)
		}
		called.Seen = v
	}
	l.note(called, at, err)
	return err
}

// GetOperation implements lro.Service.
func (l *link) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	var at edge
	e := l.event(oracle.Get, req.GetName())
	called := l.w.history.call(e)
	op, err := carry(ctx, l, req, &at, nil, func(s *serve, ctx context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
		return s.calls.GetOperation(ctx, req)
	})
	return op, l.see(e, op, at, err, called)
}

// WaitOperation is used by the future where it is there.
func (l *link) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
	var at edge
	e := l.event(oracle.Wait, req.GetName())
	e.For = req.GetTimeout().AsDuration()
	called := l.w.history.call(e)
	op, err := carry(ctx, l, req, &at, nil, func(s *serve, ctx context.Context, req *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
		return s.calls.WaitOperation(ctx, req)
	})
	return op, l.see(e, op, at, err, called)
}

// repeated makes the event of a call that comes a second time.
func (l *link) repeated(e oracle.Event) func() *oracle.Event {
	return func() *oracle.Event {
		e.By += ", again"
		return l.w.history.call(e)
	}
}

// CancelOperation implements the method of the same name.
func (l *link) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest, _ ...grpc.CallOption) (*emptypb.Empty, error) {
	var at edge
	e := l.event(oracle.Cancel, req.GetName())
	called := l.w.history.call(e)
	resp, err := carry(ctx, l, req, &at, l.repeated(e), func(s *serve, ctx context.Context, req *longrunningpb.CancelOperationRequest) (*emptypb.Empty, error) {
		return s.calls.CancelOperation(ctx, req)
	})
	l.note(called, at, err)
	return resp, err
}

// DeleteOperation implements the method of the same name.
func (l *link) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest, _ ...grpc.CallOption) (*emptypb.Empty, error) {
	var at edge
	e := l.event(oracle.Delete, req.GetName())
	called := l.w.history.call(e)
	resp, err := carry(ctx, l, req, &at, l.repeated(e), func(s *serve, ctx context.Context, req *longrunningpb.DeleteOperationRequest) (*emptypb.Empty, error) {
		return s.calls.DeleteOperation(ctx, req)
	})
	l.note(called, at, err)
	return resp, err
}

// list fetches one page of a walk.
func (l *link) list(ctx context.Context, walk int, req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
	var at edge
	called := l.w.history.call(oracle.Event{Key: -1, By: actorName(l.caller), Do: oracle.List, Name: req.GetName(), Arg: req.GetFilter(), Walk: walk})
	resp, err := carry(ctx, l, req, &at, nil, func(s *serve, ctx context.Context, req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
		return s.calls.ListOperations(ctx, req)
	})
	for _, op := range resp.GetOperations() {
		v, viewErr := l.w.history.view(op)
		if viewErr != nil {
			l.w.complain("a page has %v: %v", op, viewErr)
			continue
		}
		called.Page = append(called.Page, *v)
	}
	called.Last = err == nil && resp.GetNextPageToken() == ""
	l.note(called, at, err)
	return resp, err
}

// start starts an operation of a slot.
func (l *link) start(ctx context.Context, slot int, variant bool, req *lropb.StartOperationRequest) (*longrunningpb.Operation, error) {
	var at edge
	e := oracle.Event{Key: slot, By: actorName(l.caller), Do: oracle.Start, Variant: variant}
	called := l.w.history.call(e)
	again := l.repeated(e)
	if req.GetRequestId() == "" {
		again = nil // it would be another operation
	}
	op, err := carry(ctx, l, req, &at, again, func(s *serve, ctx context.Context, req *lropb.StartOperationRequest) (*longrunningpb.Operation, error) {
		return s.starter.StartOperation(ctx, req)
	})
	if err == nil {
		l.w.know(op.GetName(), slot)
	}
	return op, l.see(e, op, at, err, called)
}
