package sqlite

import (
	"context"
	"iter"

	"github.com/go-lro/lro/server/engine"
)

var _ engine.Subscriber = (*Engine)(nil)

// Subscribe implements [engine.Subscriber]. Changes gather from the call on,
// also before the iterator is used; a subscriber is too slow when it has
// changes of more than 10,000 operations to read. It ends with
// [engine.ErrClosed] when the engine closes.
func (e *Engine) Subscribe(ctx context.Context) iter.Seq2[engine.Change, error] {
	return e.feed.Subscribe(ctx)
}

// notify sends a change to the subscribers. before is the state that was visible
// when the change was made, nil for none. The caller holds Engine.mu.
func (e *Engine) notify(before, r *row) {
	if !e.feed.Used() {
		return
	}
	var c engine.Change
	switch {
	case before != nil && before.hidden():
		return
	case r == nil:
		c = engine.Change{Record: before.rec, Deleted: true}
	case r.hidden():
		c = engine.Change{Record: r.rec, Deleted: true}
	case before != nil && before.rec.Revision == r.rec.Revision:
		return // nothing that can be seen, such as a checkpoint
	default:
		c = engine.Change{Record: r.rec}
	}
	e.feed.Send(c)
}
