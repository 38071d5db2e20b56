package simulation

import (
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
	cancel  bool
	crashes int
	result  string
	saved   string // the checkpoint
	text    string // the last report, of an external operation; the others' is not durable at once
	hidden  string // names of operations that were deleted while they ran, each with a comma
}

const nameless = "?"

func (s state) exists() bool { return s.name != "" }

// is reports whether the slot's operation has this name, or may have.
func (s state) is(name string) bool { return s.name == name || s.name == nameless }

func (s state) active() bool { return s.exists() && !s.stage.Terminal() }

func (s state) end(result string) state {
	s.result = result
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

func (s state) view() view {
	return view{Name: s.name, State: s.stage.String(), Attempt: s.attempt, Cancel: s.cancel, Result: s.result, Text: s.text}
}

// rules are what the kind of a slot makes different.
type rules struct{ kind string }

func (r rules) create(variant bool, hidden string) state {
	s := state{name: nameless, variant: variant, stage: engine.Pending, hidden: hidden}
	if r.kind == kindOutside {
		s.stage, s.attempt, s.claimed = engine.Running, 1, true
	}
	return s
}

// silently returns what s may have become without a call: claimed, ended with
// its lease, expired.
func (r rules) silently(s state) []state {
	all := []state{s}
	if s.exists() && s.stage == engine.Pending {
		c := s
		c.stage, c.attempt, c.claimed = engine.Running, s.attempt+1, false
		all = append(all, c)
	}
	if s.exists() && s.stage == engine.Running && r.kind == kindOutside {
		all = append(all, s.end("err:ABORTED"))
	}
	if s.exists() && s.stage.Terminal() && r.kind == kindBrief {
		all = append(all, state{hidden: s.hidden})
	}
	return all
}

// step returns the states in which s may be after e.
func (r rules) step(s state, e *event) (next []state) {
	for _, s := range r.silently(s) {
		next = append(next, r.after(s, e)...)
		if e.Out == outUnknown {
			next = append(next, s) // it did not happen
		}
	}
	return next
}

func (r rules) after(s state, e *event) []state {
	switch e.Do {
	case doStart:
		return r.started(s, e)
	case doGet, doWait:
		return r.seen(s, e)
	case doCancel:
		return r.cancelled(s, e)
	case doDelete:
		return r.deleted(s, e)
	case didClaim:
		return r.claimed(s, e)
	case didSave, doReport, doHeartbeat:
		return r.wrote(s, e)
	case didFinish, doComplete, doFail:
		return r.finished(s, e)
	case didDie:
		return r.died(s)
	case didClose:
		return r.closed(s)
	}
	return nil
}

func (r rules) started(s state, e *event) []state {
	if s.exists() && s.variant != e.Variant {
		return when(e.Out == outInvalid, s)
	}
	if !s.exists() {
		s = r.create(e.Variant, s.hidden)
	}
	if e.Out == outUnknown {
		return []state{s}
	}
	return r.shows(s, e)
}

func (r rules) seen(s state, e *event) []state {
	switch {
	case e.Out == outUnknown:
		return []state{s}
	case e.Out == outNotFound:
		return when(s.name != e.Name, s)
	default:
		return r.shows(s, e)
	}
}

// shows binds the name of an operation that was not known, and compares.
func (r rules) shows(s state, e *event) []state {
	if e.Out != outOK || e.Seen == nil || !s.exists() {
		return nil
	}
	if s.name == nameless {
		s.name = e.Seen.Name
	}
	got := *e.Seen
	got.End = 0
	if r.kind != kindOutside {
		got.Text = ""
	}
	return when(got == s.view(), s)
}

func (r rules) cancelled(s state, e *event) []state {
	if e.Out == outNotFound {
		return when(s.name != e.Name, s)
	}
	if !s.is(e.Name) || e.Out != outOK && e.Out != outUnknown {
		return nil
	}
	s.name = e.Name
	if !s.stage.Terminal() {
		s.cancel = true
		if s.stage == engine.Pending {
			s = s.end("err:CANCELLED")
		}
	}
	return []state{s}
}

func (r rules) deleted(s state, e *event) []state {
	if e.Out == outNotFound {
		return when(s.name != e.Name, s)
	}
	if !s.is(e.Name) || e.Out != outOK && e.Out != outUnknown {
		return nil
	}
	hidden := s.hidden
	if s.active() {
		hidden += e.Name + ","
	}
	return []state{{hidden: hidden}}
}

func (s state) hides(name string) bool { return strings.Contains(s.hidden, name+",") }

func (r rules) claimed(s state, e *event) []state {
	if s.hides(e.Name) {
		return []state{s}
	}
	if !s.is(e.Name) || s.stage != engine.Running || s.claimed || s.attempt != e.Attempt || s.saved != e.Arg {
		return nil
	}
	s.name, s.claimed = e.Name, true
	return []state{s}
}

// owns reports whether the writer of e may write to the operation.
func (r rules) owns(s state, e *event) bool {
	return s.is(e.Name) && s.exists() && s.stage == engine.Running && s.claimed && (e.Attempt == 0 || e.Attempt == s.attempt)
}

func (r rules) wrote(s state, e *event) []state {
	switch {
	case s.hides(e.Name):
		return []state{s}
	case e.Out == outLost || e.Out == outNotFound:
		return when(!r.owns(s, e), s)
	case !r.owns(s, e):
		return nil
	case e.Do == didSave:
		s.saved = e.Arg
	case e.Do == doReport:
		s.text = e.Arg
	}
	return []state{s}
}

func (r rules) finished(s state, e *event) []state {
	switch {
	case s.hides(e.Name):
		return []state{s}
	case e.Out == outLost || e.Out == outNotFound:
		return when(!r.owns(s, e), s)
	case e.Do == doComplete && s.name == e.Name && s.stage == engine.Succeeded:
		return []state{s} // to complete again changes nothing
	case e.Do == doFail && s.name == e.Name && (s.stage == engine.Failed || s.stage == engine.Cancelled):
		return []state{s}
	case !r.owns(s, e):
		return nil
	}
	switch {
	case e.Do == doComplete:
		return []state{s.end("ok:" + e.Arg)}
	case e.Do == doFail:
		return []state{s.end("err:UNKNOWN")}
	case e.Arg == "":
		return nil
	case e.Arg != "retry":
		return []state{s.end(e.Arg)}
	case s.cancel || r.kind == kindOnce:
		return []state{s.end("err:UNAVAILABLE")}
	}
	return []state{r.handedBack(s)}
}

func (r rules) handedBack(s state) state {
	s.stage, s.claimed = engine.Pending, false
	return s
}

// died is what becomes of an operation when the process of its attempt dies.
func (r rules) died(s state) []state {
	if !s.exists() || s.stage != engine.Running || r.kind == kindOutside {
		return []state{s}
	}
	s.crashes++
	switch {
	case s.cancel:
		return []state{s.end("err:CANCELLED")}
	case r.kind == kindOnce, s.crashes >= engine.DefaultCrashLimit:
		return []state{s.end("err:ABORTED")}
	}
	return []state{r.handedBack(s)}
}

// closed is what becomes of it when the process stops in good order: it is
// handed back, or counts as crashed when the store did not take that.
func (r rules) closed(s state) []state {
	if !s.exists() || s.stage != engine.Running || r.kind == kindOutside {
		return []state{s}
	}
	all := r.died(s)
	switch {
	case s.cancel:
		return append(all, s.end("err:CANCELLED"))
	case r.kind == kindOnce:
		return append(all, s.end("err:ABORTED"))
	}
	return append(all, r.handedBack(s))
}

func when(ok bool, s state) []state {
	if !ok {
		return nil
	}
	return []state{s}
}

// model returns the model of a slot of a kind.
func model(kind string) porcupine.Model {
	r := rules{kind}
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{state{}} },
		Step: func(s, in, _ any) []any {
			var next []any
			for _, s := range r.step(s.(state), in.(*event)) {
				next = append(next, s)
			}
			return next
		},
		DescribeOperation: func(in, _ any) string { return in.(*event).String() },
		DescribeState:     func(s any) string { return fmt.Sprintf("%+v", s) },
	}
	return m.ToModel()
}
