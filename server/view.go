package server

import (
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server/engine"
)

// view is the operation as clients see it. It is shared and must not be
// modified.
func (s *Server) view(rec *engine.Record) *longrunningpb.Operation {
	if op := s.views.get(rec); op != nil {
		return op
	}
	return s.buildView(rec)
}

// keptView is view for a record that is likely to be read again before it
// changes.
func (s *Server) keptView(rec *engine.Record) *longrunningpb.Operation {
	op := s.views.get(rec)
	if op == nil {
		op = s.buildView(rec)
		s.views.keep(rec, op)
	}
	return op
}

func (s *Server) buildView(rec *engine.Record) *longrunningpb.Operation {
	op := &longrunningpb.Operation{
		Name:     rec.Name,
		Metadata: s.viewMetadata(rec),
		Done:     rec.State.Terminal(),
	}
	switch {
	case !op.Done:
	case rec.Error != nil:
		op.Result = &longrunningpb.Operation_Error{Error: s.faults.complete(rec.Error, "")}
	case rec.Response != nil:
		op.Result = &longrunningpb.Operation_Response{Response: rec.Response}
	default:
		// Clients break on a done operation with neither.
		op.Result = &longrunningpb.Operation_Error{Error: s.faults.complete(nil, reasonInternal)}
	}
	return op
}

// viewMetadata fills in what the server knows where the metadata is the
// ready-made message, and leaves others alone.
func (s *Server) viewMetadata(rec *engine.Record) *anypb.Any {
	m, ok := s.standardMetadata(rec)
	if !ok {
		return rec.Metadata
	}
	m.CreateTime = timestamp(rec.CreateTime)
	m.StartTime = timestamp(rec.StartTime)
	m.UpdateTime = timestamp(rec.UpdateTime)
	m.EndTime = timestamp(rec.EndTime)
	m.RequestedCancellation = !rec.CancelTime.IsZero()
	m.State = lropb.OperationMetadata_STATE_UNSPECIFIED
	if rec.State.String() != engine.StateUnspecified.String() {
		m.State = lropb.OperationMetadata_State(rec.State)
	}
	m.Attempt = int32(rec.Attempt)
	if m.GetVerb() == "" {
		m.Verb = rec.Kind
	}
	if m.GetProgressPercent() == 0 {
		m.ProgressPercent = percent(m.GetProgress())
	}
	packed, err := anypb.New(m)
	if err != nil {
		return rec.Metadata
	}
	return packed
}

// standardMetadata returns the record's metadata, if that is the ready-made
// message or would be were it not damaged.
func (s *Server) standardMetadata(rec *engine.Record) (*lropb.OperationMetadata, bool) {
	m := &lropb.OperationMetadata{}
	damage := rec.Damaged
	switch k := s.kinds[rec.Kind]; {
	case rec.Metadata.MessageIs(m):
		if err := rec.Metadata.UnmarshalTo(m); err != nil {
			m, damage = &lropb.OperationMetadata{}, "metadata: "+err.Error()
		}
	case rec.Metadata != nil, damage == "", k == nil, !k.types.emptyMetadata.MessageIs(m):
		return nil, false
	}
	if damage != "" {
		m.StatusMessage = strings.ToValidUTF8("the stored operation is damaged: "+damage, "\uFFFD")
	}
	return m, true
}

// percent is 0 where the total is not known, and never 100 before all is done.
func percent(p *lropb.Progress) int32 {
	done, total := p.GetDone(), p.GetTotal()
	if total <= 0 || done <= 0 {
		return 0
	}
	if done >= total {
		return 100
	}
	return min(99, int32(float64(done)*100/float64(total)))
}

func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
