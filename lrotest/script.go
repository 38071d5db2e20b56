package lrotest

import (
	"slices"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Script is what an operation of a [Server] plays: its steps in turn, of which
// the last stays for good. It is safe for concurrent use; calls that come at
// once are answered one after the other.
type Script struct {
	server *Server
	name   string
	number int // in the order of Server.Add

	// Guarded by server.mu.
	steps      []Step // at least one; each state has its metadata
	at         int    // the current one
	since      time.Time
	answers    int           // of the current one
	cancel     []Step        // what CancelOperation makes it play
	cancelling bool          // CancelOperation was accepted
	deleted    bool          // by DeleteOperation
	changed    chan struct{} // closed and replaced when a waiting call has to look again
}

// Name returns the name of the operation.
func (s *Script) Name() string { return s.name }

// Proto returns the operation in the state that a poll would find now, or in
// the last state if the current step answers with none. It uses up no step and
// records no call. Return it from a fake of the method that starts the
// operation.
func (s *Script) Proto() *longrunningpb.Operation {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.advanceLocked(time.Now())
	return s.stateLocked()
}

// Play replaces the rest of the script by these steps, which begin now, also
// for calls that are being held. Without steps the operation runs for ever.
func (s *Script) Play(steps ...Step) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.playLocked(steps)
}

// OnCancel sets the steps that replace the rest of the script when
// CancelOperation is first called before the operation is done. Without steps,
// a cancellation is accepted and has no effect. Unless OnCancel is called, the
// operation ends at once as [Cancelled]. It returns s.
func (s *Script) OnCancel(steps ...Step) *Script {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.cancel = slices.Clone(steps)
	return s
}

// Unused returns the steps that were not played: those that the script has not
// reached, and the current one if it has not answered as often as set. A step
// whose time is over counts as played. Steps that Play or a cancellation
// replaced do not count. If Unused is empty, the test has seen the whole
// script.
func (s *Script) Unused() []Step {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.advanceLocked(time.Now())
	current := s.steps[s.at]
	if s.answers >= current.questions() || s.last() && s.answers > 0 {
		return slices.Clone(s.steps[s.at+1:])
	}
	return slices.Clone(s.steps[s.at:])
}

// Calls returns the calls for this operation, in the order of their arrival:
// all, or those of the given methods.
func (s *Script) Calls(methods ...RPC) []Call {
	return slices.DeleteFunc(s.server.Calls(methods...), func(c Call) bool { return c.Name != s.name })
}

func (s *Script) last() bool { return s.at == len(s.steps)-1 }

// playLocked makes steps the script. A state that keeps the metadata of the
// one before gets it here.
func (s *Script) playLocked(steps []Step) {
	now := time.Now()
	var metadata *anypb.Any
	if len(s.steps) > 0 {
		s.advanceLocked(now)
		metadata = s.stateLocked().GetMetadata()
	}
	if len(steps) == 0 {
		steps = []Step{{op: &longrunningpb.Operation{Metadata: metadata}}}
	}
	steps = slices.Clone(steps)
	for i, step := range steps {
		if !step.isState() {
			continue
		}
		if step.metadata == metadataKept {
			step.op = proto.CloneOf(step.op)
			step.op.Metadata = metadata
			steps[i] = step
		}
		metadata = step.op.GetMetadata()
	}
	s.steps, s.at, s.since, s.answers = steps, 0, now, 0
	s.wakeLocked()
}

// wakeLocked makes the calls that are held back look again.
func (s *Script) wakeLocked() {
	if s.changed != nil {
		close(s.changed)
	}
	s.changed = make(chan struct{})
}

// advanceLocked leaves the steps whose time is over.
func (s *Script) advanceLocked(now time.Time) {
	for !s.last() {
		current := s.steps[s.at]
		if !current.timed || now.Sub(s.since) < current.lasts {
			return
		}
		s.nextLocked(s.since.Add(current.lasts))
	}
}

func (s *Script) nextLocked(since time.Time) { s.at, s.since, s.answers = s.at+1, since, 0 }

// answerLocked counts an answer and returns the step that gives it.
func (s *Script) answerLocked(now time.Time) (Step, *longrunningpb.Operation) {
	current, state := s.steps[s.at], s.stateLocked()
	s.answers++
	if !current.timed && s.answers >= current.questions() && !s.last() {
		s.nextLocked(now)
	}
	return current, state
}

// heldUntilLocked returns when a WaitOperation that is held back by the current
// step has to look again, the zero Time for never. It reports false when the
// step answers it at once.
func (s *Script) heldUntilLocked() (time.Time, bool) {
	current := s.steps[s.at]
	switch {
	case current.kind != stepRunning:
		return time.Time{}, false
	case s.last():
		return time.Time{}, true
	case current.timed:
		return s.since.Add(current.lasts), true
	}
	return time.Time{}, false
}

// stateLocked returns the state that the current step shows, or else the last
// state before it.
func (s *Script) stateLocked() *longrunningpb.Operation {
	op := &longrunningpb.Operation{}
	for i := s.at; i >= 0; i-- {
		if s.steps[i].isState() {
			if state := s.steps[i].op; state != nil {
				op = proto.CloneOf(state)
			}
			break
		}
	}
	op.Name = s.name
	return op
}
