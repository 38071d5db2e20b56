package lroext

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/go-lro/lro/internal/gaxcall"
)

// OperationsClient is a generated client of the operations of one scope, such as
// a *compute.ZoneOperationsClient. Go infers Req and Op from its method Get.
type OperationsClient[Req, Op proto.Message] interface {
	Get(context.Context, Req, ...gax.CallOption) (Op, error)
}

// Scope gets the operations of one scope, such as those in zones, from a client;
// see [ScopeOf]. It is safe for concurrent use. The zero value is not usable.
type Scope struct {
	scope *scope
	err   error // why there is none
}

// scope makes the calls for the operations of one service. What may be nil it
// lacks.
type scope struct {
	roles
	transport gaxcall.Transport
	fields    []string // of requests that say where an operation is, sorted
	get       call
	wait      call                                                            // may be nil
	cancel    func(ctx context.Context, n name, opts []grpc.CallOption) error // may be nil
	delete    func(ctx context.Context, n name, opts []grpc.CallOption) error // may be nil
	list      func(ctx context.Context, req listRequest, opts []grpc.CallOption) (listed, error)

	noWaitBefore atomic.Int64 // Unix nanoseconds
}

// call makes a call for the state of an operation.
type call func(ctx context.Context, n name, opts []grpc.CallOption) (proto.Message, error)

// waitPause is for how long operations of a scope are polled after its Wait was
// refused although Get works.
const waitPause = 10 * time.Minute

// waits reports whether the scope has Wait, as far as is known.
func (s *scope) waits() bool {
	return s.wait != nil && time.Now().UnixNano() >= s.noWaitBefore.Load()
}

// ScopeOf makes a scope of a generated client of operations. It uses the method
// Get, and Wait, Cancel, Delete and List if c has them. It makes no call and does
// not fail: calls of a scope made of nil, or of a client whose Get returns no
// extended operation, fail with FAILED_PRECONDITION.
//
// The client must stay open while the scope is used; its owner closes it.
func ScopeOf[Req, Op proto.Message](c OperationsClient[Req, Op]) Scope {
	if v := reflect.ValueOf(c); c == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		return Scope{err: fmt.Errorf("the client is a nil %T", c)}
	}
	var none Req
	var op Op
	s := &scope{}
	var err error
	if s.roles, err = rolesOf(op.ProtoReflect().Descriptor()); err != nil {
		return Scope{err: err}
	}
	md := none.ProtoReflect().Descriptor()
	id := idField(md)
	if id == nil {
		return Scope{err: fmt.Errorf("message %s is no request for an operation: it has no field with (google.cloud.operation_response_field)", md.FullName())}
	}
	for i := range md.Fields().Len() {
		if f := md.Fields().Get(i); f != id && f.Kind() == protoreflect.StringKind && !f.HasPresence() {
			s.fields = append(s.fields, string(f.Name()))
		}
	}
	slices.Sort(s.fields)
	s.transport.REST = true // so is all of Compute
	if conn, ok := c.(interface{ Connection() *grpc.ClientConn }); ok {
		s.transport.REST = conn.Connection() == nil
	}
	s.get = func(ctx context.Context, n name, opts []grpc.CallOption) (proto.Message, error) {
		req := none.ProtoReflect().New()
		fill(req, n, string(id.Name()))
		return c.Get(ctx, req.Interface().(Req), s.transport.Options(opts, "")...)
	}
	s.addMethods(c, string(id.Name()))
	return Scope{scope: s}
}

// idField returns the field of a polling request that takes the operation's ID.
func idField(md protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	for i := range md.Fields().Len() {
		if f := md.Fields().Get(i); optionText(f, operationResponseField) != "" && f.Kind() == protoreflect.StringKind {
			return f
		}
	}
	return nil
}

// fill sets the fields of a request about the operation n.
func fill(req protoreflect.Message, n name, id string) {
	values := maps.Clone(n.fields)
	values[id] = n.id
	if n.parent != "" {
		values[parentField] = n.parent
	}
	for field, value := range values {
		f := req.Descriptor().Fields().ByName(protoreflect.Name(field))
		if f != nil && f.Kind() == protoreflect.StringKind && !f.IsList() {
			req.Set(f, protoreflect.ValueOfString(value))
		}
	}
}

// addMethods takes the methods of a client whose types differ from scope to
// scope.
func (s *scope) addMethods(c any, id string) {
	if m := unaryOf(c, "Wait"); m != nil {
		s.wait = func(ctx context.Context, n name, opts []grpc.CallOption) (proto.Message, error) {
			return m.call(ctx, n, id, s.transport.Options(opts, ""))
		}
	}
	command := func(method string) func(context.Context, name, []grpc.CallOption) error {
		m := unaryOf(c, method)
		if m == nil {
			return nil
		}
		return func(ctx context.Context, n name, opts []grpc.CallOption) error {
			_, err := m.call(ctx, n, id, s.transport.Options(opts, ""))
			return err
		}
	}
	s.cancel, s.delete = command("Cancel"), command("Delete")
	if m := listOf(c); m != nil {
		s.list = func(ctx context.Context, req listRequest, opts []grpc.CallOption) (listed, error) {
			return m.call(ctx, req, s.transport.Options(opts, ""))
		}
	}
}

// missing is the error of a method that a scope has not.
func (s *scope) missing(method string) error {
	return status.Errorf(codes.Unimplemented, "there is no %s for operations whose requests have the fields %v", method, s.fields)
}
