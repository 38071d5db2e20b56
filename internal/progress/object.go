package progress

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
)

// object is a message, or the JSON of one.
type object interface {
	// get returns a field by its name in the proto file: a string (also for the
	// name of an enum's value), bool, int64, float64, jsonNumber, time.Time,
	// object or []object, and nil for a field that is not set or of any other
	// type.
	get(name string) any
	// names returns the names of the fields that are set, sorted.
	names() []string
}

// message is an object by reflection: its type may be a dynamic one.
type message struct{ m protoreflect.Message }

func objectOf(m protoreflect.Message) object {
	if s, ok := m.Interface().(*structpb.Struct); ok {
		return fieldsOf(s.AsMap())
	}
	return message{m}
}

func (o message) get(name string) any {
	fd := o.m.Descriptor().Fields().ByName(protoreflect.Name(name))
	if fd == nil || fd.IsMap() || !o.m.Has(fd) {
		return nil
	}
	v := o.m.Get(fd)
	if !fd.IsList() {
		return valueOf(fd, v)
	}
	if fd.Message() == nil {
		return nil
	}
	list := make([]object, v.List().Len())
	for i := range list {
		list[i] = objectOf(v.List().Get(i).Message())
	}
	return list
}

func valueOf(fd protoreflect.FieldDescriptor, v protoreflect.Value) any {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return v.String()
	case protoreflect.BoolKind:
		return v.Bool()
	case protoreflect.EnumKind:
		if value := fd.Enum().Values().ByNumber(v.Enum()); value != nil {
			return string(value.Name())
		}
		return nil
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind,
		protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return v.Int()
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return int64(min(v.Uint(), math.MaxInt64))
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return v.Float()
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return messageValue(v.Message())
	}
	return nil
}

// messageValue is a message as JSON has it: well-known types stand for a value.
func messageValue(m protoreflect.Message) any {
	md := m.Descriptor()
	if md.ParentFile().Package() != "google.protobuf" {
		return objectOf(m)
	}
	switch name := string(md.Name()); {
	case name == "Timestamp":
		seconds, nanos := md.Fields().ByName("seconds"), md.Fields().ByName("nanos")
		if seconds == nil || nanos == nil {
			return nil
		}
		return timestamp(m.Get(seconds).Int(), m.Get(nanos).Int())
	case name == "Struct":
		return objectOf(m)
	case strings.HasSuffix(name, "Value"):
		if fd := md.Fields().ByName("value"); fd != nil && fd.Message() == nil && !fd.IsList() {
			return valueOf(fd, m.Get(fd))
		}
	}
	return nil
}

func timestamp(seconds, nanos int64) any {
	const first, last = -62135596800, 253402300799 // years 1 to 9999, as the type has them
	if seconds < first || seconds > last || nanos < 0 || nanos > 999_999_999 {
		return nil
	}
	return time.Unix(seconds, nanos).UTC()
}

func (o message) names() []string {
	var names []string
	o.m.Range(func(fd protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		names = append(names, string(fd.Name()))
		return true
	})
	slices.Sort(names)
	return names
}

// fields are the members of a JSON object by their names in the proto file.
type fields map[string]any

// jsonNumber is a number of JSON, where 1 may be an integer or not.
type jsonNumber float64

func fieldsOf(members map[string]any) object {
	o := make(fields, len(members))
	for key, v := range members {
		name := protoName(key)
		if _, twice := o[name]; !twice || key != name {
			o[name] = v
		}
	}
	return o
}

// protoName returns the name in the proto file of a field that JSON calls key:
// create_time for createTime.
func protoName(key string) string {
	var b strings.Builder
	for _, r := range key {
		if 'A' <= r && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (o fields) get(name string) any {
	switch v := o[name].(type) {
	case string, bool:
		return v
	case float64:
		return jsonNumber(v)
	case map[string]any:
		return fieldsOf(v)
	case []any:
		var list []object
		for _, item := range v {
			if item, ok := item.(map[string]any); ok {
				list = append(list, fieldsOf(item))
			}
		}
		return list
	}
	return nil
}

func (o fields) names() []string {
	var names []string
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// parsed reads a number that is a text: JSON has 64-bit integers so.
func parsed(s string) (x float64, whole, ok bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return float64(n), true, true
	}
	x, err := strconv.ParseFloat(s, 64)
	return x, false, err == nil && !math.IsNaN(x) && !math.IsInf(x, 0)
}

func parsedInt(s string) (int64, bool) {
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return int64(min(n, math.MaxInt64)), true
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

func wholeOf(x float64) (int64, bool) {
	if x != math.Trunc(x) || math.Abs(x) > 1<<53 {
		return 0, false
	}
	return int64(x), true
}
