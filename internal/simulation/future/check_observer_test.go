package future

import "slices"

// observed checks the order of the observer's events.
func (c *checker) observed() {
	open := make(map[int]event)  // waits and polls by their numbers
	polls := make(map[int][]int) // begun, by wait
	for _, e := range c.w.events {
		all := c.w.p.clients[e.client].observed == allHooks
		switch e.kind {
		case waitStart:
			open[e.order] = e
		case pollStart:
			open[e.order] = e
			if all {
				polls[e.span] = append(polls[e.span], e.order)
				if _, ok := open[e.span]; !ok || e.number != len(polls[e.span]) {
					c.complain(e.moment, "PollStart %d of %s, the %d. of its wait, which has begun: %t", e.number, e.name, len(polls[e.span]), ok)
				}
			}
		case pollEnd:
			if _, ok := open[e.poll]; !ok {
				c.complain(e.moment, "PollEnd of %s without its PollStart", e.name)
			}
			delete(open, e.poll)
		case waitEnd:
			if _, ok := open[e.span]; !ok {
				c.complain(e.moment, "WaitEnd of %s without its WaitStart", e.name)
			}
			delete(open, e.span)
			if n := len(polls[e.span]); n != e.polls {
				c.complain(e.moment, "WaitEnd of %s after %d polls, and %d were made", e.name, e.polls, n)
			}
			if slices.ContainsFunc(polls[e.span], func(p int) bool { _, ok := open[p]; return ok }) {
				c.complain(e.moment, "WaitEnd of %s before the PollEnd of its poll", e.name)
			}
		}
	}
	for _, e := range open {
		c.complain(e.moment, "%s: a wait or a poll began, and did not end", e.name)
	}
}
