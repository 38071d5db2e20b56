package future

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
)

// visit is a caller's wait, or a call of its own.
type visit struct {
	step
	from, to moment
	ctxEnd   time.Duration // when its ctx ends; 0 for not before the program does
	end      end           // of what waits for one operation; of WaitAll and WaitAny, the error
	yields   []yield
	left     bool   // it left the loop
	over     bool   // the loop has ended
	added    moment // when one more was added to the group
	accepted bool   // of Cancel
}

func (v *visit) String() string {
	if v == nil {
		return "nothing"
	}
	return fmt.Sprintf("%v %v(%v)", v.Index, v.Do, v.Handles)
}

// yield is what a loop showed.
type yield struct {
	moment
	handle int // of a group
	done   bool
	state  string
	end    end
}

// end is how a wait ended.
type end struct {
	outcome string // when the operation is done
	err     error  // anything else
	ctx     bool   // which says that ctx ended
	code    codes.Code
	polls   int
	took    time.Duration
	lost    bool // of a start: it may have been done
}

func (e end) String() string {
	if e.err != nil {
		return e.err.Error()
	}
	return e.outcome
}

// endOf reads what Wait and the like return.
func endOf(r *wrapperspb.StringValue, err error) end {
	switch e := err.(type) {
	case nil:
		return end{outcome: "succeeded " + r.GetValue()}
	case *lro.OperationError:
		return end{outcome: fmt.Sprintf("failed %v %s", e.Code(), e.Message())}
	case *lro.ResultError:
		if e.Response == nil {
			return end{outcome: "no result"}
		}
		return end{outcome: fmt.Sprintf("cannot be read: %s %d", e.Response.GetTypeUrl(), len(e.Response.GetValue()))}
	case *lro.WaitError:
		ctx := errors.Is(e, context.DeadlineExceeded) || errors.Is(e, context.Canceled)
		return end{err: e, ctx: ctx, code: status.Code(e), polls: e.Polls, took: e.Elapsed}
	case *lro.StartError:
		ctx := errors.Is(e, context.DeadlineExceeded) || errors.Is(e, context.Canceled)
		return end{err: e, ctx: ctx, code: status.Code(e), lost: e.MayHaveStarted}
	}
	return end{err: err, code: status.Code(err)}
}

// act begins a step of a caller.
func (w *world) act(ctx context.Context, s step) {
	op := w.handleOf(s.Handles[0])
	if op == nil && s.Do != doStart {
		return // it was not started
	}
	v := &visit{step: s}
	var stop []func()
	ctx = context.WithValue(ctx, visitKey{}, v)
	if s.Deadline > 0 {
		c, cancel := context.WithTimeout(ctx, s.Deadline)
		ctx, stop = c, append(stop, cancel)
		v.ctxEnd = s.At + s.Deadline
	}
	if s.Leaves > 0 {
		c, cancel := context.WithCancelCause(ctx)
		timer := time.AfterFunc(s.Leaves, func() { cancel(errors.New("left")) })
		ctx, stop = c, append(stop, func() { timer.Stop(); cancel(nil) })
		v.ctxEnd = s.At + s.Leaves
	}
	if v.ctxEnd == 0 || v.ctxEnd > w.p.end {
		v.ctxEnd = w.p.end
	}
	w.mu.Lock()
	v.from = w.nowLocked()
	w.visits = append(w.visits, v)
	w.mu.Unlock()
	done := func() {
		v.to = w.now()
		for _, f := range stop {
			f()
		}
	}
	var opts []lro.WaitOption
	if s.Grace > 0 {
		opts = append(opts, lro.CancelOnEnd(s.Grace))
	}
	switch s.Do {
	case doAwait:
		ch := op.Await(ctx, opts...)
		go func() {
			out := <-ch
			v.end = endOf(out.Result, out.Err)
			done()
		}()
	case doOnDone:
		op.OnDone(ctx, func(out lro.Outcome[*wrapperspb.StringValue]) {
			v.end = endOf(out.Result, out.Err)
			done()
		}, opts...)
	default:
		go func() {
			defer done()
			w.block(ctx, v, op, opts)
		}()
	}
}

// block does what blocks its caller.
func (w *world) block(ctx context.Context, v *visit, op *operation, opts []lro.WaitOption) {
	var handles []*operation
	for _, h := range v.Handles {
		handles = append(handles, w.handleOf(h))
	}
	switch v.Do {
	case doWait:
		v.end = endOf(op.Wait(ctx, opts...))
	case doCancelAndWait:
		v.end = endOf(op.CancelAndWait(ctx))
	case doProgress:
		w.progress(ctx, v, op, opts)
	case doPoll:
		s, err := op.Poll(ctx)
		if err == nil && s.Done() {
			v.end = endOf(s.Result())
		} else if err != nil {
			v.end = endOf(nil, err)
		}
	case doCancel:
		var err error
		if v.accepted, err = op.Cancel(ctx); err != nil {
			v.end = endOf(nil, err)
		}
	case doDelete:
		v.end = endOf(nil, op.Delete(ctx))
	case doStart:
		w.start(ctx, v)
	case doLearn:
		w.learn(v)
	case doWaitAll:
		v.end.err = lro.WaitAll(ctx, handles...)
	case doWaitAny:
		first, err := lro.WaitAny(ctx, handles...)
		v.end.err = err
		if err == nil {
			w.yielded(v, first, nil)
		}
	case doGroup:
		w.group(ctx, v, handles)
	}
}

func (w *world) group(ctx context.Context, v *visit, handles []*operation) {
	g := lro.GroupOf(handles...)
	g.InFlight, g.QPS = v.InFlight, v.QPS
	if v.Later > 0 {
		timer := time.AfterFunc(v.Later, func() { w.addLater(ctx, v, g) })
		defer timer.Stop()
	}
	for again := true; again; {
		again, v.left = false, false
		for op, err := range g.Completed(ctx) {
			w.yielded(v, op, err)
			if v.After > 0 && len(v.yields) == v.After && ctx.Err() == nil {
				v.left = true
				w.restarts(v)
				break
			}
		}
		w.mu.Lock()
		again = v.left || ctx.Err() == nil && g.Len() > 0 && v.added.at == time.Since(w.begin) // it came as the loop ended
		v.over = !again
		w.mu.Unlock()
	}
	if n := g.Len(); n > 0 && ctx.Err() == nil {
		w.complain("%v: %d are left in the group", v, n)
	}
}

func (w *world) progress(ctx context.Context, v *visit, op *operation, opts []lro.WaitOption) {
	for s, err := range op.Progress(ctx, opts...) {
		y := yield{moment: w.now(), done: s.Done(), state: s.Proto().String()}
		switch {
		case err != nil:
			y.end = endOf(nil, err)
			v.end = y.end
		case s.Done():
			y.end = endOf(s.Result())
			v.end = y.end
		}
		v.yields = append(v.yields, y)
		if len(v.yields) == v.After {
			v.left = true
			return
		}
	}
}

// yielded takes down an operation that a group showed.
func (w *world) yielded(v *visit, op *operation, err error) {
	y := yield{handle: -1, done: op.Done()}
	w.mu.Lock()
	y.moment = w.nowLocked()
	for _, h := range v.Handles {
		if w.handles[h] == op {
			y.handle = h
		}
	}
	w.mu.Unlock()
	if err != nil {
		y.end = endOf(nil, err)
	} else {
		y.end = endOf(op.Result())
	}
	v.yields = append(v.yields, y)
}

func (w *world) restarts(v *visit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = append(w.left, restart{w.nowLocked(), v})
}
