package enginekit

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/go-lro/lro/server/engine"
)

// maxBehind is the number of operations of which a subscriber may have changes
// to read. Further changes of the same operations take no more room.
const maxBehind = 10_000

// Feed hands the changes that happen in this process to its subscribers. The
// zero value is ready to use, and all methods are safe for concurrent use. The
// caller sends the changes of one operation in their order.
type Feed struct {
	mu     sync.Mutex
	subs   map[*subscription]struct{}
	closed error
}

// subscription is what one subscriber has yet to read.
type subscription struct {
	kick chan struct{} // something is there to read

	mu      sync.Mutex
	pending map[string]engine.Change // the latest of each operation
	order   []string
	err     error // ends the subscription
}

// Subscribe does what [engine.Subscriber] says. Changes gather from the call on,
// also before the iterator is used; a subscriber is too slow when it has
// changes of more than 10,000 operations to read.
func (f *Feed) Subscribe(ctx context.Context) iter.Seq2[engine.Change, error] {
	s := &subscription{kick: make(chan struct{}, 1), pending: make(map[string]engine.Change)}
	f.mu.Lock()
	if f.closed != nil {
		s.err = f.closed
	} else {
		if f.subs == nil {
			f.subs = make(map[*subscription]struct{})
		}
		f.subs[s] = struct{}{}
	}
	f.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { f.unsubscribe(s, ctx.Err()) })
	return func(yield func(engine.Change, error) bool) {
		defer func() {
			stop()
			f.unsubscribe(s, errUsed)
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

// Used reports whether there is a subscriber.
func (f *Feed) Used() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.subs) > 0
}

// Send gives a change to all subscribers.
func (f *Feed) Send(c engine.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.subs {
		s.add(c)
	}
}

// End ends all subscriptions with an error, such as [engine.ErrLagged].
func (f *Feed) End(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.subs {
		s.end(err)
	}
	clear(f.subs)
}

// Close is End, also of subscriptions to come.
func (f *Feed) Close(err error) {
	f.mu.Lock()
	f.closed = err
	f.mu.Unlock()
	f.End(err)
}

func (f *Feed) unsubscribe(s *subscription, err error) {
	f.mu.Lock()
	delete(f.subs, s)
	f.mu.Unlock()
	s.end(err)
}

// end ends the subscription, unless it has ended already.
func (s *subscription) end(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	s.wake()
}

func (s *subscription) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
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
			for i, name := range s.order {
				changes[i] = s.pending[name]
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

func (s *subscription) add(c engine.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	name := c.Record.Name
	if _, ok := s.pending[name]; !ok {
		if len(s.order) == maxBehind {
			s.order, s.pending, s.err = nil, nil, engine.ErrLagged
			s.wake()
			return
		}
		s.order = append(s.order, name)
	}
	s.pending[name] = c
	s.wake()
}
