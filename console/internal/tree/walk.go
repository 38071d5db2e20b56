package tree

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// maxDepth bounds how deep messages may nest; what lies deeper is left out.
const maxDepth = 32

// Decode returns the message in an Any, nil when its type is not known or its
// bytes are not of it.
type Decode func(*anypb.Any) proto.Message

// sink takes what a walk meets.
type sink interface {
	open(object bool)
	// key begins a member of an object: its name as filters spell it, and in
	// JSON. It reports whether the walk is to go into it.
	key(name, json string) bool
	// item begins element i of a list of n. If it returns false, the rest is
	// left out.
	item(i, n int) bool
	// of tells the type URL of the Any that was opened last.
	of(url string)
	scalar(v any)
	// raw tells of bytes without a known type.
	raw(b []byte)
	close()
}

// What scalar gets besides string, bool and nil.
type (
	number  string    // stands bare in JSON
	integer string    // 64 bit: quoted in JSON
	instant time.Time // a Timestamp
	word    string    // of a fixed set, such as the name of an enum's value
)

// walker walks over one message.
type walker struct {
	sink
	decode Decode
	depth  int
}

func (w *walker) message(m protoreflect.Message) {
	if w.special(m) {
		return
	}
	w.open(true)
	w.fields(m)
	w.close()
}

// special handles messages whose JSON is not an object of their fields.
func (w *walker) special(m protoreflect.Message) bool {
	name := m.Descriptor().FullName()
	if name.Parent() != "google.protobuf" {
		return false
	}
	fields := m.Descriptor().Fields()
	get := func(name protoreflect.Name) protoreflect.Value { return m.Get(fields.ByName(name)) }
	switch name.Name() {
	case "Any":
		w.any(&anypb.Any{TypeUrl: get("type_url").String(), Value: get("value").Bytes()})
	case "Timestamp":
		t, ok := timestamp(get("seconds").Int(), get("nanos").Int())
		if !ok {
			return false
		}
		w.scalar(instant(t))
	case "Duration":
		d, ok := duration(get("seconds").Int(), get("nanos").Int())
		if !ok {
			return false
		}
		w.scalar(word(d))
	case "FieldMask":
		w.scalar(joinPaths(get("paths").List()))
	case "DoubleValue", "FloatValue", "Int64Value", "UInt64Value", "Int32Value", "UInt32Value",
		"BoolValue", "StringValue", "BytesValue":
		w.value(fields.ByName("value"), get("value"))
	case "Struct":
		w.open(true)
		w.mapping(fields.ByName("fields"), get("fields").Map())
		w.close()
	case "ListValue":
		w.list(fields.ByName("values"), get("values").List())
	case "Value":
		fd := m.WhichOneof(m.Descriptor().Oneofs().ByName("kind"))
		if fd == nil || fd.Name() == "null_value" {
			w.scalar(nil)
			return true
		}
		w.value(fd, m.Get(fd))
	default:
		return false
	}
	return true
}

func (w *walker) fields(m protoreflect.Message) {
	type field struct {
		fd protoreflect.FieldDescriptor
		v  protoreflect.Value
	}
	var set []field
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		set = append(set, field{fd, v})
		return true
	})
	slices.SortFunc(set, func(a, b field) int { return cmp.Compare(a.fd.Number(), b.fd.Number()) })
	for _, f := range set {
		name := f.fd.TextName()
		json := f.fd.JSONName()
		if f.fd.IsExtension() {
			json = name
		}
		if w.key(name, json) {
			w.field(f.fd, f.v)
		}
	}
}

func (w *walker) field(fd protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch {
	case fd.IsMap():
		w.open(true)
		w.mapping(fd, v.Map())
		w.close()
	case fd.IsList():
		w.list(fd, v.List())
	default:
		w.value(fd, v)
	}
}

// mapping goes into the members of an object that is open.
func (w *walker) mapping(fd protoreflect.FieldDescriptor, m protoreflect.Map) {
	keys := make([]protoreflect.MapKey, 0, m.Len())
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })
	for _, k := range keys {
		if w.key(k.String(), k.String()) {
			w.value(fd.MapValue(), m.Get(k))
		}
	}
}

func (w *walker) list(fd protoreflect.FieldDescriptor, l protoreflect.List) {
	w.open(false)
	defer w.close()
	for i := range l.Len() {
		if !w.item(i, l.Len()) {
			return
		}
		w.value(fd, l.Get(i))
	}
}

// value handles one value that is no list and no map.
func (w *walker) value(fd protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch fd.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		if w.depth == maxDepth {
			w.open(true)
			w.close()
			return
		}
		w.depth++
		w.message(v.Message())
		w.depth--
	case protoreflect.BoolKind:
		w.scalar(v.Bool())
	case protoreflect.StringKind:
		w.scalar(v.String())
	case protoreflect.BytesKind:
		w.scalar(word(base64.StdEncoding.EncodeToString(v.Bytes())))
	case protoreflect.EnumKind:
		w.scalar(enum(fd.Enum(), v.Enum()))
	case protoreflect.FloatKind:
		w.scalar(float(v.Float(), 32))
	case protoreflect.DoubleKind:
		w.scalar(float(v.Float(), 64))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind,
		protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		w.scalar(integer(v.String()))
	default:
		w.scalar(number(v.String()))
	}
}

// any goes into an Any. It is an object with "@type" first, and what has no
// fields of its own in "value".
func (w *walker) any(a *anypb.Any) {
	w.open(true)
	defer w.close()
	if a.GetTypeUrl() == "" && len(a.GetValue()) == 0 {
		return
	}
	var m proto.Message
	if w.depth < maxDepth {
		m = w.decode(a)
	}
	if s, ok := m.(*structpb.Struct); ok && a.MessageName() == "google.protobuf.Any" {
		w.untyped(s)
		return
	}
	w.of(a.GetTypeUrl())
	if m == nil {
		w.raw(a.GetValue())
		return
	}
	w.depth++
	defer func() { w.depth-- }()
	if r := m.ProtoReflect(); !isSpecial(r) {
		w.fields(r)
	} else if w.key("value", "value") {
		w.message(r)
	}
}

// untyped goes into the JSON of an Any whose type is not known: what a [Decode]
// returns for an Any that holds just that.
func (w *walker) untyped(s *structpb.Struct) {
	members := maps.Clone(s.GetFields())
	if url := members["@type"].GetStringValue(); url != "" {
		w.of(url)
		delete(members, "@type")
	}
	w.depth++
	defer func() { w.depth-- }()
	r := (&structpb.Struct{Fields: members}).ProtoReflect()
	fd := r.Descriptor().Fields().ByName("fields")
	w.mapping(fd, r.Get(fd).Map())
}

// isSpecial reports whether special would handle m.
func isSpecial(m protoreflect.Message) bool {
	w := walker{sink: discard{}, decode: func(*anypb.Any) proto.Message { return nil }}
	return w.special(m)
}

func enum(ed protoreflect.EnumDescriptor, n protoreflect.EnumNumber) any {
	if ed.FullName() == "google.protobuf.NullValue" {
		return nil
	}
	if v := ed.Values().ByNumber(n); v != nil {
		return word(v.Name())
	}
	return number(strconv.Itoa(int(n)))
}

func float(f float64, bits int) any {
	switch s := strconv.FormatFloat(f, 'g', -1, bits); s {
	case "NaN":
		return word(s)
	case "+Inf":
		return word("Infinity")
	case "-Inf":
		return word("-Infinity")
	default:
		return number(s)
	}
}

// timestamp refuses what has no text of RFC 3339.
func timestamp(seconds, nanos int64) (time.Time, bool) {
	const least, most = -62135596800, 253402300799 // years 1 to 9999
	if seconds < least || seconds > most || nanos < 0 || nanos >= 1e9 {
		return time.Time{}, false
	}
	return time.Unix(seconds, nanos).UTC(), true
}

func duration(seconds, nanos int64) (string, bool) {
	const most = 315576000000 // about 10,000 years, see duration.proto
	if max(seconds, -seconds) > most || seconds == -seconds && seconds != 0 ||
		nanos <= -1e9 || nanos >= 1e9 || seconds > 0 && nanos < 0 || seconds < 0 && nanos > 0 {
		return "", false
	}
	sign := ""
	if seconds < 0 || nanos < 0 {
		sign, seconds, nanos = "-", -seconds, -nanos
	}
	return fmt.Sprintf("%s%d%ss", sign, seconds, fraction(nanos)), true
}

// fraction is the part of a second with 0, 3, 6 or 9 digits, as protobuf's JSON
// has it.
func fraction(nanos int64) string {
	text := fmt.Sprintf(".%09d", nanos)
	for range 3 {
		text = strings.TrimSuffix(text, "000")
	}
	return strings.TrimSuffix(text, ".")
}

func joinPaths(paths protoreflect.List) string {
	var b strings.Builder
	for i := range paths.Len() {
		if i > 0 {
			b.WriteByte(',')
		}
		upper := false
		for _, r := range paths.Get(i).String() {
			switch {
			case r == '_':
				upper = true
				continue
			case upper:
				r = unicode.ToUpper(r)
			}
			upper = false
			b.WriteRune(r)
		}
	}
	return b.String()
}

// discard is a sink that stays at the surface.
type discard struct{}

func (discard) open(bool)               {}
func (discard) key(string, string) bool { return false }
func (discard) item(int, int) bool      { return false }
func (discard) of(string)               {}
func (discard) scalar(any)              {}
func (discard) raw([]byte)              {}
func (discard) close()                  {}
