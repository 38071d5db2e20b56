package filter

import (
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server/engine"
)

const typeField = "@type"

var (
	textShape  = shape{class: text}
	kindShape  = shape{class: exactText}
	boolShape  = shape{class: boolean}
	timeShape  = shape{class: timestamp}
	stateShape = shape{class: enum, enum: lropb.OperationMetadata_State(0).Descriptor()}
)

// match evaluates the comparison for an operation.
func (r restriction) match(it *item) bool {
	rest := r.path[1:]
	switch strings.ToLower(r.path[0]) {
	case "name":
		return r.scalar(textShape, it.op.GetName())
	case "done":
		return r.scalar(boolShape, it.op.GetDone())
	case "kind":
		return r.scalar(kindShape, it.rec.Kind)
	case "state":
		return r.scalar(stateShape, protoreflect.EnumNumber(it.rec.State))
	case "error":
		st := it.op.GetError()
		return st != nil && r.message(it, st.ProtoReflect(), rest, false)
	case "metadata":
		return r.any(it, it.op.GetMetadata(), rest, false)
	case "response":
		return r.any(it, it.op.GetResponse(), rest, false)
	}
	if get := times[strings.ToLower(r.path[0])]; get != nil {
		t := get(it.rec)
		return !t.IsZero() && r.scalar(timeShape, t)
	}
	return false
}

// times are the fields of a record that tell when something happened.
var times = map[string]func(*engine.Record) time.Time{
	"create_time": func(r *engine.Record) time.Time { return r.CreateTime },
	"start_time":  func(r *engine.Record) time.Time { return r.StartTime },
	"update_time": func(r *engine.Record) time.Time { return r.UpdateTime },
	"end_time":    func(r *engine.Record) time.Time { return r.EndTime },
	"expire_time": func(r *engine.Record) time.Time { return r.ExpireTime },
}

// scalar compares a field of the operation itself.
func (r restriction) scalar(s shape, v any) bool {
	return len(r.path) == 1 && s.compare(v, false, r.op, r.value)
}

// any looks for path in what a holds. repeated says that a is one of several.
func (r restriction) any(it *item, a *anypb.Any, path []string, repeated bool) bool {
	switch {
	case a == nil:
		return false
	case len(path) == 0:
		return r.op == has && r.value.text == anything
	case path[0] == typeField:
		return len(path) == 1 && r.leaf(textShape, a.GetTypeUrl(), false, repeated)
	}
	m := it.decode(a)
	return m != nil && r.message(it, m.ProtoReflect(), path, repeated)
}

// message looks for path in m.
func (r restriction) message(it *item, m protoreflect.Message, path []string, repeated bool) bool {
	if a, ok := m.Interface().(*anypb.Any); ok {
		return r.any(it, a, path, repeated)
	}
	if len(path) == 0 {
		s := messageShape(m.Descriptor())
		v, ok := s.value(protoreflect.ValueOfMessage(m))
		return ok && r.leaf(s, v, true, repeated)
	}
	fd := findField(m.Descriptor(), path[0])
	if fd == nil || fd.HasPresence() && !m.Has(fd) {
		return false
	}
	v, rest := m.Get(fd), path[1:]
	switch {
	case fd.IsMap():
		return r.mapping(it, fd, v.Map(), rest, repeated)
	case fd.IsList() && len(rest) > 0:
		return r.elements(it, fd, v.List(), rest)
	case fd.Message() != nil && !fd.IsList():
		return r.message(it, v.Message(), rest, repeated)
	case len(rest) > 0:
		return false
	}
	s := shapeOf(fd)
	got, ok := s.value(v)
	return ok && r.leaf(s, got, fd.HasPresence(), repeated)
}

func (r restriction) elements(it *item, fd protoreflect.FieldDescriptor, values protoreflect.List, path []string) bool {
	if fd.Message() == nil {
		return false
	}
	for i := range values.Len() {
		if r.message(it, values.Get(i).Message(), path, true) {
			return true
		}
	}
	return false
}

func (r restriction) mapping(it *item, fd protoreflect.FieldDescriptor, m protoreflect.Map, path []string, repeated bool) bool {
	if len(path) == 0 {
		return r.leaf(shape{class: mapping}, m, false, repeated)
	}
	if fd.MapKey().Kind() != protoreflect.StringKind {
		return false
	}
	v := m.Get(protoreflect.ValueOfString(path[0]).MapKey())
	if !v.IsValid() {
		return false
	}
	if fd.MapValue().Message() != nil {
		return r.message(it, v.Message(), path[1:], repeated)
	}
	s := singular(fd.MapValue())
	got, ok := s.value(v)
	return ok && len(path) == 1 && r.leaf(s, got, true, repeated)
}

// leaf compares the value that the path has led to.
func (r restriction) leaf(s shape, v any, explicit, repeated bool) bool {
	return (!repeated || r.op == has) && s.compare(v, explicit, r.op, r.value)
}

// value is v, of the shape, as compare takes it.
func (s shape) value(v protoreflect.Value) (any, bool) {
	if s.wrapped {
		m := v.Message()
		v = m.Get(m.Descriptor().Fields().ByNumber(1))
	}
	switch s.class {
	case timestamp:
		m, ok := v.Message().Interface().(interface{ AsTime() time.Time })
		if !ok {
			return nil, false
		}
		return m.AsTime(), true
	case duration:
		m, ok := v.Message().Interface().(interface{ AsDuration() time.Duration })
		if !ok {
			return nil, false
		}
		return m.AsDuration(), true
	case float:
		return v.Float(), true
	case integer:
		return v.Int(), true
	case unsigned:
		return v.Uint(), true
	}
	return v.Interface(), true
}

// findField finds a field by its name, its JSON name, or regardless of case.
func findField(md protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	fields := md.Fields()
	if fd := fields.ByName(protoreflect.Name(name)); fd != nil {
		return fd
	}
	if fd := fields.ByJSONName(name); fd != nil {
		return fd
	}
	for i := range fields.Len() {
		if strings.EqualFold(string(fields.Get(i).Name()), name) {
			return fields.Get(i)
		}
	}
	return nil
}
