package simulation

import (
	"sync"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/lropb"
)

// What only the server and the handlers do.
const (
	didClaim  = "claim"  // an attempt began
	didSave   = "save"   // a checkpoint
	didFinish = "finish" // the handler returned
	didDie    = "died"   // the process; from there to where the next one has opened the store
	didClose  = "closed" // the process stopped in good order
)

// Outcomes of a call.
const (
	outOK       = ""
	outUnknown  = "unknown" // it may have happened, or may still happen
	outNotFound = "not found"
	outLost     = "lease lost"
	outInvalid  = "invalid" // the request ID had started something else
	outWrong    = "wrong: " // and what: an answer that is never right
)

// event is a call as its caller saw it, or what the world saw of a handler. A
// history of them is all that the oracle knows.
type event struct {
	Key     int // that it is about; -1 for all
	By      string
	Do      string
	Name    string `json:",omitempty"` // of the operation
	Variant bool   `json:",omitempty"`
	Attempt int    `json:",omitempty"`
	Arg     string `json:",omitempty"` // checkpoint, result, filter
	Out     string `json:",omitempty"`
	Seen    *view  `json:",omitempty"` // what a call returned

	// Call and Return order events. Return is 0 while there is no answer.
	Call, Return int
	// From and To are when it was under way, since the program began; of calls,
	// at the server. Lived is the number of the server's process.
	From, To time.Duration
	Lived    int

	For  time.Duration `json:",omitempty"` // of wait: the timeout
	Told time.Duration `json:",omitempty"` // of finish: when the attempt's ctx ended, for whatever cause
	Walk int           `json:",omitempty"` // of list: the pages of one walk have one number
	Last bool          `json:",omitempty"` // of list: the end was reached
	Page []view        `json:",omitempty"`
}

// view is an operation as a caller sees it.
type view struct {
	Name    string
	State   string
	Attempt int           `json:",omitempty"`
	Cancel  bool          `json:",omitempty"` // was asked for
	Result  string        `json:",omitempty"` // "ok:" and the response, or "err:" and the code
	Text    string        `json:",omitempty"` // the last report
	End     time.Duration `json:",omitempty"` // since the program began
}

func (v *view) done() bool { return v.Result != "" }

// history is written by all actors.
type history struct {
	begin time.Time

	mu     sync.Mutex
	order  int
	events []*event
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
func (h *history) call(e event) *event {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.order++
	e.Call, e.From = h.order, h.now()
	h.events = append(h.events, &e)
	return &e
}

// done ends an event. One that is unknown never ends.
func (h *history) done(e *event, out string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.Out = out
	if e.To == 0 {
		e.To = h.now()
	}
	if out != outUnknown {
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
func (h *history) view(op *longrunningpb.Operation) (*view, error) {
	m := &lropb.OperationMetadata{}
	if err := op.GetMetadata().UnmarshalTo(m); err != nil {
		return nil, err
	}
	v := &view{
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
