package sqlite

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/go-lro/lro/server/engine"
)

var _ engine.Subscriber = (*Engine)(nil)

// maxBehind is the number of operations of which a subscriber may have changes
// to read. Further changes of the same operations take no more room.
const maxBehind = 10_000

// subscription is what one subscriber has yet to read. Its writers hold
// Engine.mu, so that changes come in their order.
type subscription struct {
	kick chan struct{} // something is there to read

	mu      sync.Mutex
	pending map[int64]engine.Change // the latest of each operation
	order   []int64
	err     error // ends the subscription
}

// Subscribe implements [engine.Subscriber]. Changes gather from the call on,
// also before the iterator is used; a subscriber is too slow when it has
// changes of more than 10,000 operations to read. It ends with
// [engine.ErrClosed] when the engine closes.
func (e *Engine) Subscribe(ctx context.Context) iter.Seq2[engine.Change, error] {
	s := &subscription{kick: make(chan struct{}, 1), pending: make(map[int64]engine.Change)}
	e.mu.Lock()
	if e.down != nil {
		s.err = e.down
	} else {
		e.subscriptions[s] = struct{}{}
	}
	e.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { e.unsubscribe(s, ctx.Err()) })
	return func(yield func(engine.Change, error) bool) {
		defer func() {
			stop()
			e.unsubscribe(s, errUsed)
		}()
		for {
			changes, err := s.take(ctx)
			for _, c := range changes {
				if !yield(c, nil) {
					return
				}
			}
			if err != nil {
				yield(engine.Change{}, fmt.Errorf("subscribe: %w", err))
				return
			}
		}
	}
}

var errUsed = fmt.Errorf("%w: the iterator was used before", engine.ErrInvalid)

func (e *Engine) unsubscribe(s *subscription, err error) {
	e.mu.Lock()
	delete(e.subscriptions, s)
	e.mu.Unlock()
	s.end(err)
}

// end ends the subscription, unless it has ended already.
func (s *subscription) end(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	kick(s.kick)
}

// take waits for changes or the end.
func (s *subscription) take(ctx context.Context) ([]engine.Change, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s.mu.Lock()
		if len(s.order) > 0 || s.err != nil {
			changes := make([]engine.Change, len(s.order))
			for i, seq := range s.order {
				changes[i] = s.pending[seq]
			}
			s.order = nil
			clear(s.pending)
			err := s.err
			s.mu.Unlock()
			return changes, err
		}
		s.mu.Unlock()
		select {
		case <-s.kick:
		case <-ctx.Done():
		}
	}
}

func (s *subscription) add(seq int64, c engine.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	if _, ok := s.pending[seq]; !ok {
		if len(s.order) == maxBehind {
			s.order, s.pending, s.err = nil, nil, engine.ErrLagged
			kick(s.kick)
			return
		}
		s.order = append(s.order, seq)
	}
	s.pending[seq] = c
	kick(s.kick)
}

// notify tells the subscribers of a change. before is the last state that was
// visible, nil for none. The caller holds Engine.mu.
func (e *Engine) notify(seq int64, before, r *row) {
	if len(e.subscriptions) == 0 {
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
	for s := range e.subscriptions {
		s.add(seq, c)
	}
}
