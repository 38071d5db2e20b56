package lro

import (
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

	mu   sync.Mutex // never held across a call or a wait
	view view       // latest state
	poll pollState
	loop *loop // nil while nobody waits for this operation alone

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

// learnLocked takes over a newer state and reports whether it differs. What is
// done stays as it is: an answer that was overtaken on its way changes nothing.
func (c *core) learnLocked(v view) bool {
	if c.view.done || c.view.at > v.at {
		return false
	}
	if c.view.same(v) {
		c.view.at = v.at
		return false
	}
	c.view = v
	return true
}

// observeBegin says what is known when waiting begins. c.mu must be held.
func (c *core) observeBegin() observation {
	age := time.Duration(-1)
	if at := c.view.at; at != 0 {
		age = max(0, time.Duration(time.Now().UnixNano()-at))
	}
	return observation{call: beginOfWait, age: age}
}
