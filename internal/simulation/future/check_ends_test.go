package future

import "slices"

// outcomeOf is what a visit says that a handle ended with; empty for nothing.
func (v *visit) outcomeOf(handle int) string {
	if v.Do.many() {
		for _, y := range v.yields {
			if y.handle == handle {
				return y.end.outcome
			}
		}
		return ""
	}
	return v.end.outcome
}

// ends checks what callers got.
func (c *checker) ends() {
	for _, v := range c.w.visits {
		switch {
		case !v.to.known():
			continue
		case v.Do == doWaitAll:
			c.all(v)
		case v.Do == doWaitAny:
			c.any(v)
		case v.Do == doGroup:
			c.group(v)
		case v.Do == doStart:
			c.starting(v)
		case v.Do == doDelete:
			c.deleting(v)
		case v.Do != doCancel && v.Do != doLearn:
			c.single(v, v.Handles[0], v.end, v.to)
		}
		if v.Do == doProgress {
			c.progress(v)
		}
	}
}

// single checks how waiting for one operation ended.
func (c *checker) single(v *visit, handle int, e end, to moment) {
	s := c.handles[handle]
	switch {
	case e.outcome != "":
		if !s.done.known() || to.before(s.done) && to.at != s.done.at {
			c.complain(to, "%v: %v, which was not known", v, e)
		} else if e.outcome != s.outcome {
			c.complain(to, "%v: %v, and it ended as %s", v, e, s.outcome)
		}
		if late := max(s.done.at, v.fromOf(handle).at); to.at > late && !v.loose() && s.done.known() && v.Do != doPoll {
			c.complain(to, "%v ended at %v, and it was done at %v", v, to.at, late)
		}
		return
	case v.left || e.err == nil:
		if v.Do != doPoll && !v.left {
			c.complain(to, "%v ended with nothing", v)
		}
		return
	case v.Do == doPoll || v.loose():
		return
	}
	if s.done.known() && s.done.at < to.at {
		c.complain(to, "%v: %v, and it was done at %v", v, e, s.done.at)
	}
	if e.took != to.at-v.from.at && !v.Do.many() {
		c.complain(to, "%v waited for %v, and says %v", v, to.at-v.from.at, e.took)
	}
	if e.ctx {
		if to.at != v.ctxEnd && v.from.at < v.ctxEnd {
			c.complain(to, "%v: %v, and its ctx ended at %v", v, e, v.ctxEnd)
		}
		return
	}
	for _, f := range s.failures {
		if f.at == to.at && f.code == e.code && (f.of == nil || f.of == v) {
			return
		}
	}
	c.complain(to, "%v: %v, and no call failed so", v, e)
}

func (c *checker) progress(v *visit) {
	last := ""
	for i, y := range v.yields {
		final := y.done || y.end.err != nil
		if final != (i == len(v.yields)-1) && !v.left {
			c.complain(y.moment, "%v: state %d of %d is done: %v, %v", v, i, len(v.yields), y.done, y.end)
		}
		if i > 0 && y.state == last && y.end.err == nil {
			c.complain(y.moment, "%v shows a state twice: %s", v, y.state)
		}
		last = y.state
	}
	if len(v.yields) == 0 && !v.left {
		c.complain(v.to, "%v shows nothing", v)
	}
}

// all checks WaitAll.
func (c *checker) all(v *visit) {
	bad, pending, either := 0, 0, 0
	for _, h := range v.Handles {
		s := c.handles[h]
		switch {
		case !s.done.known() || s.done.at > v.to.at || s.failedFor(v):
			pending++
		case s.done.at == v.ctxEnd:
			either++
		case !succeeded(s.outcome):
			bad++
		}
	}
	switch {
	case v.end.err == nil && bad+pending > 0:
		c.complain(v.to, "%v is nil, and %d failed or are not done", v, bad+pending)
	case either > 0: // done as ctx ended
	case v.end.err != nil && bad+pending == 0:
		c.complain(v.to, "%v: %v, and all succeeded", v, v.end.err)
	case v.end.err != nil:
		errs, ok := v.end.err.(interface{ Unwrap() []error })
		if n := 0; ok {
			if n = len(errs.Unwrap()); n != bad+pending {
				c.complain(v.to, "%v has %d errors, want %d: %v", v, n, bad+pending, v.end.err)
			}
		}
	}
	c.inTime(v)
}

func succeeded(outcome string) bool { return len(outcome) > 9 && outcome[:9] == "succeeded" }

// inTime: the wait for several ends with the last of them, or with ctx.
func (c *checker) inTime(v *visit) {
	if v.left || v.Do == doGroup && v.After > 0 {
		return
	}
	last := v.from.at
	for _, h := range v.Handles {
		at := v.ctxEnd
		if s := c.handles[h]; s.done.known() {
			at = min(at, s.done.at)
		}
		for _, f := range c.handles[h].failures {
			if f.at >= v.fromOf(h).at && (f.of == nil || f.of == v) {
				at = min(at, f.at)
			}
		}
		last = max(last, at)
	}
	if v.to.at != last {
		c.complain(v.to, "%v ended now, and the last of its operations at %v", v, last)
	}
}

// failedFor reports whether waiting for it ended with an error for a visit.
func (s *handleState) failedFor(v *visit) bool {
	return slices.ContainsFunc(s.failures, func(f failure) bool {
		return f.at >= v.fromOf(s.i).at && f.at < s.done.at && (f.of == nil || f.of == v)
	})
}

// any checks WaitAny.
func (c *checker) any(v *visit) {
	first := never
	for _, h := range v.Handles {
		if s := c.handles[h]; s.done.known() && !s.failedFor(v) {
			first = min(first, max(v.from.at, s.done.at))
		}
	}
	switch {
	case v.end.err == nil && (len(v.yields) != 1 || v.yields[0].handle < 0):
		c.complain(v.to, "%v returned %v", v, v.yields)
	case v.end.err == nil:
		y := v.yields[0]
		c.single(v, y.handle, y.end, y.moment)
		if first != v.to.at {
			c.complain(v.to, "%v returned now, and the first was done at %v", v, first)
		}
	case first < v.to.at:
		c.complain(v.to, "%v: %v, and one was done at %v", v, v.end.err, first)
	case v.to.at > v.ctxEnd && v.ctxEnd > v.from.at:
		c.complain(v.to, "%v: %v, and its ctx ended at %v", v, v.end.err, v.ctxEnd)
	}
}

// group checks a loop over a group.
func (c *checker) group(v *visit) {
	seen := make(map[int]bool)
	for _, y := range v.yields {
		switch {
		case y.handle < 0 || seen[y.handle]:
			c.complain(y.moment, "%v yields %d, which is not its, or once more", v, y.handle)
			continue
		case y.end.err != nil && !y.end.ctx && y.end.code == 0, (y.end.err == nil) != (y.end.outcome != ""):
			c.complain(y.moment, "%v yields %v", v, y.end)
		}
		seen[y.handle] = true
		c.single(v, y.handle, y.end, y.moment)
	}
	if len(seen) != len(v.Handles) && !v.left {
		c.complain(v.to, "%v yields %d of %d", v, len(seen), len(v.Handles))
	}
	c.inTime(v)
}
