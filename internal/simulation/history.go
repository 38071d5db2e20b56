package simulation

import (
	"sync"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/internal/oracle"
	"github.com/go-lro/lro/lropb"
)

// history is written by all actors.
type history struct {
	begin time.Time

	mu     sync.Mutex
	order  int
	events []*oracle.Event
	walks  int
}

func (h *history) now() time.Duration { return time.Since(h.begin) }

// next returns a place in the order of events.
func (h *history) next() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.order++
	return h.order
}

// call begins an event.
func (h *history) call(e oracle.Event) *oracle.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.order++
	e.Call, e.From = h.order, h.now()
	h.events = append(h.events, &e)
	return &e
}

// began moves the beginning of an event to an earlier moment.
func (h *history) began(e *oracle.Event, from time.Duration, place int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.Call, e.From = place, from
}

// done ends an event. One that is unknown never ends.
func (h *history) done(e *oracle.Event, out string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.Out = out
	if e.To == 0 {
		e.To = h.now()
	}
	if out != oracle.Unknown {
		h.order++
		e.Return = h.order
	}
}

func (h *history) walk() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.walks++
	return h.walks
}

// view returns what op shows.
func (h *history) view(op *longrunningpb.Operation) (*oracle.View, error) {
	m := &lropb.OperationMetadata{}
	if err := op.GetMetadata().UnmarshalTo(m); err != nil {
		return nil, err
	}
	v := &oracle.View{
		Name: op.GetName(), State: m.GetState().String(), Attempt: int(m.GetAttempt()),
		Cancel: m.GetRequestedCancellation(), Text: m.GetStatusMessage(),
	}
	if t := m.GetEndTime(); t != nil {
		v.End = t.AsTime().Sub(h.begin)
	}
	if !op.GetDone() {
		return v, nil
	}
	if err := op.GetError(); err != nil {
		v.Result = "err:" + code.Code(err.GetCode()).String()
		return v, nil
	}
	s := &wrapperspb.StringValue{}
	if err := op.GetResponse().UnmarshalTo(s); err != nil {
		return nil, err
	}
	v.Result = "ok:" + s.GetValue()
	return v, nil
}

// local records the handlers of a process of this one.
type local struct {
	*history
	w *world
	p *process
}

func (l local) claim(e oracle.Event) { l.w.claimed(l.p.since, e) }

func (w *world) actor(p *process) *actor {
	return &actor{recorder: local{w.history, w, p}, number: p.number, alive: p.alive, sleep: w.clock.sleep, pace: w.program.pace}
}

// claimed notes that an attempt was begun, at some time after its process was.
func (w *world) claimed(since int, claim oracle.Event) {
	h := w.history
	e := h.call(claim)
	h.began(e, e.From, since)
	h.done(e, oracle.OK)
	w.know(claim.Name, claim.Key)
}
