package filter

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// class is what can be done with a value.
type class int8

const (
	text      class = iota // string
	exactText              // string, compared with regard to case
	boolean                // bool
	integer                // int64
	unsigned               // uint64
	float                  // float64
	enum                   // protoreflect.EnumNumber
	timestamp              // time.Time
	duration               // time.Duration
	binary                 // []byte
	message                // protoreflect.Message
	list                   // protoreflect.List
	mapping                // protoreflect.Map
)

// shape is the type of a value.
type shape struct {
	class class
	enum  protoreflect.EnumDescriptor    // of enum
	msg   protoreflect.MessageDescriptor // of message
	elem  *shape                         // of list
	// wrapped: a message that stands for the scalar in its field "value".
	wrapped bool
}

// shapeOf is the shape of a field.
func shapeOf(fd protoreflect.FieldDescriptor) shape {
	switch {
	case fd.IsMap():
		return shape{class: mapping}
	case fd.IsList():
		elem := singular(fd)
		return shape{class: list, elem: &elem}
	}
	return singular(fd)
}

func singular(fd protoreflect.FieldDescriptor) shape {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return shape{class: text}
	case protoreflect.BoolKind:
		return shape{class: boolean}
	case protoreflect.EnumKind:
		return shape{class: enum, enum: fd.Enum()}
	case protoreflect.BytesKind:
		return shape{class: binary}
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return shape{class: float}
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return shape{class: unsigned}
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return messageShape(fd.Message())
	}
	return shape{class: integer}
}

func messageShape(md protoreflect.MessageDescriptor) shape {
	switch md.FullName() {
	case "google.protobuf.Timestamp":
		return shape{class: timestamp, msg: md}
	case "google.protobuf.Duration":
		return shape{class: duration, msg: md}
	case "google.protobuf.StringValue", "google.protobuf.BoolValue", "google.protobuf.BytesValue",
		"google.protobuf.FloatValue", "google.protobuf.DoubleValue",
		"google.protobuf.Int32Value", "google.protobuf.Int64Value",
		"google.protobuf.UInt32Value", "google.protobuf.UInt64Value":
		s := singular(md.Fields().ByNumber(1))
		s.wrapped = true
		return s
	}
	return shape{class: message, msg: md}
}

// check refuses a comparison that no value of the shape can bear.
func (s shape) check(op operator, value literal) error {
	if op == has && value.text == anything {
		return nil
	}
	switch s.class {
	case message:
		return fmt.Errorf("it is a message: compare one of its fields, or use %q", ":*")
	case binary:
		return fmt.Errorf("it holds bytes: only %q can be used", ":*")
	case mapping:
		if op != has {
			return fmt.Errorf("it is a map: use %q with a key, or compare one of its keys", has)
		}
		return nil
	case list:
		if op != has {
			return fmt.Errorf("it is repeated: use %q", has)
		}
		return s.elem.check(equals, value)
	case boolean, enum:
		if op != equals && op != notEquals && op != has {
			return fmt.Errorf("%q does not apply to its type", op)
		}
	}
	_, err := s.parse(value)
	return err
}

// parse reads a value as one of the shape, a scalar.
func (s shape) parse(value literal) (any, error) {
	v := value.text
	switch s.class {
	case text, exactText:
		return v, nil
	case boolean:
		switch strings.ToLower(v) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, fmt.Errorf("%q is neither true nor false", v)
	case enum:
		return parseEnum(s.enum, v)
	case integer, unsigned, float:
		return parseNumber(v)
	case timestamp:
		t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(v))
		if err != nil {
			return nil, fmt.Errorf("%q is not a timestamp of RFC 3339", v)
		}
		return t, nil
	case duration:
		return parseDuration(v)
	}
	return nil, fmt.Errorf("%q cannot be compared with it", v)
}

func parseEnum(ed protoreflect.EnumDescriptor, v string) (protoreflect.EnumNumber, error) {
	values := ed.Values()
	for i := range values.Len() {
		if strings.EqualFold(string(values.Get(i).Name()), v) {
			return values.Get(i).Number(), nil
		}
	}
	if n, err := strconv.ParseInt(v, 10, 32); err == nil {
		return protoreflect.EnumNumber(n), nil
	}
	var names []string
	for i := range values.Len() {
		if name := string(values.Get(i).Name()); !strings.HasSuffix(name, "_UNSPECIFIED") {
			names = append(names, name)
		}
	}
	return 0, fmt.Errorf("%q is not a value of %s; there are %s", v, ed.Name(), listed(names))
}

// parseNumber returns an int64, a uint64 beyond those, or a float64.
func parseNumber(v string) (any, error) {
	if n, err := strconv.ParseInt(v, 0, 64); err == nil {
		return n, nil
	}
	if n, err := strconv.ParseUint(v, 0, 64); err == nil {
		return n, nil
	}
	if f, err := strconv.ParseFloat(v, 64); err == nil {
		return f, nil
	}
	return nil, fmt.Errorf("%q is not a number", v)
}

// parseDuration takes seconds only, such as "1.5s" (AIP-160).
func parseDuration(v string) (any, error) {
	number, ok := strings.CutSuffix(strings.ToLower(v), "s")
	if !ok || strings.Trim(number, "-+0123456789.") != "" {
		return nil, fmt.Errorf("%q is not a duration in seconds, such as %q", v, "20s")
	}
	d, err := time.ParseDuration(number + "s")
	if err != nil {
		return nil, fmt.Errorf("%q is not a duration in seconds, such as %q", v, "20s")
	}
	return d, nil
}
