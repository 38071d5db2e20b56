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
	// maxCalls is how many there are at most; waits beyond are late. It keeps
	// the calls of many operations that were started together from taking memory
	// for all of them at once. WaitOperation does not count.
	maxCalls = 128
	// hangs is how long a call may take and count: a service that hangs must
	// not keep its other operations from being polled.
	hangs = 250 * time.Millisecond
)

// burst is how much unused time QPS may make up for, so that timers that fire
// late do not lower the rate.
const burst = 10 * time.Millisecond

// scheduler moves waits: those of one client that its callers wait for one by
// one, or those of a group. Its goroutine begins with the first wait and ends
// with the last.
type scheduler struct {
	client *Client // nil for a group's
	bubble string  // of its goroutine

	// Of a group.
	ctx      context.Context // of the iteration: once it has ended, no call is made
	inFlight int
	period   time.Duration // between two calls; 0 for no limit

	mu     sync.Mutex // taken after a core's
	lanes  []*lane
	fresh  []*core // waits that have not begun
	taken  int     // of fresh
	waits  int
	open   int           // calls
	longs  []*call       // WaitOperation calls that are open, the oldest first
	next   time.Duration // before which period allows no call
	turn   bool          // waits that begin have it, before calls that are due
	waking time.Duration // when the goroutine, asleep, wakes; 0 while it is awake
	full   bool          // it sleeps while calls are due, for lack of room
	wake   chan struct{} // nil without a goroutine
	exited chan struct{}
}

// enlist makes room for a wait of the client's, and has a goroutine to move it.
func (c *Client) enlist() *lane {
	b := bubble()
	c.schedulersMu.Lock()
	defer c.schedulersMu.Unlock()
	for _, s := range c.schedulers {
		if s.bubble == b {
			return s.enlist(c)
		}
	}
	s := &scheduler{client: c, bubble: b}
	c.schedulers = append(c.schedulers, s)
	return s.enlist(c)
}

func (s *scheduler) enlist(c *Client) *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits++
	if s.wake == nil {
		s.wake, s.exited = make(chan struct{}, 1), make(chan struct{})
		go s.run(s.wake, s.exited)
	}
	for _, l := range s.lanes {
		if l.client == c {
			l.waits++
			return l
		}
	}
	l := &lane{scheduler: s, client: c, waits: 1}
	s.lanes = append(s.lanes, l)
	return l
}

// begin has the scheduler decide about a new wait.
func (s *scheduler) begin(c *core) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = append(s.fresh, c)
	s.wakeLocked(0)
}

// wakeLocked wakes the goroutine if it sleeps beyond at.
func (s *scheduler) wakeLocked(at time.Duration) {
	if at < s.waking {
		s.waking = 0
		signal(s.wake)
	}
}

// run moves waits until there are none.
func (s *scheduler) run(wake <-chan struct{}, exited chan<- struct{}) {
	defer close(exited)
	timer := time.NewTimer(forever)
	defer timer.Stop()
	for {
		c, k, pause := s.step()
		switch {
		case k != nil:
			if k.core.open(k) {
				s.opened(k)
				go k.make()
			} else {
				s.unspent(k)
			}
		case c != nil:
			c.begin(s)
		case pause < 0:
			return
		default:
			timer.Reset(pause)
			select {
			case <-wake:
			case <-timer.C:
			}
		}
	}
}

// step returns what to do next: begin a wait, make a call, or pause; a negative
// pause when there are no more waits.
func (s *scheduler) step() (*core, *call, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waits == 0 && s.exitLocked() {
		return nil, nil, -1
	}
	s.waking, s.full, s.turn = 0, false, !s.turn
	if s.ctx != nil && s.ctx.Err() != nil {
		s.waking = forever
		return nil, nil, forever
	}
	if s.turn {
		if c := s.takeFresh(); c != nil {
			return c, nil, 0
		}
	}
	now := clock()
	k, at := s.pick(now)
	if k != nil {
		return nil, k, 0
	}
	if c := s.takeFresh(); c != nil {
		return c, nil, 0
	}
	s.waking = at
	return nil, nil, max(0, at-now)
}

// exitLocked ends the goroutine, unless a wait has come meanwhile.
func (s *scheduler) exitLocked() bool {
	if c := s.client; c != nil {
		s.mu.Unlock()
		c.schedulersMu.Lock()
		defer c.schedulersMu.Unlock()
		s.mu.Lock()
		if s.waits > 0 {
			return false
		}
		c.schedulers = slices.DeleteFunc(c.schedulers, func(o *scheduler) bool { return o == s })
	}
	s.wake, s.fresh, s.taken = nil, nil, 0
	return true
}

func (s *scheduler) takeFresh() *core {
	if s.taken == len(s.fresh) {
		s.fresh, s.taken = nil, 0
		return nil
	}
	c := s.fresh[s.taken]
	s.fresh[s.taken] = nil
	s.taken++
	return c
}

// pick takes the wait that has been due for longest out of its lane, with room
// for its call. If there is none, it returns when to look again.
func (s *scheduler) pick(now time.Duration) (*call, time.Duration) {
	s.lanes = slices.DeleteFunc(s.lanes, func(l *lane) bool { return l.waits == 0 && l.open == 0 })
	var best *lane
	at, reserved := forever, s.reserved()
	for _, l := range s.lanes {
		key := l.first()
		if key > now {
			at = min(at, key)
			continue
		}
		if room := s.room(l, now, reserved); room > now {
			at, s.full = min(at, room), true
			continue
		}
		if wait := l.client.rate.wait(now); wait > 0 {
			at = min(at, now+wait)
			continue
		}
		if best == nil || key < best.first() {
			best = l
		}
	}
	switch {
	case best == nil:
		if s.full && s.inFlight > 0 && s.open >= s.inFlight {
			s.giveWay()
		}
		return nil, at
	case s.next > now:
		return nil, s.next
	}
	s.next = max(s.next, now-burst) + s.period
	best.client.rate.spend(now)
	k := &call{core: best.heap.pop(), lane: best, begun: now}
	if s.inFlight > 0 || !k.core.wait.long {
		k.counts = true
		best.open++
		s.open++
	}
	if s.inFlight == 0 && k.counts {
		best.calls = append(best.calls, k)
	}
	return k, 0
}

// reserved is how many of a group's calls are kept for its clients: for each an
// equal share, or fewer where it has fewer operations.
func (s *scheduler) reserved() (n int) {
	for _, l := range s.lanes {
		n += s.share(l)
	}
	return n
}

func (s *scheduler) share(l *lane) int { return min(l.waits, max(1, s.inFlight/len(s.lanes))) }

// room returns when the lane may make a call; not later than now when it may at
// once, and forever when another has to return before.
func (s *scheduler) room(l *lane, now time.Duration, reserved int) time.Duration {
	if s.inFlight > 0 {
		if s.open < s.inFlight && l.open < max(1, s.inFlight-(reserved-s.share(l))) {
			return now
		}
		return forever
	}
	for len(l.calls) > 0 {
		k := l.calls[0]
		if !k.over && now < k.begun+hangs {
			break
		}
		if !k.over {
			s.discount(k)
		}
		l.calls[0] = nil
		l.calls = l.calls[1:]
	}
	if l.open < maxCalls || l.heap[0].wait.long {
		return now
	}
	return l.calls[0].begun + hangs
}

// discount makes a call count no longer as open.
func (s *scheduler) discount(k *call) {
	if k.counts {
		k.counts = false
		k.lane.open--
		s.open--
	}
}

// giveWay makes the oldest of the long polls that are open poll instead, if there
// is one.
func (s *scheduler) giveWay() bool {
	if len(s.longs) == 0 {
		return false
	}
	s.longs[0].cut.Store(true)
	s.longs[0].cancel()
	s.longs = s.longs[1:]
	return true
}

// giveWay makes all long polls of the client's callers poll instead.
func (c *Client) giveWay() {
	b := bubble()
	c.schedulersMu.Lock()
	defer c.schedulersMu.Unlock()
	for _, s := range c.schedulers {
		s.mu.Lock()
		for s.bubble == b && s.giveWay() {
		}
		s.mu.Unlock()
	}
}

// opened notes a call that is made.
func (s *scheduler) opened(k *call) {
	if !k.long {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.longs = append(s.longs, k)
}

// unspent takes back a call that was not made.
func (s *scheduler) unspent(k *call) {
	s.release(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next -= s.period
}

// release makes the room of a call that has returned free.
func (s *scheduler) release(k *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k.over = true
	s.discount(k)
	if k.long {
		s.longs = slices.DeleteFunc(s.longs, func(o *call) bool { return o == k })
	}
	if s.full {
		s.wakeLocked(0)
	}
}

// longPolls reports whether waits may use WaitOperation: in a group only while
// all of them fit its limits.
func (s *scheduler) longPolls() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inFlight == 0 || s.waits <= s.inFlight
}

// lastPollMargin is how long before a deadline last polls begin: early enough,
// within reason, for period.
func (s *scheduler) lastPollMargin(c *Client) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	each := min(s.period, maxLastPollMargin) // so that the product does not overflow
	return min(c.lastPollMargin()+time.Duration(s.waits)*each, maxLastPollMargin)
}

// limit sets the limits of a group's scheduler, for an iteration in the caller's
// bubble.
func (s *scheduler) limit(ctx context.Context, inFlight int, qps float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if inFlight <= 0 {
		inFlight = groupInFlight
	}
	if qps == 0 || math.IsNaN(qps) {
		qps = groupQPS
	}
	s.ctx, s.bubble, s.inFlight, s.period = ctx, bubble(), inFlight, 0
	if qps > 0 {
		s.period = time.Duration(min(float64(time.Second)/qps, float64(maxPolicyDuration)))
	}
}

// await waits for the goroutine of a scheduler without waits to end.
func (s *scheduler) await() {
	s.mu.Lock()
	exited := s.exited
	s.mu.Unlock()
	if exited != nil {
		<-exited
	}
}
