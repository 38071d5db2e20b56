package lro

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// Limits of the calls that a client's waits have open at once.
const (
	// maxCalls is how many calls may be open; other waits are late. It bounds the
	// memory of the calls for many operations that were started together.
	// WaitOperation does not count.
	maxCalls = 128
	// hangs is how long a call counts at most: calls that hang must not keep other
	// operations from being polled. So twice as many may be open for a moment, and
	// more if calls take longer.
	hangs = 250 * time.Millisecond
)

// burst is how much time that QPS left unused calls may catch up on, so that timers
// that fire late do not lower the rate.
const burst = 10 * time.Millisecond

// scheduler moves waits: those of one client, or those of an iteration over a
// group. Its goroutine ends with the last wait of the client, or with the iteration.
type scheduler struct {
	client   *Client         // nil for a group
	ctx      context.Context // of the iteration: once it has ended, no call is made
	bubble   string          // of its goroutine
	inFlight int
	period   time.Duration // between two calls; 0 for no limit
	wake     chan struct{}
	exited   chan struct{}

	mu        sync.Mutex // taken after a core's
	lanes     []*lane
	deadlines agenda[*caller] // of which last polls are made
	waits     int
	next      time.Duration // when period allows the next call
	waking    time.Duration // when the goroutine, which sleeps, wakes; 0 while it is awake
	full      bool          // it sleeps although calls are due, because too many are open
	closed    bool          // the iteration has ended
}

func (s *scheduler) start() *scheduler {
	s.bubble, s.wake, s.exited = bubble(), make(chan struct{}, 1), make(chan struct{})
	go s.run()
	return s
}

// enlist adds a wait of the client, and returns its lane.
func (c *Client) enlist() *lane {
	b := bubble()
	c.schedulersMu.Lock()
	defer c.schedulersMu.Unlock()
	for _, s := range c.schedulers {
		if s.bubble == b {
			return s.enlist(c)
		}
	}
	s := &scheduler{client: c, inFlight: maxCalls}
	l := s.enlist(c)
	c.schedulers = append(c.schedulers, s.start())
	return l
}

// dismiss removes a scheduler if it has no waits, and reports whether it did.
func (c *Client) dismiss(s *scheduler) bool {
	c.schedulersMu.Lock()
	defer c.schedulersMu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waits == 0 {
		c.schedulers = slices.DeleteFunc(c.schedulers, func(o *scheduler) bool { return o == s })
	}
	return s.waits == 0
}

func (s *scheduler) enlist(c *Client) *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits++
	i := slices.IndexFunc(s.lanes, func(l *lane) bool { return l.client == c })
	if i < 0 {
		i = len(s.lanes)
		s.lanes = append(s.lanes, &lane{scheduler: s, client: c})
	}
	s.lanes[i].waits++
	return s.lanes[i]
}

// newGroupScheduler returns a scheduler with the limits of a group.
func newGroupScheduler(ctx context.Context, inFlight int, qps float64) *scheduler {
	if inFlight <= 0 {
		inFlight = groupInFlight
	}
	if qps == 0 || math.IsNaN(qps) {
		qps = groupQPS
	}
	s := &scheduler{ctx: ctx, inFlight: inFlight}
	if qps > 0 {
		s.period = time.Duration(min(float64(time.Second)/qps, float64(maxPolicyDuration)))
	}
	return s.start()
}

// close ends the scheduler of an iteration, which must have no waits left.
func (s *scheduler) close() {
	s.mu.Lock()
	s.closed = true
	s.wakeLocked(0)
	s.mu.Unlock()
	<-s.exited
}

// wakeLocked wakes the goroutine if it sleeps beyond at.
func (s *scheduler) wakeLocked(at time.Duration) {
	if at < s.waking {
		s.waking = 0
		signal(s.wake)
	}
}

// run moves waits until there are none.
func (s *scheduler) run() {
	defer close(s.exited)
	timer := time.NewTimer(forever)
	defer timer.Stop()
	for {
		c, k, pause := s.step()
		switch {
		case c != nil:
			c.visit(s)
		case k != nil:
			k.lastPolls()
		case pause < 0:
			if s.client == nil || s.client.dismiss(s) {
				return
			}
		default:
			timer.Reset(pause)
			select {
			case <-s.wake:
			case <-timer.C:
			}
		}
	}
}

// step returns what to do next: visit a wait, make the last polls of a caller, or
// pause; a negative pause at the end.
func (s *scheduler) step() (c *core, k *caller, pause time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waits == 0 && (s.closed || s.client != nil) {
		return nil, nil, -1
	}
	s.waking, s.full = 0, false
	now, at := clock(), forever
	if s.ctx == nil || s.ctx.Err() == nil {
		if k, at = s.pickDeadline(now); k != nil {
			return nil, k, 0
		}
		c, next := s.pick(now)
		if c != nil {
			return c, nil, 0
		}
		at = min(at, next)
	}
	s.waking = at
	return nil, nil, max(0, at-now)
}

// addDeadline makes the scheduler make last polls before the caller's deadline.
func (s *scheduler) addDeadline(k *caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := k.deadline - maxLastPollMargin
	s.deadlines.put(k, at)
	s.wakeLocked(at)
}

func (s *scheduler) dropDeadline(k *caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadlines.drop(k)
}

// pickDeadline removes and returns a caller whose last polls are due. If there is
// none, it returns when to check again.
func (s *scheduler) pickDeadline(now time.Duration) (*caller, time.Duration) {
	for {
		k, at := s.deadlines.first()
		if at > now {
			return nil, at
		}
		// A group needs a period for each poll. Bounded, so that the product does not
		// overflow.
		margin := min(k.lastPollMargin()+time.Duration(s.waits)*min(s.period, maxLastPollMargin), maxLastPollMargin)
		if k.deadline-margin <= now {
			s.deadlines.drop(k)
			return k, 0
		}
		s.deadlines.put(k, k.deadline-margin)
	}
}

// pick returns the wait to visit next: one that is new, or else the one that has
// been due longest of those that may make a call. If there is none, it returns when
// to check again.
func (s *scheduler) pick(now time.Duration) (best *core, at time.Duration) {
	s.lanes = slices.DeleteFunc(s.lanes, func(l *lane) bool { return l.waits == 0 && l.open == 0 })
	open, reserved := 0, 0
	for _, l := range s.lanes {
		if s.client != nil && now >= l.turned+hangs {
			l.open, l.turn, l.turned = 0, l.turn+1, now
		}
		open += l.open
		reserved += s.share(l)
	}
	at = forever
	for _, l := range s.lanes {
		c, key := l.agenda.first()
		switch {
		case key == dueNew:
			return c, 0
		case key > now:
			at = min(at, key)
			continue
		case open >= s.inFlight, l.open >= max(1, s.inFlight-(reserved-s.share(l))):
			s.full = true
			if s.client != nil {
				at = min(at, l.turned+hangs)
			}
			continue
		case key != dueLastPoll:
			if wait := l.client.rate.wait(now); wait > 0 {
				at = min(at, now+wait)
				continue
			}
		}
		if best == nil || key < best.wait.at {
			best = c
		}
	}
	switch {
	case best != nil && s.next > now:
		return nil, s.next
	case best == nil && s.full && s.client == nil && open >= s.inFlight:
		s.giveWay()
	}
	return best, at
}

// share returns how many of the calls are reserved for a lane: an equal part, or
// fewer if it has fewer operations.
func (s *scheduler) share(l *lane) int { return min(l.waits, max(1, s.inFlight/len(s.lanes))) }

// giveWay gives up a long poll of the group, the oldest of its client's, to poll
// instead.
func (s *scheduler) giveWay() {
	for _, l := range s.lanes {
		if l.client.longCalls.giveWay(1, func(k *call) bool { return k.lane == l }) > 0 {
			return
		}
	}
}

// longPolls reports whether waits may use WaitOperation: in a group, only while all
// of them fit its limits.
func (s *scheduler) longPolls() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.client != nil || s.waits <= s.inFlight
}
