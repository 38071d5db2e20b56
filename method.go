package lro

import (
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/internal/rpcinfo"
)

// Method describes an RPC that starts operations: their response and metadata
// types. Declare each once, next to the code that calls it:
//
//	var ExportBooks = lro.Method[*librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata]{
//		Name: "example.library.v1.Library.ExportBooks",
//	}
//
// R and M are the response_type and metadata_type of the method's
// google.longrunning.operation_info (AIP-151). Either may be *anypb.Any, which
// is left undecoded, or proto.Message, which is decoded into the linked type of
// its URL.
//
// The zero value is usable. A Method is a plain value: copy it to change its
// Policy for one call.
type Method[R, M proto.Message] struct {
	// Name is the full name of the RPC, "pkg.Service.Method". The form of gRPC's
	// generated constants, "/pkg.Service/Method", is accepted too. It appears in
	// traces and in resume tokens, and a method with a name refuses the tokens of
	// another. May be empty.
	Name string
	// Policy controls how its operations are polled. Nil means the client's.
	Policy *Policy
	// Unchecked turns off the comparison of R and M with the RPC's
	// google.longrunning.operation_info, for services whose annotation is wrong.
	// By default Wrap, Resume and Start fail if R and M are not the annotated
	// types and the annotated descriptor is linked into the program, as it is
	// with the service's generated code. Interfaces and *anypb.Any are never
	// refused.
	Unchecked bool
}

// Any returns the method of operations of unknown types. Their responses and
// metadata are left undecoded.
func Any() Method[*anypb.Any, *anypb.Any] { return Method[*anypb.Any, *anypb.Any]{} }

// Wrap returns an [Operation] for one that a call has just returned. It makes
// no call, and copies op. Wrap fails if op is nil, if op is not done and has no
// name, if R or M is not a type that can be decoded into, or if a policy is
// invalid.
//
// Wrap assumes that the operation was just started, which affects its schedule
// and what is learned from it. For one from a list, use Resume.
func (m Method[R, M]) Wrap(c *Client, op *longrunningpb.Operation) (*Operation[R, M], error) {
	if op == nil {
		return nil, errors.New("wrap operation: it is nil")
	}
	if op.GetName() == "" && !op.GetDone() {
		return nil, errors.New("wrap operation: it has no name and is not done")
	}
	v, err := viewOf(op.GetName(), op, &longrunningpb.Operation{}, time.Now())
	if err != nil {
		return nil, err
	}
	return m.new(c, op.GetName(), v)
}

// Resume returns an [Operation] for a name, or for a token from
// [Operation.Token]. It makes no call; the first poll is made as soon as a
// caller waits. Resume refuses a token of another service, method or type,
// with an error that names what was expected and what was given.
func (m Method[R, M]) Resume(c *Client, nameOrToken string) (*Operation[R, M], error) {
	m.Name = rpcinfo.FullName(m.Name)
	name := nameOrToken
	if isToken(nameOrToken) {
		t, err := parseToken(nameOrToken)
		if err != nil {
			return nil, fmt.Errorf("resume operation: %w", err)
		}
		if c == nil {
			return nil, errNilClient
		}
		if err := t.verify(tokenOf[R, M](c.config.name, m.Name, t.Operation)); err != nil {
			return nil, fmt.Errorf("resume operation %q: %w", t.Operation, err)
		}
		name = t.Operation
	}
	if name == "" {
		return nil, errors.New("resume operation: the name is empty")
	}
	return m.new(c, name, view{})
}

var errNilClient = errors.New("client is nil")

func (m Method[R, M]) new(c *Client, name string, v view) (*Operation[R, M], error) {
	if c == nil {
		return nil, errNilClient
	}
	m.Name = rpcinfo.FullName(m.Name)
	from, err := m.originIn(c)
	if err != nil {
		return nil, fmt.Errorf("operation %q: %w", name, err)
	}
	op := &Operation[R, M]{core{origin: from, name: name, view: v}}
	op.self = op
	if op.wait.startAge = unknownAge; v.at != 0 {
		op.wait.begun, op.wait.startAge = clock(), 0
	}
	op.identifyMethod(m.Name, typeName[R](), typeName[M]())
	return op, nil
}

// Token returns a string by which any process can resume the operation with
// [Method.Resume]. Unlike the bare name it also carries the service, the
// method and the types, which Resume verifies. It is URL-safe, and holds no
// secret and no state.
func (o *Operation[R, M]) Token() string {
	return tokenOf[R, M](o.client.config.name, o.method, o.name).String()
}
