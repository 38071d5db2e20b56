package lro

import "sync"

// core is the part of an [Operation] that does not depend on its types.
type core struct {
	*origin
	name      string
	self      Handle     // the operation with its types
	durations *durations // of its method; nil for the plain schedule

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

// learnLocked makes v the known state, and wakes the callers that watch if it differs
// from the one before. It keeps a done state, since an answer may be overtaken on its
// way.
func (c *core) learnLocked(v view) {
	if c.view.done {
		return
	}
	c.recordStateLocked(v)
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

// recordAnswer records the answer of a call that the wait did not make: a single poll,
// or one that returned after its wait had ended. It counts like a call of the wait.
func (c *core) recordAnswer(a answer) {
	obs := observation{call: calledGet, hint: a.hint, done: a.view.done}
	obs.decodes = obs.done && c.self.decodes(a.view)
	c.mu.Lock()
	if c.wait.lane != nil && !c.wait.reachable() {
		// Its goroutines cannot be woken from here. Its next poll finds this state.
		c.learnLocked(a.view)
		c.mu.Unlock()
		return
	}
	c.wait.calls++
	e := c.decideLocked(obs, a, nil)
	c.mu.Unlock()
	e.notify()
}
