package testpb

import (
	"context"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/go-lro/lro/lrotest"
)

// fake is a gRPC service of methods that start operations.
type fake struct {
	operations lrotest.Server
	steps      []lrotest.Step // of each operation

	mu       sync.Mutex
	failures []error     // of the first calls; nil starts an operation
	trailer  metadata.MD // of each call
	calls    []received
}

// received is a call of a method.
type received struct {
	method string
	req    proto.Message
}

// dial serves fake as the services of a proto file.
func (f *fake) dial(t *testing.T, file protoreflect.FileDescriptor) *lrotest.Conn {
	conn := f.operations.Dial(func(r grpc.ServiceRegistrar) {
		for i := range file.Services().Len() {
			r.RegisterService(f.service(t, file.Services().Get(i)), f)
		}
	})
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (f *fake) service(t *testing.T, s protoreflect.ServiceDescriptor) *grpc.ServiceDesc {
	desc := &grpc.ServiceDesc{ServiceName: string(s.FullName()), HandlerType: (*any)(nil)}
	for i := range s.Methods().Len() {
		m := s.Methods().Get(i)
		input, err := protoregistry.GlobalTypes.FindMessageByName(m.Input().FullName())
		if err != nil {
			t.Fatal(err)
		}
		path := "/" + string(s.FullName()) + "/" + string(m.Name())
		desc.Methods = append(desc.Methods, grpc.MethodDesc{
			MethodName: string(m.Name()),
			Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				req := input.New().Interface()
				if err := decode(req); err != nil {
					return nil, err
				}
				return f.start(ctx, received{path, req})
			},
		})
	}
	return desc
}

func (f *fake) start(ctx context.Context, c received) (any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, c)
	if err := grpc.SetTrailer(ctx, f.trailer); err != nil {
		return nil, err
	}
	if n := len(f.calls); n <= len(f.failures) && f.failures[n-1] != nil {
		return nil, f.failures[n-1]
	}
	return f.operations.Add("", f.steps...).Proto(), nil
}

// requestIDs returns the request_id of each call, or "none".
func (f *fake) requestIDs() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []string
	for _, c := range f.calls {
		id := "none"
		m := c.req.ProtoReflect()
		if field := m.Descriptor().Fields().ByName("request_id"); field != nil && m.Has(field) {
			id = m.Get(field).String()
		}
		ids = append(ids, id)
	}
	return ids
}

func (f *fake) methods() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, c := range f.calls {
		all = append(all, c.method)
	}
	return strings.Join(all, " ")
}
