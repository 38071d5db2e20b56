package lro

import "sync"

// core is the part of an [Operation] that does not depend on its types.
type core struct {
	*origin
	name   string
	self   Handle     // the operation, with its types
	learnt *durations // of its method; nil for the plain schedule

	mu   sync.Mutex // never held across a call or a wait; taken before that of a scheduler or a group
	view view       // latest state
	wait wait
}

// known returns the latest state.
func (c *core) known() view {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.view
}

// learnLocked takes over a state and wakes those who watch if that is news. A
// done state stays as it is: an answer that was overtaken on its way changes
// nothing.
func (c *core) learnLocked(v view) {
	if c.view.done {
		return
	}
	c.teachLocked(v)
	if c.view.same(v) {
		c.view.at = v.at
		return
	}
	c.view = v
	for m := c.wait.members; m != nil; m = m.next {
		if m.by.watch && c.wait.reachable() {
			m.by.signal()
		}
	}
}

// heard takes over the answer to a call that the wait, if there is one, did not
// make: a single poll's, or one that came when its wait had ended. It counts as
// the wait's own.
func (c *core) heard(a answer) {
	obs := observation{call: calledGet, hint: a.hint, done: a.view.done}
	obs.decodes = obs.done && c.self.decodes(a.view)
	c.mu.Lock()
	if c.wait.lane != nil && !c.wait.reachable() {
		// Its goroutines cannot be woken from here; its next poll sees this.
		c.learnLocked(a.view)
		c.mu.Unlock()
		return
	}
	c.wait.calls++
	e := c.tookLocked(obs, a, nil)
	c.mu.Unlock()
	e.tell()
}
