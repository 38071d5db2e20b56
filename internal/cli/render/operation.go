package render

import (
	"cmp"
	"context"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/payload"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/internal/progress"
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
	Kind            string // by the metadata's type if it has no field that says so
	Target          string
	Attempt         int64

	// Ended is also zero while the operation is not done: a service may put the
	// time there by which it expects to be.
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
	o := &Operation{Proto: op, State: Running, types: types}
	f := progress.OfAny(op.GetMetadata(), func(a *anypb.Any) proto.Message {
		m := types.Decode(ctx, a)
		if ready, ok := m.(*lropb.OperationMetadata); ok {
			o.readKnown(ready)
		}
		return m
	})
	if f.State == progress.Pending {
		o.State = Pending
	}
	switch {
	case !op.GetDone():
		f.Ended = time.Time{}
	case op.GetError() == nil:
		o.State = Succeeded
	case op.GetError().GetCode() == int32(codes.Canceled):
		o.State = Cancelled
	default:
		o.State = Failed
	}
	o.CancelRequested, o.Message, o.Target, o.Attempt = f.CancelRequested, f.Message, f.Target, f.Attempt
	o.Kind = cmp.Or(f.Kind, f.TypeKind())
	o.Created, o.Started, o.Updated, o.Ended = f.Created, f.Started, f.Updated, f.Ended
	o.Progress = term.Progress{Percent: f.WholePercent(), Done: f.Done, Total: f.Total, Unit: f.Unit, Text: f.Step}
	return o
}

func (o *Operation) readKnown(m *lropb.OperationMetadata) {
	o.known = true
	for _, e := range m.GetPartialErrors() {
		o.partials = append(o.partials, partial{codes.Code(e.GetCode()), e.GetMessage()})
	}
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
		p.Text = "waiting to run"
	}
	return p
}
