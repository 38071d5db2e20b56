package simulation

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/go-lro/lro/internal/oracle"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
)

// feed is a subscription to the changes of a store. It is no part of the history: the
// subscriber is no actor, and disturbs the order of those as little as it can.
type feed struct {
	Lived    int // the process that it is in
	From, To time.Duration
	Changes  []change
}

// change is what a subscriber was given.
type change struct {
	oracle.View
	At       time.Duration
	Revision int64
	Deleted  bool `json:",omitempty"`
}

// subscriber reads the changes of an engine for as long as its process lives.
type subscriber struct {
	w       *world
	lived   int
	reading sync.WaitGroup

	mu    sync.Mutex
	feeds []*feed // the last one is under way
	over  bool
}

// subscribe subscribes in half of the programs: an engine does less where nobody does.
func (w *world) subscribe(ctx context.Context, srv *server.Server, lived int) *subscriber {
	s := &subscriber{w: w, lived: lived}
	w.mu.Lock()
	w.subscribers = append(w.subscribers, s)
	w.mu.Unlock()
	if random(w.program.seed, streamFeed, 0).IntN(2) == 0 {
		return s
	}
	inspect := srv.Inspect()
	changes, err := inspect.Subscribe(ctx)
	if errors.Is(err, errors.ErrUnsupported) {
		return s
	}
	s.reading.Go(func() {
		for ; err == nil; changes, err = inspect.Subscribe(ctx) {
			s.begin()
			for c, end := range changes {
				if err = end; err == nil {
					s.note(inspect, c)
				}
			}
			if !s.ended() || !errors.Is(err, server.ErrLagged) {
				break
			}
		}
		if !errors.Is(err, engine.ErrClosed) && ctx.Err() == nil {
			w.complain("a subscription ended with %v", err)
		}
	})
	return s
}

// begin notes that what happens from now on is to be heard of.
func (s *subscriber) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.feeds = append(s.feeds, &feed{Lived: s.lived, From: s.w.history.now()})
	}
}

func (s *subscriber) note(inspect server.Inspector, c server.Change) {
	v := &oracle.View{Name: c.Record.Name}
	if !c.Deleted { // a deleted one may have its name alone
		var err error
		if v, err = s.w.history.view(inspect.View(c.Record)); err != nil {
			s.w.complain("a subscriber was given %v: %v", c.Record, err)
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		f := s.feeds[len(s.feeds)-1]
		f.Changes = append(f.Changes, change{View: *v, At: s.w.history.now(), Revision: c.Record.Revision, Deleted: c.Deleted})
	}
}

// ended notes the end of a subscription. It reports whether another one may follow.
func (s *subscriber) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	s.feeds[len(s.feeds)-1].To = s.w.history.now()
	return true
}

// stop notes that the process does not answer any more.
func (s *subscriber) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.over = true
	if n := len(s.feeds); n > 0 && s.feeds[n-1].To == 0 {
		s.feeds[n-1].To = s.w.history.now()
	}
}

// feeds: a subscriber is given the changes of each operation in their order, and soon
// all that callers are shown.
func (c *checker) feeds() {
	for _, f := range c.r.Feeds {
		of := make(map[string][]change)
		for _, x := range f.Changes {
			of[x.Name] = append(of[x.Name], x)
		}
		for name, changes := range of {
			c.orderly(name, changes)
		}
		for name, facts := range c.of {
			c.delivered(f, name, facts, of[name])
		}
	}
}

// orderly: a change is followed by newer ones, an end by the operation's removal alone,
// and that by nothing.
func (c *checker) orderly(name string, changes []change) {
	for i, b := range changes[1:] {
		a := changes[i]
		switch {
		case a.Deleted:
			c.complain("a subscriber heard of %s after it was deleted: %+v", name, b)
		case !b.Deleted && b.Revision < a.Revision:
			c.complain("a subscriber heard of %s: %+v, and then of an older state: %+v", name, a, b)
		case !b.Deleted && a.Done() && a.View != b.View:
			c.complain("a subscriber heard of the end of %s: %+v, and then of another state: %+v", name, a, b)
		}
	}
}

// feedSlack is how much sooner than the end of a subscription something must have been
// shown that it has to have by then, where several processes share a store.
const feedSlack = 3 * time.Second

// delivered: what a call has shown of an operation that was started after the
// subscription, a subscriber has heard of soon after, or of something newer.
func (c *checker) delivered(f *feed, name string, of *facts, changes []change) {
	if len(of.started) == 0 || of.started[0].From < f.From || !c.oneStart(name) || c.r.Shared && c.mayBeUntold(name, of) {
		return
	}
	// must reports whether the feed must have what a call has shown, and by when.
	must := func(e *oracle.Event) (by time.Duration, is bool) {
		if c.r.Shared {
			return f.To, e.To+feedSlack <= f.To
		}
		by = e.To + c.slack()
		return by, e.Lived == f.Lived && by <= f.To
	}
	heard := func(by time.Duration, of func(change) bool) bool {
		c.compared++
		return slices.ContainsFunc(changes, func(x change) bool { return x.At <= by && (x.Deleted || of(x)) })
	}
	for _, s := range of.seen {
		if by, is := must(s.Event); is && !heard(by, func(x change) bool { return !c.older(x.View, s.View) }) {
			c.complain("a subscriber did not hear of %s what was shown at %v: %+v; it has %+v", name, s.To, s.View, changes)
			return
		}
	}
	for _, d := range of.deletes {
		if by, is := must(d); is && d.Out == oracle.OK && !heard(by, func(change) bool { return false }) {
			c.complain("a subscriber did not hear that %s was deleted at %v; it has %+v", name, d.To, changes)
		}
	}
}

// mayBeUntold reports whether another process may not have made known what became of an
// operation: because it died, or the machine was too busy for all of them, or because
// the caller of a transaction did not call Committed. And without LISTEN, subscribers do
// not hear of what others have ended and deleted.
func (c *checker) mayBeUntold(name string, of *facts) bool {
	if len(of.deletes) > 0 || c.expires(of) {
		return true
	}
	died := make(map[int]bool)
	for _, e := range c.r.Events {
		if e.Do == oracle.Die {
			died[e.Lived] = true
		}
	}
	return slices.ContainsFunc(c.r.Events, func(e *oracle.Event) bool {
		if e.Name != name && (e.Seen == nil || e.Seen.Name != name) || e.Do == oracle.Get || e.Do == oracle.Wait {
			return false
		}
		return died[0] || died[e.Lived] || e.Row != "" && e.Out == oracle.Unknown && c.rows[e.Row] > 0
	})
}

// older reports whether a shows less than b of what only grows. Where several processes
// share a store, that is less: a claim whose answer was lost does not count, and a
// report that was not stored is gone.
func (c *checker) older(a, b oracle.View) bool {
	if b.Cancel && !a.Cancel || b.Done() && !a.Done() {
		return true
	}
	return !c.r.Shared && (a.Attempt < b.Attempt || a.Attempt == b.Attempt && place(a.Text) < place(b.Text))
}
