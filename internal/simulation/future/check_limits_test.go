package future

import (
	"slices"
	"time"
)

// burst is how much unused time QPS may make up for.
const burst = 10 * time.Millisecond

// Limits of the calls of a client.
const (
	mostCalls = 128                    // that begin in a moment, and again in the next
	aMoment   = 250 * time.Millisecond // after which a call does not count
)

// crowded is how late calls may be because a client has so many operations.
func (c *clientState) crowded() time.Duration {
	if c.handles <= mostCalls {
		return 0
	}
	return time.Duration(c.handles/mostCalls+1) * aMoment
}

// crowds checks that clients keep to theirs.
func (c *checker) crowds() {
	for i, client := range c.clients {
		if client.crowded() == 0 {
			continue
		}
		var open []*rpc
		for _, k := range c.w.calls {
			if k.client != i || k.what != callGet {
				continue
			}
			open = slices.DeleteFunc(open, func(o *rpc) bool {
				return o.from.at < k.from.at-aMoment || o.to.known() && o.to.before(k.from)
			})
			open = append(open, k)
			now := len(open) - 1 - slices.IndexFunc(open, func(o *rpc) bool { return o.from.at == k.from.at })
			if now >= mostCalls || len(open) > 2*mostCalls {
				c.complain(k.from, "client %d has %d calls open, and %d began at once: %v", i, len(open), now+1, k)
				return
			}
		}
	}
}

// limits checks that groups keep to theirs: a wait that only groups share is
// moved by the one whose values its calls carry.
func (c *checker) limits() {
	made := make(map[*visit][]*rpc)
	for _, k := range c.w.calls {
		if k.what != callCancel && k.by != nil && k.by.Do.many() && !k.by.loose() {
			made[k.by] = append(made[k.by], k)
		}
	}
	for v, calls := range made {
		inFlight, qps := 100, 500.0
		if v.Do == doGroup && v.InFlight > 0 {
			inFlight = v.InFlight
		}
		if v.Do == doGroup && v.QPS != 0 {
			qps = v.QPS
		}
		for i, k := range calls {
			open := 1
			for _, o := range calls[:i] {
				if !o.to.known() || o.to.order > k.from.order && !(o.gaveUp.known() && o.gaveUp.at <= k.from.at) {
					open++
				}
			}
			if open > inFlight {
				c.complain(k.from, "%v has %d calls open, of %d: %v", v, open, inFlight, k)
			}
			if qps < 0 || k.from.at >= v.to.at {
				continue
			}
			// The latest that came n calls before has them all after it.
			for n := 1; n <= min(i, 20); n++ {
				if least := time.Duration(float64(n) * float64(time.Second) / qps); k.from.at-calls[i-n].from.at < least-burst-time.Microsecond {
					c.complain(k.from, "%v begins %d calls in %v, at %v a second: %v", v, n+1, k.from.at-calls[i-n].from.at, qps, k)
				}
			}
		}
	}
}
