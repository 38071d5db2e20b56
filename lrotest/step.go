package lrotest

import (
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Step is one step of a script: how the service answers polls of the operation,
// and for how long. A step answers one poll, unless [Step.For] or [Step.Times]
// change that, or it is the last of its script, which never ends.
//
// A Step is a value that never changes and may be used in many scripts. The
// zero value is Running(nil).
type Step struct {
	kind     stepKind
	op       *longrunningpb.Operation // the state, without a name; nil for Running(nil)
	metadata metadataChoice
	err      *spb.Status // of a PollError

	timed bool
	lasts time.Duration // if timed
	times int           // if not; 0 means 1
}

type stepKind uint8

const (
	stepRunning stepKind = iota
	stepDone
	stepError
	stepHang
	stepDrop
)

// metadataChoice says where the metadata of a state comes from.
type metadataChoice uint8

const (
	metadataOwn  metadataChoice = iota
	metadataKept                // from the state before
)

// Running answers that the operation runs, with this metadata; nil for none.
//
// GetOperation is answered at once. WaitOperation is answered at once by a step
// that answers a number of questions, which is the early return that the
// specification allows, and it is held back by one that lasts a time, and by
// the last step, as a service would, until the operation is done or the time
// asked for is over.
func Running(metadata proto.Message) Step {
	return Step{kind: stepRunning, op: &longrunningpb.Operation{Metadata: pack("Running", metadata)}}
}

// Succeeded answers that the operation is done, with this response. Nil makes
// it done with neither a response nor an error, as some services do where the
// response is empty. Metadata is what the step before had.
//
// A response of type *anypb.Any is sent as it is, for a response of a foreign
// type, or of none. That holds for metadata and details also.
func Succeeded(response proto.Message) Step {
	op := &longrunningpb.Operation{Done: true}
	if packed := pack("Succeeded", response); packed != nil {
		op.Result = &longrunningpb.Operation_Response{Response: packed}
	}
	return Step{kind: stepDone, op: op, metadata: metadataKept}
}

// Failed answers that the operation is done, with this error. codes.OK is sent
// as it is, as some services do. Metadata is what the step before had.
func Failed(code codes.Code, message string, details ...proto.Message) Step {
	st := packStatus("Failed", code, message, details)
	op := &longrunningpb.Operation{Done: true, Result: &longrunningpb.Operation_Error{Error: st}}
	return Step{kind: stepDone, op: op, metadata: metadataKept}
}

// Cancelled answers that the operation is done because it was cancelled: it is
// Failed with the code CANCELLED.
func Cancelled() Step { return Failed(codes.Canceled, "operation was cancelled") }

// PollError answers with an error. It says nothing about the operation. Details
// such as *errdetails.RetryInfo tell the client more.
func PollError(code codes.Code, message string, details ...proto.Message) Step {
	if code == codes.OK {
		panic("lrotest: PollError: the code is OK")
	}
	return Step{kind: stepError, err: packStatus("PollError", code, message, details)}
}

// Hang does not answer before the caller's ctx ends.
func Hang() Step { return Step{kind: stepHang} }

// Drop closes the connection without an answer. The client sees UNAVAILABLE; so
// it does where there is no connection to close, because the server is called
// by its [Server.Stub] or stands on a transport that is not of this package.
func Drop() Step { return Step{kind: stepDrop} }

// For makes the step last for d from its beginning: when the script begins, or
// the step before it ends. It answers all polls in that time, and ends even
// without any. It replaces an earlier Times. d must not be negative; 0 skips
// the step.
func (s Step) For(d time.Duration) Step {
	if d < 0 {
		panic(fmt.Sprintf("lrotest: Step.For: %v is negative", d))
	}
	s.timed, s.lasts, s.times = true, d, 0
	return s
}

// Times makes the step answer n polls. It replaces an earlier For. n must be at
// least 1, which is also the default.
func (s Step) Times(n int) Step {
	if n < 1 {
		panic(fmt.Sprintf("lrotest: Step.Times: %d is less than 1", n))
	}
	s.timed, s.lasts, s.times = false, 0, n
	return s
}

// WithMetadata gives a state its metadata; nil for none, even if the state
// before had some. It does nothing for a step that is no state.
func (s Step) WithMetadata(metadata proto.Message) Step {
	if !s.isState() {
		return s
	}
	op := proto.CloneOf(s.op)
	if op == nil {
		op = &longrunningpb.Operation{}
	}
	op.Metadata = pack("WithMetadata", metadata)
	s.op, s.metadata = op, metadataOwn
	return s
}

// String describes the step for the failure messages of tests.
func (s Step) String() string {
	var b strings.Builder
	switch s.kind {
	case stepRunning:
		b.WriteString("Running")
	case stepDone:
		b.WriteString("Succeeded")
		if st := s.op.GetError(); st != nil {
			b.Reset()
			fmt.Fprintf(&b, "Failed(%v, %q)", codes.Code(st.GetCode()), st.GetMessage())
		}
	case stepError:
		fmt.Fprintf(&b, "PollError(%v, %q)", codes.Code(s.err.GetCode()), s.err.GetMessage())
	case stepHang:
		b.WriteString("Hang")
	case stepDrop:
		b.WriteString("Drop")
	}
	if s.timed {
		fmt.Fprintf(&b, ".For(%v)", s.lasts)
	}
	if s.times > 1 {
		fmt.Fprintf(&b, ".Times(%d)", s.times)
	}
	return b.String()
}

func (s Step) isState() bool { return s.kind == stepRunning || s.kind == stepDone }

// questions is how many questions an untimed step answers.
func (s Step) questions() int { return max(s.times, 1) }

// pack returns m in an Any; nil for nil, and an Any as it is. It panics when m
// cannot be encoded, which is a mistake in the test.
func pack(what string, m proto.Message) *anypb.Any {
	if m == nil {
		return nil
	}
	if packed, ok := m.(*anypb.Any); ok {
		return proto.CloneOf(packed)
	}
	packed, err := anypb.New(m)
	if err != nil {
		panic(fmt.Sprintf("lrotest: %s: encode %T: %v", what, m, err))
	}
	return packed
}

func packStatus(what string, code codes.Code, message string, details []proto.Message) *spb.Status {
	st := &spb.Status{Code: int32(code), Message: message}
	for _, d := range details {
		if packed := pack(what, d); packed != nil {
			st.Details = append(st.Details, packed)
		}
	}
	return st
}

// statusError is the error of a PollError.
func (s Step) statusError() error { return status.FromProto(proto.CloneOf(s.err)).Err() }
