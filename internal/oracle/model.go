package oracle

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/go-lro/lro/server/engine"
)

// state is the model of a slot: of the operation that its request ID leads to,
// and what is left of those before it.
type state struct {
	name    string // of the operation; nameless while no caller knows it, empty for none
	variant bool   // was started with another request
	stage   engine.State
	attempt int
	claimed bool // the attempt's handler has begun
	lived   int  // the process of that handler, while it runs
	lost    bool // that process has ended the attempt, and the store does not know it yet
	cancel  bool
	crashes int
	result  string
	saved   string // the checkpoint
	text    string // the last report, of an external operation; the others' is not durable at once
	hidden  string // names of operations that were deleted while they ran, each with a comma
	deleted string // names of operations that were deleted, where that is kept, each with a comma
}

const nameless = "?"

func (s state) exists() bool { return s.name != "" }

// is reports whether the slot's operation has this name, or may have.
func (s state) is(name string) bool { return s.name == name || s.name == nameless }

func (s state) active() bool { return s.exists() && !s.stage.Terminal() }

func (s state) end(result string) state {
	s.result, s.lived, s.lost = result, 0, false
	switch {
	case strings.HasPrefix(result, "ok:"):
		s.stage = engine.Succeeded
	case result == "err:CANCELLED":
		s.stage = engine.Cancelled
	default:
		s.stage = engine.Failed
	}
	return s
}

func (s state) view() View {
	return View{Name: s.name, State: s.stage.String(), Attempt: s.attempt, Cancel: s.cancel, Result: s.result, Text: s.text}
}

// Rules are what the kind of an operation makes different.
type Rules struct {
	External   bool // no handler runs it
	Leased     bool // it is External, and ends when nothing is heard of it for a while
	AtMostOnce bool
	Expires    bool // it may be gone once it has ended
	CrashLimit int  // 0 is the default
	Timed      bool // its attempts have a deadline, after which the server may end it

	// What the engine makes different.
	DeleteNeedsEnd bool // an operation that has not ended cannot be deleted
	DeletesMeet    bool // to delete again may succeed
	Undelivered    bool // an attempt may be lost before its handler begins, as by a crash
	EndsFirst      bool // a process that loses its lease ends its attempts before the store does
}

func (r Rules) create(before state, variant bool) state {
	s := state{name: nameless, variant: variant, stage: engine.Pending, hidden: before.hidden, deleted: before.deleted}
	if r.External {
		s.stage, s.attempt, s.claimed = engine.Running, 1, true
	}
	return s
}

// silently returns what s may have become without a call: claimed, ended with
// its lease, expired.
func (r Rules) silently(s state) []state {
	all := []state{s}
	if s.exists() && s.stage == engine.Pending {
		c := s
		c.stage, c.attempt, c.claimed = engine.Running, s.attempt+1, false
		if !r.Undelivered {
			return append(all, c)
		}
		return append(all, r.silently(c)...)
	}
	if s.exists() && s.stage == engine.Running && !s.claimed && r.Undelivered {
		for _, lost := range r.died(s) { // the crash limit bounds how often
			all = append(all, r.silently(lost)...)
		}
	}
	if s.lost {
		for _, next := range append(r.died(s), r.released(s)) {
			all = append(all, r.silently(next)...)
		}
	}
	if s.exists() && s.stage == engine.Running && r.Leased {
		all = append(all, s.end("err:ABORTED"))
	}
	if s.exists() && s.stage == engine.Running && r.Timed {
		all = append(all, s.end("err:DEADLINE_EXCEEDED"))
	}
	if s.exists() && s.stage.Terminal() && r.Expires {
		all = append(all, state{hidden: s.hidden, deleted: s.deleted})
	}
	return all
}

// step returns the states in which s may be after e.
func (r Rules) step(s state, e *Event) (next []state) {
	for _, s := range r.silently(s) {
		next = append(next, r.after(s, e)...)
		if e.Out == Unknown {
			next = append(next, s) // it did not happen
		}
	}
	return next
}

func (r Rules) after(s state, e *Event) []state {
	if e.Out == Undone {
		// Until it was rolled back, it had succeeded.
		done := *e
		done.Out = Written
		return when(len(r.after(s, &done)) > 0, s)
	}
	switch e.Do {
	case Start:
		return r.started(s, e)
	case Get, Wait:
		return r.seen(s, e)
	case Cancel:
		return r.cancelled(s, e)
	case Delete:
		return r.deleted(s, e)
	case Claim:
		return r.claimed(s, e)
	case Save, Report, Heartbeat:
		return r.wrote(s, e)
	case Finish, Complete, Fail:
		return r.finished(s, e)
	case Die, Drain, Close:
		return r.stopped(s, e)
	}
	return nil
}

func (r Rules) started(s state, e *Event) []state {
	if s.exists() && s.variant != e.Variant {
		return when(e.Out == Invalid, s)
	}
	if !s.exists() {
		s = r.create(s, e.Variant)
	}
	if e.Out == Unknown || e.Out == Written {
		return []state{s}
	}
	return r.shows(s, e)
}

func (r Rules) seen(s state, e *Event) []state {
	switch {
	case e.Out == Unknown:
		return []state{s}
	case e.Out == NotFound:
		return when(s.name != e.Name, s)
	default:
		return r.shows(s, e)
	}
}

// shows binds the name of an operation that was not known, and compares.
func (r Rules) shows(s state, e *Event) []state {
	if e.Out != OK || e.Seen == nil || !s.exists() {
		return nil
	}
	if s.name == nameless {
		s.name = e.Seen.Name
	}
	got := *e.Seen
	got.End = 0
	if !r.External {
		got.Text = ""
	}
	return when(got == s.view(), s)
}

// answers compares what a call returned, if it returned anything.
func (r Rules) answers(s state, e *Event) []state {
	if e.Seen == nil {
		return []state{s}
	}
	return r.shows(s, e)
}

// done reports whether a call has done what it was for, or may have.
func (e *Event) done() bool { return e.Out == OK || e.Out == Written || e.Out == Unknown }

func (r Rules) cancelled(s state, e *Event) []state {
	if e.Out == NotFound {
		return when(s.name != e.Name, s)
	}
	if !s.is(e.Name) || !e.done() {
		return nil
	}
	s.name = e.Name
	if !s.stage.Terminal() {
		s.cancel = true
		if s.stage == engine.Pending {
			s = s.end("err:CANCELLED")
		} else if e.Seen != nil && e.Seen.Done() {
			// The answer is a state after the request. It may be one that another
			// call has ended meanwhile, which the next answers have to confirm.
			return when(e.Seen.Name == s.name && e.Seen.Cancel, s)
		}
	}
	return r.answers(s, e)
}

func (r Rules) deleted(s state, e *Event) []state {
	switch e.Out {
	case NotFound:
		return when(s.name != e.Name, s)
	case NotEnded:
		return when(s.is(e.Name) && s.active(), s)
	}
	if !e.done() {
		return nil
	}
	if !s.is(e.Name) {
		return when(strings.Contains(s.deleted, e.Name+","), s)
	}
	if s.active() && r.DeleteNeedsEnd {
		return nil
	}
	after := state{hidden: s.hidden, deleted: s.deleted}
	if s.active() {
		after.hidden += e.Name + ","
	}
	if r.DeletesMeet {
		after.deleted += e.Name + ","
	}
	return []state{after}
}

func (s state) hides(name string) bool { return strings.Contains(s.hidden, name+",") }

func (r Rules) claimed(s state, e *Event) []state {
	if s.hides(e.Name) {
		return []state{s}
	}
	if !s.is(e.Name) || s.stage != engine.Running || s.claimed || s.attempt != e.Attempt || s.saved != e.Arg {
		return nil
	}
	s.name, s.claimed, s.lived = e.Name, true, e.Lived
	return []state{s}
}

// owns reports whether the writer of e may write to the operation.
func (r Rules) owns(s state, e *Event) bool {
	return s.is(e.Name) && s.exists() && s.stage == engine.Running && s.claimed && !s.lost && (e.Attempt == 0 || e.Attempt == s.attempt)
}

func (r Rules) wrote(s state, e *Event) []state {
	switch {
	case s.hides(e.Name):
		return []state{s}
	case e.Out == Lost || e.Out == NotFound:
		return when(!r.owns(s, e), s)
	case !r.owns(s, e):
		return nil
	case e.Do == Save:
		s.saved = e.Arg
	case e.Do == Report:
		s.text = e.Arg
	}
	return []state{s}
}

func (r Rules) finished(s state, e *Event) []state {
	switch {
	case s.hides(e.Name) && e.Attempt > 0:
		return []state{s}
	case s.hides(e.Name) && (e.Out == Lost || e.Out == NotFound):
		return when(r.Leased, s) // it had ended before
	case s.hides(e.Name):
		s.hidden = strings.ReplaceAll(s.hidden, e.Name+",", "")
		return []state{s}
	case e.Out == Lost || e.Out == NotFound:
		return when(!r.owns(s, e), s)
	case e.Do == Complete && e.Attempt == 0 && s.name == e.Name && s.stage == engine.Succeeded:
		return r.answers(s, e) // to complete again changes nothing
	case e.Do == Fail && s.name == e.Name && (s.stage == engine.Failed || s.stage == engine.Cancelled):
		return r.answers(s, e)
	case !r.owns(s, e):
		return nil
	}
	switch {
	case e.Do == Complete:
		return r.answers(s.end("ok:"+e.Arg), e)
	case e.Do == Fail:
		return r.answers(s.end("err:UNKNOWN"), e)
	case e.Arg == "":
		return nil
	case e.Arg == Release:
		return []state{r.released(s)}
	case e.Arg != Retry:
		return []state{s.end(e.Arg)}
	case s.cancel || r.AtMostOnce:
		return []state{s.end("err:UNAVAILABLE")}
	}
	return []state{r.handedBack(s)}
}

func (r Rules) released(s state) state {
	switch {
	case s.cancel:
		return s.end("err:CANCELLED")
	case r.AtMostOnce:
		return s.end("err:ABORTED")
	}
	return r.handedBack(s)
}

func (r Rules) handedBack(s state) state {
	s.stage, s.claimed, s.lived, s.lost = engine.Pending, false, 0, false
	return s
}

// stopped is what becomes of an operation when a process dies, or stops in good
// order. That of another process stays.
func (r Rules) stopped(s state, e *Event) []state {
	switch {
	case s.lived != 0 && e.Lived != 0 && s.lived != e.Lived:
		return []state{s}
	case e.Do == Die && r.EndsFirst && e.Arg != Killed && s.claimed && s.stage == engine.Running && !r.External:
		ended := s
		ended.lost = true
		return append(r.died(s), ended)
	case e.Do == Die:
		return r.died(s)
	case e.Do == Drain:
		return append(r.closed(s), s) // another server of the process may have it
	}
	return r.closed(s)
}

// died is what becomes of an operation when the process of its attempt dies.
func (r Rules) died(s state) []state {
	if !s.exists() || s.stage != engine.Running || r.External {
		return []state{s}
	}
	s.crashes++
	switch {
	case s.cancel:
		return []state{s.end("err:CANCELLED")}
	case r.AtMostOnce, s.crashes >= cmp.Or(r.CrashLimit, engine.DefaultCrashLimit):
		return []state{s.end("err:ABORTED")}
	}
	return []state{r.handedBack(s)}
}

// closed is what becomes of it when the process is shut down: it is
// handed back, or counts as crashed when the store did not take that.
func (r Rules) closed(s state) []state {
	if !s.exists() || s.stage != engine.Running || r.External {
		return []state{s}
	}
	return append(r.died(s), r.released(s))
}

func when(ok bool, s state) []state {
	if !ok {
		return nil
	}
	return []state{s}
}

// Model returns the model of one slot: of what the starts with one request ID lead
// to, one operation after another, or of one operation. The input of each
// porcupine operation is an *[Event] of that slot, or one that is about all, and
// its output is not looked at.
func Model(r Rules) porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{state{}} },
		Step: func(s, in, _ any) []any {
			var next []any
			for _, s := range r.step(s.(state), in.(*Event)) {
				next = append(next, s)
			}
			return next
		},
		DescribeOperation: func(in, _ any) string { return in.(*Event).String() },
		DescribeState:     func(s any) string { return fmt.Sprintf("%+v", s) },
	}
	return m.ToModel()
}
