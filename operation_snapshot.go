package lro

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// ErrNotDone is returned by Result if the operation is not known to be done.
var ErrNotDone = errors.New("operation is not done")

// ErrNoMetadata is returned by MetadataErr when the service sent no metadata.
var ErrNoMetadata = errors.New("operation has no metadata")

// Snapshot is the state of an operation in one answer of its service. It never
// changes and may be copied and shared. Each call of Metadata, Result
// and Proto decodes a fresh message, which is the caller's to keep and modify.
// The zero value is an operation without a name of which nothing is known.
type Snapshot[R, M proto.Message] struct {
	name string
	v    view
}

// Raw is a snapshot whose result and metadata are left undecoded.
type Raw = Snapshot[*anypb.Any, *anypb.Any]

// view is what one answer said. The operation is kept in its wire form, which
// is smaller than the message and cannot be modified by accident.
type view struct {
	wire []byte // marshalled longrunningpb.Operation, without the name that is known
	at   int64  // when it was learnt, Unix nanoseconds; 0 for never
	done bool
	code codes.Code // of the error, as the service sent it
}

// viewOf makes a view of op, as an answer about the operation of the given name.
// It overwrites nameless, which the caller may have allocated with something
// else.
func viewOf(name string, op, nameless *longrunningpb.Operation, now time.Time) (view, error) {
	if op.GetName() == name {
		nameless.Metadata, nameless.Done, nameless.Result = op.GetMetadata(), op.GetDone(), op.GetResult()
		if more := op.ProtoReflect().GetUnknown(); len(more) > 0 {
			nameless.ProtoReflect().SetUnknown(more)
		}
		op = nameless
	}
	wire, err := proto.MarshalOptions{AllowPartial: true}.Marshal(op)
	if err != nil {
		return view{}, fmt.Errorf("encode operation %q: %w", name, err)
	}
	v := view{wire: wire, at: now.UnixNano(), done: op.GetDone()}
	if st := op.GetError(); v.done && st != nil {
		v.code = codes.Code(st.GetCode())
	}
	return v, nil
}

// same reports whether two views show the same state, or neither shows one.
func (v view) same(w view) bool {
	return (v.at == 0) == (w.at == 0) && v.done == w.done && bytes.Equal(v.wire, w.wire)
}

func (v view) proto() *longrunningpb.Operation {
	op := &longrunningpb.Operation{}
	if err := unmarshal.Unmarshal(v.wire, op); err != nil {
		panic(fmt.Sprintf("lro: own encoding of an operation does not decode: %v", err))
	}
	return op
}

// Name returns the name of the operation.
func (s Snapshot[R, M]) Name() string { return s.name }

// Time returns when this state was received, by this machine's clock. It is the
// zero Time for an operation that was resumed by name and not polled yet.
func (s Snapshot[R, M]) Time() time.Time {
	if s.v.at == 0 {
		return time.Time{}
	}
	return time.Unix(0, s.v.at)
}

// Done reports whether the operation was done: succeeded, failed or cancelled.
func (s Snapshot[R, M]) Done() bool { return s.v.done }

// Cancelled reports whether the operation ended with the code CANCELLED, which
// a service sets when a cancellation took effect.
func (s Snapshot[R, M]) Cancelled() bool { return s.v.done && s.v.code == codes.Canceled }

// Proto returns a copy of the operation as the service sent it, with the name
// filled in where the answer had none.
func (s Snapshot[R, M]) Proto() *longrunningpb.Operation {
	op := s.v.proto()
	if op.GetName() == "" {
		op.Name = s.name
	}
	return op
}

// Metadata returns the operation's metadata, and false when there is none or
// it is not an M; see [Snapshot.MetadataErr].
func (s Snapshot[R, M]) Metadata() (M, bool) {
	m, err := s.metadata()
	return m, err == nil
}

// MetadataErr returns nil when Metadata returns a message, [ErrNoMetadata] when
// the service sent none, and otherwise why what it sent is not an M.
func (s Snapshot[R, M]) MetadataErr() error {
	_, err := s.metadata()
	return err
}

func (s Snapshot[R, M]) metadata() (M, error) {
	src := s.v.proto().GetMetadata()
	if src == nil {
		var zero M
		return zero, ErrNoMetadata
	}
	m, err := decodeAny[M](src)
	if err != nil {
		return m, fmt.Errorf("metadata of operation %q: %w", s.name, err)
	}
	return m, nil
}

// Result returns the outcome of the operation in this state: its response, an [*OperationError] when it failed or was cancelled, a
// [*ResultError] when it is done but its response is missing or not an R, or
// [ErrNotDone]. An R without fields, such as *emptypb.Empty, accepts a missing
// response.
func (s Snapshot[R, M]) Result() (R, error) {
	var zero R
	if !s.v.done {
		return zero, fmt.Errorf("operation %q: %w", s.name, ErrNotDone)
	}
	op := s.v.proto()
	// A service that sets neither, or an Any without a type, has nothing to
	// return; api_core and Google's Go client both fail on what is common for
	// methods that return Empty (googleapis/google-cloud-go#12805).
	if st := op.GetError(); st != nil {
		return zero, newOperationError(s.name, st)
	}
	src := op.GetResponse()
	if src.GetTypeUrl() == "" && len(src.GetValue()) == 0 && hasNoFields[R]() {
		return newMessage[R](), nil
	}
	if src == nil {
		return zero, &ResultError{Name: s.name, Want: typeName[R]()}
	}
	r, err := decodeAny[R](src)
	if err != nil {
		return zero, &ResultError{Name: s.name, Want: typeName[R](), Response: src, cause: err}
	}
	return r, nil
}

// resultDecodes reports whether the result is what the caller expects of it,
// an error included.
func (s Snapshot[R, M]) resultDecodes() bool {
	_, err := s.Result()
	_, bad := errors.AsType[*ResultError](err)
	return !bad
}
