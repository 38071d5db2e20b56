package lroext

import (
	"context"
	"reflect"

	"github.com/googleapis/gax-go/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/go-lro/lro/internal/gaxcall"
)

var (
	contextType = reflect.TypeFor[context.Context]()
	messageType = reflect.TypeFor[proto.Message]()
	optionsType = reflect.TypeFor[[]gax.CallOption]()
	errorType   = reflect.TypeFor[error]()
)

// method is a method of a generated client, of types that are known only when
// the program runs.
type method struct {
	function reflect.Value
	request  protoreflect.MessageType
}

// methodOf returns a method func(context.Context, Req, ...gax.CallOption) with
// results that fit, or nil.
func methodOf(c any, name string, fits func(reflect.Type) bool) *method {
	f := reflect.ValueOf(c).MethodByName(name)
	if !f.IsValid() {
		return nil
	}
	t := f.Type()
	if !t.IsVariadic() || t.NumIn() != 3 || t.In(0) != contextType || t.In(2) != optionsType || !t.In(1).Implements(messageType) || !fits(t) {
		return nil
	}
	if t.In(1).Kind() != reflect.Pointer {
		return nil
	}
	return &method{f, reflect.Zero(t.In(1)).Interface().(proto.Message).ProtoReflect().Type()}
}

func (m *method) invoke(ctx context.Context, req proto.Message, opts []gax.CallOption) []reflect.Value {
	return m.function.CallSlice([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(req), reflect.ValueOf(opts)})
}

// unary is a method that returns a message.
type unary struct{ *method }

func unaryOf(c any, name string) *unary {
	m := methodOf(c, name, func(t reflect.Type) bool {
		return t.NumOut() == 2 && t.Out(0).Implements(messageType) && t.Out(1) == errorType
	})
	if m == nil {
		return nil
	}
	return &unary{m}
}

// call calls the method about the operation n, whose ID goes into the field id.
func (m *unary) call(ctx context.Context, n name, id string, opts []gax.CallOption) (proto.Message, error) {
	req := m.request.New()
	fill(req, n, id)
	out := m.invoke(ctx, req.Interface(), opts)
	if err, _ := out[1].Interface().(error); err != nil {
		return nil, err
	}
	return out[0].Interface().(proto.Message), nil
}

// lister is a method that returns an iterator, as that of compute.OperationIterator.
type lister struct {
	*method
	fetch []int // the index of its field InternalFetch
}

func listOf(c any) *lister {
	var l lister
	l.method = methodOf(c, "List", func(t reflect.Type) bool {
		if t.NumOut() != 1 || t.Out(0).Kind() != reflect.Pointer || t.Out(0).Elem().Kind() != reflect.Struct {
			return false
		}
		f, ok := t.Out(0).Elem().FieldByName("InternalFetch")
		l.fetch = f.Index
		return ok && fetches(f.Type)
	})
	if l.method == nil {
		return nil
	}
	return &l
}

// fetches reports whether t is func(pageSize int, pageToken string) ([]Op, string, error).
func fetches(t reflect.Type) bool {
	return t.Kind() == reflect.Func && t.NumIn() == 2 && t.In(0).Kind() == reflect.Int && t.In(1).Kind() == reflect.String &&
		t.NumOut() == 3 && t.Out(0).Kind() == reflect.Slice && t.Out(0).Elem().Implements(messageType) &&
		t.Out(1).Kind() == reflect.String && t.Out(2) == errorType
}

// call makes the one call for a page, which the iterator's Next would not: it
// skips empty ones. The generated method sends its request without ctx.
func (l *lister) call(ctx context.Context, req listRequest, opts []gax.CallOption) (listed, error) {
	m := l.request.New()
	fill(m, name{place: req.place}, "")
	if f := m.Descriptor().Fields().ByName("filter"); f != nil && req.filter != "" {
		m.Set(f, protoreflect.ValueOfString(req.filter))
	}
	it := l.invoke(ctx, m.Interface(), opts)[0]
	return gaxcall.Within(ctx, func() (listed, error) {
		out := it.Elem().FieldByIndex(l.fetch).Call([]reflect.Value{reflect.ValueOf(req.size), reflect.ValueOf(req.token)})
		if err, _ := out[2].Interface().(error); err != nil {
			return listed{}, err
		}
		page := listed{next: out[1].String()}
		for i := range out[0].Len() {
			page.operations = append(page.operations, out[0].Index(i).Interface().(proto.Message))
		}
		return page, nil
	})
}
