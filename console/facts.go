package console

import (
	"context"
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/lropb"
)

// stateActive is the state of an operation that is not done, when nobody says
// whether it waits or runs.
const stateActive State = -1

// facts are what the console could learn about an operation: from its source,
// and what that does not tell from the metadata, by the names that most
// messages called OperationMetadata use for their fields.
type facts struct {
	name      string
	kind      string
	kindFrom  string // where the kind comes from, when the source does not tell
	state     State
	target    string
	message   string // what it is doing
	attempt   int
	cancelled bool // cancel was asked for

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
	if m.GetMetadata() != nil {
		decoded := h.config.Decode(ctx, m.GetMetadata())
		if own, ok := decoded.(*lropb.OperationMetadata); ok {
			f.addOwn(own)
		} else if decoded != nil {
			f.add(decoded.ProtoReflect())
		}
		f.nameKind(m.GetMetadata())
	}
	f.settle(m.GetDone(), m.GetError() != nil, codes.Code(m.GetError().GetCode()))
	return f
}

// addOwn adds what the ready-made metadata tells.
func (f *facts) addOwn(m *lropb.OperationMetadata) {
	f.target, f.message = m.GetTarget(), m.GetStatusMessage()
	f.addVerb(m.GetVerb())
	if f.state == 0 {
		f.state = m.GetState()
	}
	if f.attempt == 0 {
		f.attempt = int(m.GetAttempt())
	}
	f.cancelled = f.cancelled || m.GetRequestedCancellation()
	if p := m.GetProgress(); p != nil {
		f.done, f.total, f.unit, f.step = p.GetDone(), p.GetTotal(), p.GetUnit(), p.GetMessage()
	}
	if m.GetProgressPercent() > 0 || f.total > 0 {
		f.percent = int(m.GetProgressPercent())
	}
	pick := func(to *time.Time, ts interface {
		IsValid() bool
		AsTime() time.Time
	}) {
		if to.IsZero() && ts.IsValid() {
			*to = ts.AsTime()
		}
	}
	pick(&f.created, m.GetCreateTime())
	pick(&f.started, m.GetStartTime())
	pick(&f.updated, m.GetUpdateTime())
	pick(&f.ended, m.GetEndTime())
}

func (f *facts) addVerb(verb string) {
	if f.kind == "" && verb != "" {
		f.kind, f.kindFrom = verb, "the verb in the metadata"
	}
}

// add adds what metadata of another type tells.
func (f *facts) add(m protoreflect.Message) {
	f.target, _ = textIn(m, "target")
	f.message, _ = textIn(m, "status_message", "status_detail", "status_details")
	verb, _ := textIn(m, "verb")
	f.addVerb(verb)
	for _, name := range []protoreflect.Name{"requested_cancellation", "cancel_requested"} {
		if fd := fieldOf(m, name, protoreflect.BoolKind); fd != nil && m.Get(fd).Bool() {
			f.cancelled = true
		}
	}
	if fd := fieldOf(m, "state", protoreflect.EnumKind); fd != nil && f.state == 0 {
		if v := fd.Enum().Values().ByNumber(m.Get(fd).Enum()); v != nil {
			f.state = stateNamed(string(v.Name()))
		}
	}
	pick := func(to *time.Time, names ...protoreflect.Name) {
		for _, name := range names {
			if t, ok := timeIn(m, name); ok && to.IsZero() {
				*to = t
			}
		}
	}
	pick(&f.created, "create_time", "creation_time")
	pick(&f.started, "start_time")
	pick(&f.updated, "update_time")
	pick(&f.ended, "end_time", "finish_time")
	if n, ok := intIn(m, "progress_percent", "progress_percentage", "percent_complete"); ok && n >= 0 && n <= 100 {
		f.percent = int(n)
		return
	}
	fd := fieldOf(m, "progress", protoreflect.MessageKind)
	if fd == nil || !m.Has(fd) {
		return
	}
	p := m.Get(fd).Message()
	if n, ok := intIn(p, "progress_percent", "progress_percentage"); ok && n >= 0 && n <= 100 {
		f.percent = int(n)
	}
	f.done, _ = intIn(p, "done", "completed", "work_completed")
	if f.total, _ = intIn(p, "total", "work_estimated"); f.total > 0 && f.percent < 0 && f.done >= 0 {
		f.percent = int(min(100, float64(f.done)/float64(f.total)*100))
	}
	f.unit, _ = textIn(p, "unit")
	f.step, _ = textIn(p, "message")
}

// nameKind falls back to the name of the metadata's type.
func (f *facts) nameKind(a *anypb.Any) {
	if f.kind != "" {
		return
	}
	name := string(a.MessageName().Name())
	if short := strings.TrimSuffix(name, "Metadata"); short != "" && short != "Operation" {
		f.kind, f.kindFrom = short, "the type of the metadata"
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
	switch {
	case f.percent >= 0 && f.state == lropb.OperationMetadata_SUCCEEDED:
		f.percent = 100
	case done && f.percent == 0 && f.total == 0:
		f.percent = -1 // the field is there, and was not used
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

// took is how long it ran, negative when that is not known.
func (f *facts) took() time.Duration {
	if f.ended.IsZero() || f.began().IsZero() {
		return -1
	}
	return max(0, f.ended.Sub(f.began()))
}

func stateNamed(name string) State {
	switch name = strings.ToUpper(name); {
	case strings.HasSuffix(name, "PENDING") || strings.HasSuffix(name, "QUEUED"):
		return lropb.OperationMetadata_PENDING
	case strings.HasSuffix(name, "RUNNING") || strings.HasSuffix(name, "PROCESSING") || strings.HasSuffix(name, "IN_PROGRESS"):
		return lropb.OperationMetadata_RUNNING
	}
	return lropb.OperationMetadata_STATE_UNSPECIFIED
}

// fieldOf returns a field that holds one value of the kind, nil without one.
func fieldOf(m protoreflect.Message, name protoreflect.Name, kind protoreflect.Kind) protoreflect.FieldDescriptor {
	fd := m.Descriptor().Fields().ByName(name)
	if fd == nil || fd.Kind() != kind || fd.IsList() || fd.IsMap() {
		return nil
	}
	return fd
}

func textIn(m protoreflect.Message, names ...protoreflect.Name) (string, bool) {
	for _, name := range names {
		if fd := fieldOf(m, name, protoreflect.StringKind); fd != nil && m.Get(fd).String() != "" {
			return m.Get(fd).String(), true
		}
	}
	return "", false
}

func intIn(m protoreflect.Message, names ...protoreflect.Name) (int64, bool) {
	for _, name := range names {
		for _, kind := range []protoreflect.Kind{protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind} {
			fd := fieldOf(m, name, kind)
			switch {
			case fd == nil:
			case kind == protoreflect.Uint32Kind || kind == protoreflect.Uint64Kind:
				return int64(min(m.Get(fd).Uint(), 1<<62)), true
			default:
				return m.Get(fd).Int(), true
			}
		}
	}
	return 0, false
}

// timeIn reads a Timestamp by its fields: the message may be a dynamic one.
func timeIn(m protoreflect.Message, name protoreflect.Name) (time.Time, bool) {
	fd := fieldOf(m, name, protoreflect.MessageKind)
	if fd == nil || fd.Message().FullName() != "google.protobuf.Timestamp" || !m.Has(fd) {
		return time.Time{}, false
	}
	ts := m.Get(fd).Message()
	fields := ts.Descriptor().Fields()
	seconds, nanos := fields.ByName("seconds"), fields.ByName("nanos")
	if seconds == nil || nanos == nil {
		return time.Time{}, false
	}
	t := time.Unix(ts.Get(seconds).Int(), ts.Get(nanos).Int()).UTC()
	return t, t.Year() >= 1 && t.Year() <= 9999
}

// maxRowMetadata is what metadata may have to be looked into for each row of a
// list, in bytes.
const maxRowMetadata = 256 << 10

func tooLarge(a *anypb.Any) bool { return len(a.GetValue()) > maxRowMetadata }

// withoutMetadata is an operation but for its metadata.
func withoutMetadata(op *longrunningpb.Operation) *longrunningpb.Operation {
	return &longrunningpb.Operation{Name: op.GetName(), Done: op.GetDone(), Result: op.GetResult()}
}
