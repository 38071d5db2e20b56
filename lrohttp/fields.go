package lrohttp

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
)

// parameters of a query that are the fields of a request message: strings,
// booleans, numbers and durations are all that the requests have.

// fieldText returns the text of a string field; empty when it is unset or there
// is none.
func fieldText(m proto.Message, name string) string {
	r := m.ProtoReflect()
	f := r.Descriptor().Fields().ByName(protoreflect.Name(name))
	if f == nil || f.Kind() != protoreflect.StringKind || f.IsList() {
		return ""
	}
	return r.Get(f).String()
}

// setText sets a string field, which must exist.
func setText(m proto.Message, name, text string) {
	r := m.ProtoReflect()
	r.Set(r.Descriptor().Fields().ByName(protoreflect.Name(name)), protoreflect.ValueOfString(text))
}

// without returns a copy of m in which the variables of t are unset.
func without(m proto.Message, t *template) proto.Message {
	m = proto.Clone(m)
	r := m.ProtoReflect()
	for _, v := range t.vars {
		r.Clear(r.Descriptor().Fields().ByName(protoreflect.Name(v.field)))
	}
	return m
}

// encodeQuery returns the set fields of m as a query, named as in JSON.
func encodeQuery(m proto.Message) (string, error) {
	query := url.Values{}
	var failed error
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		text, err := encodeField(f, v)
		if err != nil {
			failed = err
			return false
		}
		query.Set(f.JSONName(), text)
		return true
	})
	return query.Encode(), failed
}

func encodeField(f protoreflect.FieldDescriptor, v protoreflect.Value) (string, error) {
	if isDuration(f) {
		text, err := protojson.Marshal(v.Message().Interface())
		return strings.Trim(string(text), `"`), err
	}
	switch f.Kind() {
	case protoreflect.StringKind, protoreflect.BoolKind, protoreflect.Int32Kind:
		if !f.IsList() {
			return v.String(), nil
		}
	}
	return "", fmt.Errorf("field %q cannot be in a query", f.Name())
}

// decodeQuery sets the fields of m from a query. Names may be those of JSON or
// of the proto. What is no field is ignored: system parameters such as $alt
// come with requests of Google's clients. So are fields without text, which are
// unset ones in the requests of Google's clients for Ruby and Go.
func decodeQuery(query string, m proto.Message) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	fields := m.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		given := values[f.JSONName()]
		if name := string(f.Name()); name != f.JSONName() {
			given = append(given, values[name]...)
		}
		for j, text := range given {
			if text != given[0] {
				return fmt.Errorf("query: %s is both %q and %q", f.JSONName(), given[0], given[j])
			}
		}
		if len(given) == 0 || given[0] == "" {
			continue
		}
		v, err := decodeField(f, given[0])
		if err != nil {
			return fmt.Errorf("query: %s: %w", f.JSONName(), err)
		}
		m.ProtoReflect().Set(f, v)
	}
	return nil
}

func decodeField(f protoreflect.FieldDescriptor, text string) (protoreflect.Value, error) {
	var none protoreflect.Value
	if isDuration(f) {
		d := &durationpb.Duration{}
		if err := protojson.Unmarshal([]byte(strconv.Quote(text)), d); err != nil {
			return none, fmt.Errorf("%q is not a duration in seconds, such as \"1.5s\"", text)
		}
		return protoreflect.ValueOfMessage(d.ProtoReflect()), nil
	}
	if f.IsList() {
		return none, errors.New("field cannot be in a query")
	}
	switch f.Kind() {
	case protoreflect.StringKind:
		if !utf8.ValidString(text) {
			return none, errors.New("text is not UTF-8")
		}
		return protoreflect.ValueOfString(text), nil
	case protoreflect.BoolKind:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return none, fmt.Errorf("%q is not true or false", text)
		}
		return protoreflect.ValueOfBool(b), nil
	case protoreflect.Int32Kind:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return none, fmt.Errorf("%q is not a number of 32 bits", text)
		}
		return protoreflect.ValueOfInt32(int32(n)), nil
	}
	return none, errors.New("field cannot be in a query")
}

func isDuration(f protoreflect.FieldDescriptor) bool {
	return f.Message() != nil && f.Message().FullName() == "google.protobuf.Duration" && !f.IsList()
}
