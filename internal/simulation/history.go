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
