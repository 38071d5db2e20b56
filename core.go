package lro

import (
	"math/rand/v2"
	"sync"
	"time"
)

// core is the part of an [Operation] that does not depend on its types.
type core struct {
	client *Client
	policy *Policy
	method string // Method.Name
	name   string
	link   any // what Observer.Started returned

	mu    sync.Mutex    // never held across a call or a wait
	view  view          // latest state
	begun time.Duration // when its schedule began, by client.clock; 0 before
	poll  pollState
	loop  *loop       // nil while nobody waits for this operation alone
	entry *groupEntry // first of those by which groups wait for it; nil for none
}

// resultChecker tells whether a done answer holds the result that the
// operation's owner expects.
type resultChecker func(view) bool

// known returns the latest state.
func (c *core) known() view {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.view
}

// learnLocked takes over a state and reports whether it differs from the known
// one. What is done stays as it is: an answer that was overtaken on its way
// changes nothing.
func (c *core) learnLocked(v view) bool {
	if c.view.done {
		return false
	}
	if c.view.same(v) {
		c.view.at = v.at
		return false
	}
	c.view = v
	return true
}

// tell takes over a state that the loop did not ask for, and wakes those who
// wait by it if that is news.
func (c *core) tell(v view) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tellLocked(v)
}

func (c *core) tellLocked(v view) {
	if c.learnLocked(v) && c.loop != nil {
		c.loop.noticeLocked()
	}
}

// observeBegin says what is known when waiting begins. c.mu must be held.
func (c *core) observeBegin() observation {
	if c.begun == 0 {
		c.begun = c.client.clock()
	}
	age := time.Duration(-1)
	if at := c.view.at; at != 0 {
		age = max(0, time.Duration(time.Now().UnixNano()-at))
	}
	return observation{call: beginOfWait, age: age}
}

// elapsed is the time since the operation's schedule began: since it was
// wrapped, or since a resumed one was first waited for.
func (c *core) elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.client.clock() - c.begun
}

// decide takes what was observed through the policy, and lets the client learn
// from it.
func (c *core) decide(s pollState, o observation) (pollState, decision) {
	if s.confirm && o.call == calledGet && o.done {
		c.client.longPollTrust.Store(true)
	}
	o.trusted = c.client.longPollTrust.Load()
	o.jitter = 2*rand.Float64() - 1
	o.elapsed = c.elapsed()
	s, d := c.policy.next(s, o)
	if d.noLongPoll > 0 {
		c.client.pauseLongPoll(d.noLongPoll)
	}
	return s, d
}

// tellGroups ends the entries of a done operation. c.mu must not be held.
func (c *core) tellGroups() {
	var entries []*groupEntry
	c.mu.Lock()
	for e := c.entry; e != nil; e = e.next {
		entries = append(entries, e)
	}
	c.mu.Unlock()
	for _, e := range entries {
		e.group.finish(e)
	}
}
