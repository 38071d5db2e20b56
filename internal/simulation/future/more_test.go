package future

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro"
)

// more adds starts, deletes, operations that join a group later, and a client that
// is given what another one has learned. Its random numbers are its own, so that
// the rest of a seed's program does not depend on it.
func (p *program) more(r *rand.Rand, span time.Duration) {
	for i := range p.steps {
		if p.steps[i].Do == doGroup && p.steps[i].After == 0 && oneIn(r, 2) {
			p.joinsLater(r, &p.steps[i], span)
		}
	}
	at := func(from time.Duration) time.Duration { return from + 1 + time.Duration(r.Float64()*float64(span)/2) }
	fault := func(on call, kinds ...faultKind) {
		f := generateFault(r, len(p.ops), span)
		f.Op, f.On, f.Kind = -1, on, pick(r, kinds...)
		f.For = max(f.For, span/20)
		if f.Kind == refuseHint {
			f.Arg = pick(r, time.Second, 3*time.Second, 20*time.Second)
		}
		p.add(step{Do: doFault, At: time.Duration(r.Float64() * float64(span) / 4), fault: f})
	}
	if oneIn(r, 4) {
		h := r.IntN(len(p.handles))
		p.add(step{Do: doDelete, Handles: []int{h}, At: at(p.handles[h].at)})
		if oneIn(r, 2) {
			fault(callDelete, refuse, refuseSlow, refuseHint, slow, hang)
		}
	}
	if oneIn(r, 4) {
		p.add(step{Do: doLearn, Handles: []int{0}, At: at(p.handles[0].at)})
	}
	for range r.IntN(3) {
		p.starts(r, span)
	}
	if len(p.handles) > 0 && p.handles[len(p.handles)-1].started && !oneIn(r, 3) {
		for range 1 + r.IntN(2) {
			fault(callStart, refuse, refuse, refuseSlow, refuseHint, permanent, nothing, slow, hang, replyLost, replyLost)
		}
	}
}

// joinsLater has one more operation added to a group while it is iterated.
func (p *program) joinsLater(r *rand.Rand, s *step, span time.Duration) {
	later := between(r, time.Millisecond, span/10)
	for i, h := range p.handles {
		known := slices.ContainsFunc(s.Handles, func(j int) bool { return p.handles[j].op == h.op && p.handles[j].client == h.client })
		if h.at < s.At+later && !known {
			s.Later, s.Adds = later, i
			return
		}
	}
}

// starts adds an operation that is started, and a caller that waits for it.
func (p *program) starts(r *rand.Rand, span time.Duration) {
	op := generateOp(r, span)
	op.start = 0
	p.ops = append(p.ops, op)
	h := len(p.handles)
	p.handles = append(p.handles, handleSpec{client: r.IntN(len(p.clients)), op: len(p.ops) - 1, started: true, named: oneIn(r, 2)})
	s := step{Do: doStart, Handles: []int{h}, At: time.Duration(r.Float64() * float64(span) / 4), ID: requestID(r.IntN(int(requestIDs)))}
	if oneIn(r, 3) {
		s.Deadline = between(r, span/100, span)
	}
	p.add(s)
	p.add(step{Do: pick(r, doWait, doProgress, doAwait), Handles: []int{h}, At: s.At + between(r, span/100, span)})
}

// crowd is a program of so many operations that the calls of their client reach
// their limit.
func crowd(seed uint64, r *rand.Rand) *program {
	p := &program{seed: seed}
	c := generateClient(r)
	c.longPolls, c.policy.NextPoll = 0, nil
	p.clients = []clientSpec{c}
	span := pick(r, 10*time.Second, time.Minute)
	for i := range 150 + r.IntN(250) {
		op := generateOp(r, span)
		op.start = 0
		p.ops = append(p.ops, op)
		p.handles = append(p.handles, handleSpec{op: i, named: true})
		p.add(step{Do: doWait, Handles: []int{i}, At: 1 + time.Duration(r.IntN(1000))})
	}
	f := fault{For: span, Op: -1, On: callGet, Every: pick(r, 1, 1, 2, 10), Kind: pick(r, slow, hang, deaf), Arg: between(r, 100*time.Millisecond, 10*time.Second)}
	p.add(step{Do: doFault, At: time.Duration(r.Float64() * float64(span) / 4), fault: f})
	p.end = 2 * span
	return p
}

func (w *world) addLater(ctx context.Context, v *visit, g *lro.Group[*operation]) {
	w.mu.Lock()
	op := w.handles[v.Adds]
	if v.over || op == nil || ctx.Err() != nil {
		w.mu.Unlock()
		return
	}
	v.added = w.nowLocked()
	v.Handles = append(slices.Clip(v.Handles), v.Adds)
	w.mu.Unlock()
	g.Add(op)
}

// start is what a doStart does.
func (w *world) start(ctx context.Context, v *visit) {
	i := v.Handles[0]
	h := w.p.handles[i]
	var opts []lro.StartOption
	switch v.ID {
	case givenID:
		opts = append(opts, lro.WithRequestID(v.given()))
	case noID:
		opts = append(opts, lro.WithoutRequestID())
	}
	op, err := h.method().Start(ctx, w.clients[h.client], func(ctx context.Context, id string, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
		return w.services[h.client].start(ctx, h.op, id, opts)
	}, opts...)
	if err != nil {
		v.end = endOf(nil, err)
		return
	}
	w.setHandle(i, op)
}

// given is the request ID that a start is given.
func (v *visit) given() string { return fmt.Sprintf("start %d", v.Index) }

// learn passes on what the first client has learned: to the last, and to a new one,
// which then knows the same.
func (w *world) learn(v *visit) {
	text := w.clients[0].Learned()
	if text == "" {
		return
	}
	fresh := lro.NewClient(w.services[0].offered())
	for _, c := range []*lro.Client{fresh, w.clients[len(w.clients)-1]} {
		if err := c.SetLearned(text); err != nil {
			w.complain("%v: SetLearned() = %v", v, err)
		}
	}
	if got := fresh.Learned(); got != text {
		w.complain("%v: a client that was given %s has learned %s", v, text, got)
	}
}

// starting checks a start: each of its calls, and how it ended.
func (c *checker) starting(v *visit) {
	r := c.handles[v.Handles[0]].rules
	due, row, lost, created := window{v.from.at, v.from.at}, row{}, false, 0
	var last *rpc
	var over bool // the last call has ended it
	for _, k := range c.w.calls {
		if k.what != callStart || k.by != v {
			continue
		}
		switch want := min(r.AttemptTimeout, v.ctxEndAfter(k.from.at)); {
		case over:
			c.complain(k.from, "%v calls again after %v: %v", v, last, k)
		case k.from.at < due.from-time.Microsecond || k.from.at > due.to+time.Microsecond:
			c.complain(k.from, "%v calls now, and the next call is due from %v to %v: %v", v, due.from, due.to, k)
		case k.limit != want:
			c.complain(k.from, "%v calls with a limit of %v, want %v: %v", v, k.limit, want, k)
		case v.ID == noID && k.id != "", v.ID == givenID && k.id != v.given(), v.ID == randomID && (k.id == "" || last != nil && k.id != last.id):
			c.complain(k.from, "%v calls with the request ID %q, and before %v", v, k.id, last)
		}
		if k.created && (created == 0 || v.ID == noID) {
			created++
		}
		if last = k; !k.failed {
			over = true
			continue
		}
		lost = lost || mayBeDone(k.code)
		w := weightOf(k.answer)
		switch {
		case w == final && k.final:
		case k.hint > 0:
			w = passing
		case k.code == codes.DeadlineExceeded:
			w = soft
		}
		if row.n == 0 || row.weight != w {
			row.weight, row.n, row.since = w, 0, k.to.at
		}
		row.n++
		tooMany := row.n > r.SoftErrors && (r.SoftErrors <= 0 || k.to.at-row.since >= r.SoftErrorTime)
		over = w == final || w == missing || w == soft && tooMany || v.ID == noID && lost
		due = r.spread(r.interval(k.to.at - v.from.at)).atLeast(min(k.hint, longestHint)).plus(k.to.at)
	}
	c.startEnds(v, last, over, lost)
	if created > 1 {
		c.complain(v.to, "%v has started %d operations", v, created)
	}
}

func (c *checker) startEnds(v *visit, last *rpc, over, lost bool) {
	switch {
	case last == nil:
		if v.from.at < v.ctxEnd {
			c.complain(v.to, "%v makes no call", v)
		}
	case !last.failed:
		if v.end.err != nil || v.to.at != last.to.at {
			c.complain(v.to, "%v: %v, after %v", v, v.end.err, last)
		}
	case v.end.err == nil:
		c.complain(v.to, "%v has succeeded, after %v", v, last)
	case v.end.lost != lost:
		c.complain(v.to, "%v says that it may have been done: %t, want %t: %v", v, v.end.lost, lost, last)
	case v.end.code != last.code:
		c.complain(v.to, "%v: %v, after %v", v, v.end.err, last)
	case over && last.to.at < v.ctxEnd:
		if v.end.ctx || v.to.at != last.to.at {
			c.complain(v.to, "%v: %v, after %v", v, v.end.err, last)
		}
	case !v.end.ctx || v.to.at != max(v.ctxEnd, last.to.at):
		c.complain(v.to, "%v: %v, and its ctx ended at %v", v, v.end.err, v.ctxEnd)
	}
}

// ctxEndAfter is how long before the deadline of its ctx a time is; never for none.
func (v *visit) ctxEndAfter(at time.Duration) time.Duration {
	if v.Deadline == 0 {
		return never
	}
	return v.At + v.Deadline - at
}

// mayBeDone reports whether a call that failed so may have done what it was to do.
func mayBeDone(code codes.Code) bool {
	return slices.Contains([]codes.Code{codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Internal, codes.Unknown, codes.DataLoss}, code)
}

// deleting checks a Delete: one call, whose answer it returns.
func (c *checker) deleting(v *visit) {
	s := c.handles[v.Handles[0]]
	calls := slices.DeleteFunc(slices.Clone(c.w.calls), func(k *rpc) bool { return k.what != callDelete || k.by != v })
	switch {
	case s.client.spec.offers == offersNothing:
		if len(calls) > 0 || v.end.code != codes.Unimplemented {
			c.complain(v.to, "%v: %v after %d calls, of a service without the method", v, v.end.err, len(calls))
		}
	case len(calls) != 1:
		c.complain(v.to, "%v makes %d calls", v, len(calls))
	default:
		if k := calls[0]; (v.end.err != nil) != k.failed || v.end.code != k.code || v.to.at != k.to.at {
			c.complain(v.to, "%v: %v, and its call was %v", v, v.end.err, k)
		} else if k.limit != s.rules.AttemptTimeout {
			c.complain(v.to, "%v calls with a limit of %v, want %v", v, k.limit, s.rules.AttemptTimeout)
		}
	}
}
