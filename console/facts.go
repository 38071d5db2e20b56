package console

import (
	"cmp"
	"context"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/internal/progress"
	"github.com/go-lro/lro/lropb"
)

// stateActive is the state of an operation that is not done, when no source
// says whether it waits or runs.
const stateActive State = -1

// facts are what the console could learn about an operation: from its source,
// and what that does not tell from the metadata.
type facts struct {
	name      string
	kind      string
	kindFrom  string // where the kind comes from, when the source does not tell
	state     State
	target    string
	message   string // what it is doing
	attempt   int
	cancelled bool // cancel was requested

	percent     int // -1 when not known
	done, total int64
	unit        string
	step        string // what is being worked on

	created, started, updated, ended, expires, asked time.Time
}

func (h *Handler) factsOf(ctx context.Context, op Operation) facts {
	m := op.Message
	f := facts{name: m.GetName(), percent: -1}
	if i := op.Info; i != nil {
		f.kind, f.state, f.attempt = i.Kind, i.State, i.Attempt
		f.created, f.started, f.updated = i.CreateTime, i.StartTime, i.UpdateTime
		f.ended, f.expires, f.asked = i.EndTime, i.ExpireTime, i.CancelTime
		f.cancelled = !i.CancelTime.IsZero()
	}
	f.add(progress.OfAny(m.GetMetadata(), h.decoder(ctx)))
	if i := op.Info; i != nil && i.Damaged != "" {
		f.message = "The stored operation is damaged: " + i.Damaged
	}
	f.settle(m.GetDone(), m.GetError() != nil, codes.Code(m.GetError().GetCode()))
	return f
}

// add adds what the metadata says, where the source did not.
func (f *facts) add(m progress.Facts) {
	f.target, f.message = m.Target, m.Message
	f.percent, f.done, f.total, f.unit, f.step = m.WholePercent(), m.Done, m.Total, m.Unit, m.Step
	f.attempt = cmp.Or(f.attempt, int(m.Attempt))
	f.cancelled = f.cancelled || m.CancelRequested
	f.state = cmp.Or(f.state, map[progress.State]State{
		progress.Pending: lropb.OperationMetadata_PENDING, progress.Running: lropb.OperationMetadata_RUNNING,
	}[m.State])
	f.created, f.started = cmp.Or(f.created, m.Created), cmp.Or(f.started, m.Started)
	f.updated, f.ended = cmp.Or(f.updated, m.Updated), cmp.Or(f.ended, m.Ended)
	switch {
	case f.kind != "":
	case m.Kind != "":
		f.kind, f.kindFrom = m.Kind, "the metadata"
	case m.TypeKind() != "":
		f.kind, f.kindFrom = m.TypeKind(), "the type of the metadata"
	}
}

// settle makes the state fit the result, which nothing else overrules.
func (f *facts) settle(done, failed bool, code codes.Code) {
	switch {
	case done && !failed:
		f.state = lropb.OperationMetadata_SUCCEEDED
	case done && code == codes.Canceled:
		f.state = lropb.OperationMetadata_CANCELLED
	case done:
		f.state = lropb.OperationMetadata_FAILED
	case f.state != lropb.OperationMetadata_PENDING && f.state != lropb.OperationMetadata_RUNNING:
		f.state = stateActive
	}
	if f.percent >= 0 && f.state == lropb.OperationMetadata_SUCCEEDED {
		f.percent = 100
	}
	if !done {
		f.ended = time.Time{} // when it is expected to be
	}
}

// isDone reports whether the operation has ended.
func (f *facts) isDone() bool {
	return f.state != stateActive && f.state >= lropb.OperationMetadata_SUCCEEDED
}

// began is when the work began, as far as is known.
func (f *facts) began() time.Time {
	if f.started.IsZero() {
		return f.created
	}
	return f.started
}

// took is how long it ran, negative when that is not known or makes no sense.
func (f *facts) took() time.Duration {
	if f.ended.IsZero() || f.began().IsZero() {
		return -1
	}
	return f.ended.Sub(f.began())
}

// maxRowMetadata is what metadata may have to be looked into for each row of a
// list, in bytes.
const maxRowMetadata = 256 << 10

func tooLarge(a *anypb.Any) bool { return len(a.GetValue()) > maxRowMetadata }

// withoutMetadata is an operation but for its metadata.
func withoutMetadata(op *longrunningpb.Operation) *longrunningpb.Operation {
	return &longrunningpb.Operation{Name: op.GetName(), Done: op.GetDone(), Result: op.GetResult()}
}
