package postgres

import (
	"context"
	"iter"
	"sync"

	"github.com/go-lro/lro/server/engine"
)

var _ engine.Subscriber = (*Engine)(nil)

// Subscribe implements [engine.Subscriber]. Changes gather from the call on,
// also before the iterator is used; a subscriber is too slow when it has changes
// of more than 10,000 operations to read. It ends with [engine.ErrClosed] when the
// engine closes, and with [engine.ErrLagged] when changes of other processes may
// have been missed: after the connection that listens was lost, or a process has died.
//
// Of an operation that another process has deleted, a change has the name alone.
// Without LISTEN, changes of other processes are found by polling, and an
// operation that has ended and that another process deletes is in no change.
func (e *Engine) Subscribe(ctx context.Context) iter.Seq2[engine.Change, error] {
	if !e.news.listening() && e.open(ctx) == nil {
		// What is there now is no change.
		if err := e.polled.begin(ctx, e); err != nil {
			e.outages.warn("operations could not be read for a subscriber, whose changes begin with the next poll", err)
		}
	}
	changes := e.feed.Subscribe(ctx)
	kick(e.watchKick)
	return changes
}

// polled is what a poll for the change feed found last.
type polled struct {
	mu       sync.Mutex
	revision map[int64]int64 // of what lives, by number; nil before the first poll
	highest  int64           // number that was given to an operation
	polling  bool            // a poll is under way
	dropped  []int64         // since it began
}

// begin polls for the first time, if that is to come.
func (p *polled) begin(ctx context.Context, e *Engine) error {
	p.mu.Lock()
	begun := p.revision != nil
	p.mu.Unlock()
	if begun {
		return nil
	}
	_, err := p.poll(ctx, e)
	return err
}

// forget has the next poll be the first.
func (p *polled) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revision = nil
}

// drop has polls not find that an operation is gone, which is known.
func (p *polled) drop(seq int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.revision, seq)
	if p.polling {
		p.dropped = append(p.dropped, seq)
	}
}

// poll returns the operations that may have changed since the last poll, none for
// the first.
func (p *polled) poll(ctx context.Context, e *Engine) (changed []news, err error) {
	p.mu.Lock()
	highest := p.highest
	p.polling, p.dropped = true, nil
	p.mu.Unlock()
	now := make(map[int64]int64)
	var fresh []int64
	err = e.own(ctx, func(q querier) (err error) {
		clear(now)
		// Before what lives: what ends in between is found as gone.
		if fresh, err = seqs(ctx, q, e.sql.newest, highest, maxFresh); err != nil {
			return err
		}
		return each(ctx, q, e.sql.revisions, func(r rows) error {
			var seq, revision int64
			err := r.Scan(&seq, &revision)
			now[seq] = revision
			return err
		})
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.polling = false
	if err != nil {
		return nil, err
	}
	before := p.revision
	for _, seq := range p.dropped {
		delete(now, seq)
	}
	p.revision, p.dropped = now, nil
	for _, seq := range fresh {
		p.highest = max(p.highest, seq)
		if _, lives := now[seq]; !lives {
			changed = append(changed, news{seq: seq}) // has ended already
		}
	}
	if before == nil {
		return nil, nil
	}
	for seq, revision := range now {
		if old, ok := before[seq]; !ok || old != revision {
			changed = append(changed, news{seq: seq})
		}
	}
	for seq := range before {
		if _, ok := now[seq]; !ok {
			changed = append(changed, news{seq: seq, known: true})
		}
	}
	return changed, nil
}

// maxFresh bounds the operations that a poll finds although they have ended since
// the last one.
const maxFresh = 1000

// pollFeed hands subscribers what other processes have changed, while LISTEN does
// not deliver it.
func (e *Engine) pollFeed(ctx context.Context) error {
	if !e.feed.Used() || e.news.listening() {
		e.polled.forget()
		return nil
	}
	changed, err := e.polled.poll(ctx, e)
	if err != nil {
		return err
	}
	for _, n := range changed {
		e.fetch(n)
	}
	return nil
}
