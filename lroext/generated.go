package lroext

import (
	"context"
	"reflect"

	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/go-lro/lro/internal/extop"
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
func (m *unary) call(ctx context.Context, n extop.Name, id string, opts []gax.CallOption) (proto.Message, error) {
	req := m.request.New()
	extop.Fill(req, n, id)
	out := m.invoke(ctx, req.Interface(), opts)
	if err, _ := out[1].Interface().(error); err != nil {
		return nil, err
	}
	return out[0].Interface().(proto.Message), nil
}

// listOf returns the call of a method that returns an iterator, as that of
// compute.OperationIterator, or nil.
func listOf(c any, method string, transport gaxcall.Transport) extop.ListCall {
	var fetch []int // the index of the iterator's field InternalFetch
	m := methodOf(c, method, func(t reflect.Type) bool {
		if t.NumOut() != 1 || t.Out(0).Kind() != reflect.Pointer || t.Out(0).Elem().Kind() != reflect.Struct {
			return false
		}
		f, ok := t.Out(0).Elem().FieldByName("InternalFetch")
		fetch = f.Index
		return ok && fetches(f.Type)
	})
	if m == nil {
		return nil
	}
	return func(ctx context.Context, req extop.ListRequest, opts []grpc.CallOption) (extop.Page, error) {
		return m.list(ctx, req, transport.Options(opts, ""), fetch)
	}
}

// fetches reports whether t is func(pageSize int, pageToken string) ([]T, string, error).
func fetches(t reflect.Type) bool {
	return t.Kind() == reflect.Func && t.NumIn() == 2 && t.In(0).Kind() == reflect.Int && t.In(1).Kind() == reflect.String &&
		t.NumOut() == 3 && t.Out(0).Kind() == reflect.Slice && (t.Out(0).Elem().Implements(messageType) || isPair(t.Out(0).Elem())) &&
		t.Out(1).Kind() == reflect.String && t.Out(2) == errorType
}

// isPair reports whether t is as compute.OperationsScopedListPair: the operations
// of one scope in an aggregated list.
func isPair(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	key, hasKey := t.FieldByName("Key")
	value, hasValue := t.FieldByName("Value")
	return hasKey && hasValue && key.Type.Kind() == reflect.String && value.Type.Implements(messageType)
}

// list makes the one call for a page, which the iterator's Next would not: it
// skips empty ones. The generated method sends its request without ctx.
func (m *method) list(ctx context.Context, req extop.ListRequest, opts []gax.CallOption, fetch []int) (extop.Page, error) {
	msg := m.request.New()
	extop.Fill(msg, extop.Name{Place: req.Place}, "")
	if f := msg.Descriptor().Fields().ByName("filter"); f != nil && req.Filter != "" {
		msg.Set(f, protoreflect.ValueOfString(req.Filter))
	}
	it := m.invoke(ctx, msg.Interface(), opts)[0]
	return gaxcall.Within(ctx, func() (page extop.Page, err error) {
		out := it.Elem().FieldByIndex(fetch).Call([]reflect.Value{reflect.ValueOf(req.Size), reflect.ValueOf(req.Token)})
		if err, _ := out[2].Interface().(error); err != nil {
			return page, err
		}
		page.Next = out[1].String()
		for i := range out[0].Len() {
			if page.Items, err = appendItems(page.Items, req.Place, out[0].Index(i)); err != nil {
				return page, err
			}
		}
		return page, nil
	})
}

// appendItems adds an element of a page: an operation, or those of a scope.
func appendItems(to []extop.Item, p extop.Place, element reflect.Value) ([]extop.Item, error) {
	if m, ok := element.Interface().(proto.Message); ok {
		return append(to, extop.Item{Place: p, Message: m}), nil
	}
	within, err := p.Within(element.FieldByName("Key").String())
	if err != nil {
		return nil, err
	}
	value := element.FieldByName("Value").Interface().(proto.Message).ProtoReflect()
	for _, m := range extop.Messages(value, "operations") {
		to = append(to, extop.Item{Place: within, Message: m.Interface()})
	}
	return to, nil
}
