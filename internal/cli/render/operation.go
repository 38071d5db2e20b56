package render

import (
	"context"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/payload"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/lropb"
)

// The states. An operation itself only knows whether it is done and how;
// PENDING is shown where its metadata says so.
const (
	Pending   = "PENDING"
	Running   = "RUNNING"
	Succeeded = "SUCCEEDED"
	Failed    = "FAILED"
	Cancelled = "CANCELLED"
)

// Operation is an operation with what its metadata says. Times are zero, and
// texts empty, where it says nothing.
type Operation struct {
	Proto *longrunningpb.Operation
	State string

	CancelRequested bool
	Progress        term.Progress // Percent is negative when it is not known
	Message         string
	Verb            string
	Target          string
	Attempt         int64

	Created, Started, Updated, Ended time.Time

	known    bool // metadata is the ready-made message, so all of it is above
	partials []partial
	types    *payload.Types
}

// partial is an error that did not end the operation.
type partial struct {
	code    codes.Code
	message string
}

// Of reads an operation. It does not modify op.
func Of(ctx context.Context, types *payload.Types, op *longrunningpb.Operation) *Operation {
	o := &Operation{Proto: op, State: Running, Progress: term.Progress{Percent: -1}, types: types}
	if m := types.Decode(ctx, op.GetMetadata()); m != nil {
		o.read(fields{m.ProtoReflect()})
		if ready, ok := m.(*lropb.OperationMetadata); ok {
			o.known = true
			for _, e := range ready.GetPartialErrors() {
				o.partials = append(o.partials, partial{codes.Code(e.GetCode()), e.GetMessage()})
			}
		}
	}
	switch {
	case !op.GetDone():
	case op.GetError() == nil:
		o.State = Succeeded
	case op.GetError().GetCode() == int32(codes.Canceled):
		o.State = Cancelled
	default:
		o.State = Failed
	}
	return o
}

// read takes what the metadata says in fields that many services have.
func (o *Operation) read(m fields) {
	if m.enum("state") == Pending {
		o.State = Pending
	}
	o.CancelRequested = m.flag("requested_cancellation") || m.flag("cancel_requested")
	o.Message = m.text("status_message", "status_detail")
	o.Verb = m.text("verb")
	o.Target = m.text("target")
	o.Attempt, _ = m.integer("attempt")
	o.Created, o.Started = m.time("create_time"), m.time("start_time")
	o.Updated, o.Ended = m.time("update_time"), m.time("end_time")
	o.Progress = progressOf(m)
}

// Exit returns the exit status that the operation stands for: 0 also while it
// runs.
func (o *Operation) Exit() int {
	switch o.State {
	case Failed:
		return exit.Failed
	case Cancelled:
		return exit.Cancelled
	}
	return exit.Done
}

// Meter returns the progress with a text for people.
func (o *Operation) Meter() term.Progress {
	p := o.Progress
	if p.Text == "" {
		p.Text = o.Message
	}
	switch {
	case o.CancelRequested && !o.Proto.GetDone():
		p.Text = "cancel requested"
	case p.Text == "" && o.State == Pending:
		p.Text = "waiting for its turn"
	}
	return p
}
