package lroext

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/go-lro/lro/internal/extop"
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
	scope *extop.Scope
	err   error // why there is none
}

// ScopeOf makes a scope of a generated client of operations. It uses the method
// Get, and Wait, Cancel, Delete, List and AggregatedList if c has them. It makes no call and does
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
	s := &extop.Scope{}
	var err error
	if s.Roles, err = extop.RolesOf(op.ProtoReflect().Descriptor()); err != nil {
		return Scope{err: err}
	}
	md := none.ProtoReflect().Descriptor()
	id := idField(md)
	if id == nil {
		return Scope{err: fmt.Errorf("message %s is no request for an operation: it has no field with (google.cloud.operation_response_field)", md.FullName())}
	}
	for i := range md.Fields().Len() {
		if f := md.Fields().Get(i); f != id && f.Kind() == protoreflect.StringKind && !f.HasPresence() {
			s.Fields = append(s.Fields, string(f.Name()))
		}
	}
	slices.Sort(s.Fields)
	transport := gaxcall.Transport{REST: true} // so is all of Compute
	if conn, ok := c.(interface{ Connection() *grpc.ClientConn }); ok {
		transport.REST = conn.Connection() == nil
	}
	s.Outgoing = func(ctx context.Context, requested string) context.Context {
		return transport.Outgoing(ctx, gaxcall.Routing(requested))
	}
	s.Failure = transport.Failure
	s.Get = func(ctx context.Context, n extop.Name, opts []grpc.CallOption) (proto.Message, error) {
		req := none.ProtoReflect().New()
		extop.Fill(req, n, string(id.Name()))
		return c.Get(ctx, req.Interface().(Req), transport.Options(opts, "")...)
	}
	addMethods(s, c, string(id.Name()), transport)
	return Scope{scope: s}
}

// idField returns the field of a polling request that takes the operation's ID.
func idField(md protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	for i := range md.Fields().Len() {
		if f := md.Fields().Get(i); extop.OptionText(f, extop.OperationResponseField) != "" && f.Kind() == protoreflect.StringKind {
			return f
		}
	}
	return nil
}

// addMethods takes the methods of a client whose types differ from scope to
// scope.
func addMethods(s *extop.Scope, c any, id string, transport gaxcall.Transport) {
	if m := unaryOf(c, "Wait"); m != nil {
		s.Wait = func(ctx context.Context, n extop.Name, opts []grpc.CallOption) (proto.Message, error) {
			return m.call(ctx, n, id, transport.Options(opts, ""))
		}
	}
	command := func(method string) func(context.Context, extop.Name, []grpc.CallOption) error {
		m := unaryOf(c, method)
		if m == nil {
			return nil
		}
		return func(ctx context.Context, n extop.Name, opts []grpc.CallOption) error {
			_, err := m.call(ctx, n, id, transport.Options(opts, ""))
			return err
		}
	}
	s.Cancel, s.Delete = command("Cancel"), command("Delete")
	s.List, s.Aggregated = listOf(c, "List", transport), listOf(c, "AggregatedList", transport)
}
