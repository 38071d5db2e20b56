package lro

// member is one operation in one group.
type member struct {
	core   *core
	group  *group
	index  int32   // in group.left, outside when it has ended; guarded by group.mu
	served bool    // the last poll before the iteration's deadline was made; guarded by core.mu
	linked bool    // waits; guarded by core.mu
	next   *member // of the same operation, in another group; guarded by core.mu
}

// join makes the group wait for the operation, in the iteration it.
func (m *member) join(it *iteration) {
	c, g := m.core, m.group
	c.mu.Lock()
	w := &c.wait
	switch {
	case !g.during(it):
		c.mu.Unlock()
	case c.view.done:
		c.mu.Unlock()
		g.hand(m, nil)
	case w.lane != nil && w.lane.scheduler.bubble != g.scheduler.bubble:
		c.mu.Unlock()
		g.hand(m, &ending{core: c, last: c.known(), err: errOtherBubble})
	default:
		m.next, m.linked, m.served = w.members, true, false
		w.members = m
		c.homeLocked()
		c.mu.Unlock()
	}
}

// leave ends the group's wait for the operation. It returns what it ended with:
// nil when the operation is done, else the state of the wait.
func (m *member) leave() *ending {
	c := m.core
	c.mu.Lock()
	at := &ending{core: c, last: c.view, polls: int(c.wait.polls)}
	if x := c.wait.extra; x != nil {
		at.pollErr = x.pollErr
	}
	var e *ending
	if m.linked {
		c.wait.drop(m)
		e = c.homeLocked()
	}
	c.mu.Unlock()
	e.tell()
	return at
}

func (w *wait) drop(m *member) {
	m.linked = false
	for p := &w.members; *p != nil; p = &(*p).next {
		if *p == m {
			*p = m.next
			break
		}
	}
	m.next = nil
}
