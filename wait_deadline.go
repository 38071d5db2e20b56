package lro

import "time"

// keyLocked is when the scheduler is to look at the wait: when its next call is
// due, or shortly before a caller's deadline.
func (c *core) keyLocked(now time.Duration) time.Duration {
	w := &c.wait
	key := forever
	if w.phase == pausing {
		key = w.due
	}
	if x := w.extra; w.phase == calling && x.call.long && w.watched() {
		key = min(key, c.overstaysAt(x.call))
	}
	before := func(deadline, margin time.Duration) {
		if at := deadline - maxLastPollMargin; at > now {
			key = min(key, at)
		} else {
			key = min(key, deadline-margin)
		}
	}
	for k := w.callers; k != nil; k = k.next {
		if k.deadline > 0 {
			before(k.deadline, c.client.lastPollMargin())
		}
	}
	for m := w.members; m != nil; m = m.next {
		if d := m.group.deadline; d > 0 && !m.served {
			before(d, m.group.scheduler.lastPollMargin(c.client))
		}
	}
	return key
}

// overstaysAt is when a WaitOperation that should show progress is given up: a
// service that ignores the timeout must not keep progress from those who watch.
func (c *core) overstaysAt(k *call) time.Duration {
	return k.begun + k.timeout + c.client.lastPollMargin()
}

// serveDeadlinesLocked reports whether a last poll is to be made now, before the
// deadline of a caller. One serves all callers whose time has come, and none is
// made where the state is younger than the margin, or the service wants no call.
func (c *core) serveDeadlinesLocked(now time.Duration) bool {
	w := &c.wait
	margin, wanted := c.client.lastPollMargin(), false
	for k := w.callers; k != nil; k = k.next {
		if k.deadline > 0 && k.deadline-margin <= now {
			k.deadline, wanted = 0, true
		}
	}
	for m := w.members; m != nil; m = m.next {
		if d := m.group.deadline; d > 0 && !m.served && d-m.group.scheduler.lastPollMargin(c.client) <= now {
			m.served, wanted = true, true
		}
	}
	young := c.view.at != 0 && time.Duration(time.Now().UnixNano()-c.view.at) < margin
	early := w.extra != nil && w.extra.notBefore > now
	return wanted && !young && !early
}
