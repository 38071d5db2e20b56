package lro

import "context"

// join returns an observer that calls both, o first. Functions for ends are called
// in the opposite order, so that changes to the context nest. Either may be
// nil.
func (o *Observer) join(p *Observer) *Observer {
	if o == nil {
		return p
	}
	if p == nil {
		return o
	}
	return &Observer{
		Started: func(ctx context.Context, e Started) any {
			return links{o.started(ctx, e), p.started(ctx, e)}
		},
		WaitStart: func(ctx context.Context, e WaitStart) context.Context {
			both, _ := e.Link.(links)
			e.Link = both.first
			ctx = o.waitStart(ctx, e)
			e.Link = both.second
			return p.waitStart(ctx, e)
		},
		WaitEnd: func(ctx context.Context, e WaitEnd) {
			p.waitEnd(ctx, e)
			o.waitEnd(ctx, e)
		},
		PollStart: func(ctx context.Context, e PollStart) context.Context {
			return p.pollStart(o.pollStart(ctx, e), e)
		},
		PollEnd: func(ctx context.Context, e PollEnd) {
			p.pollEnd(ctx, e)
			o.pollEnd(ctx, e)
		},
	}
}

// links are what two observers' Started returned.
type links struct{ first, second any }

func (o *Observer) started(ctx context.Context, e Started) any {
	if o == nil || o.Started == nil {
		return nil
	}
	return o.Started(ctx, e)
}

func (o *Observer) waitStart(ctx context.Context, e WaitStart) context.Context {
	if o == nil || o.WaitStart == nil {
		return ctx
	}
	return o.WaitStart(ctx, e)
}

func (o *Observer) waitEnd(ctx context.Context, e WaitEnd) {
	if o != nil && o.WaitEnd != nil {
		o.WaitEnd(ctx, e)
	}
}

func (o *Observer) pollStart(ctx context.Context, e PollStart) context.Context {
	if o == nil || o.PollStart == nil {
		return ctx
	}
	return o.PollStart(ctx, e)
}

func (o *Observer) pollEnd(ctx context.Context, e PollEnd) {
	if o != nil && o.PollEnd != nil {
		o.PollEnd(ctx, e)
	}
}
