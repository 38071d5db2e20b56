package lrohttp

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/internal/httperror"
)

// This file puts fields of request messages into paths and queries. Strings,
// booleans, numbers of 32 bits and durations are all that those of Operations
// have.

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

// badParameter is a parameter of a query that cannot be a field.
type badParameter struct {
	name, value string
	problem     string // of value
}

func (b *badParameter) Error() string {
	return fmt.Sprintf("query: %s: %q %s", b.name, b.value, b.problem)
}

// decodeQuery sets the fields of m from a query. Names may be those of JSON or
// of the proto. Fields without text are ignored: they are unset ones in the
// requests of Google's clients for Ruby and Go.
func decodeQuery(query string, m proto.Message) *badParameter {
	values, err := url.ParseQuery(query)
	if err != nil {
		return &badParameter{"the whole", httperror.Clip(query), err.Error()}
	}
	if bad := unknownParameter(values, m.ProtoReflect().Descriptor().Fields()); bad != nil {
		return bad
	}
	fields := m.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		given := values[f.JSONName()]
		if name := string(f.Name()); name != f.JSONName() {
			given = append(given, values[name]...)
		}
		for _, text := range given {
			if text != given[0] {
				return &badParameter{f.JSONName(), httperror.Clip(text), "contradicts " + strconv.Quote(httperror.Clip(given[0]))}
			}
		}
		if len(given) == 0 || given[0] == "" {
			continue
		}
		v, problem := decodeField(f, given[0])
		if problem != "" {
			return &badParameter{f.JSONName(), httperror.Clip(given[0]), problem}
		}
		m.ProtoReflect().Set(f, v)
	}
	return nil
}

// systemParameters are those that Google's APIs take with every request, and
// that its clients send; see cloud.google.com/apis/docs/system-parameters. They
// change nothing here. Each may begin with "$" too.
var systemParameters = []string{
	"access_token", "alt", "apiFormat", "callback", "fields", "key", "oauth_token", "pp",
	"prettyPrint", "quotaUser", "trace", "uploadType", "upload_protocol", "userIp", "userProject",
}

// unknownParameter returns a parameter that is neither a field nor a system
// parameter: a misspelt filter must not list everything. One that begins with
// "$" is a system parameter, since no field does. A default value is ignored,
// because some clients send each field that they know and may be newer than this
// server.
func unknownParameter(values url.Values, fields protoreflect.FieldDescriptors) *badParameter {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if strings.HasPrefix(name, "$") || slices.Contains(systemParameters, name) ||
			fields.ByJSONName(name) != nil || utf8.ValidString(name) && fields.ByName(protoreflect.Name(name)) != nil {
			continue
		}
		for _, text := range values[name] {
			if text != "" && text != "0" && text != "false" {
				return &badParameter{httperror.Clip(name), httperror.Clip(text), "is for a field that does not exist; there are " + fieldNames(fields)}
			}
		}
	}
	return nil
}

// fieldNames lists the fields that can be in a query.
func fieldNames(fields protoreflect.FieldDescriptors) string {
	var names []string
	for i := range fields.Len() {
		names = append(names, fields.Get(i).JSONName())
	}
	return strings.Join(names, ", ")
}

// decodeField returns the value of a field, or what is wrong with its text.
func decodeField(f protoreflect.FieldDescriptor, text string) (v protoreflect.Value, problem string) {
	if isDuration(f) {
		d := &durationpb.Duration{}
		if err := protojson.Unmarshal([]byte(strconv.Quote(text)), d); err != nil {
			return v, `is not a duration in seconds, such as "1.5s"`
		}
		return protoreflect.ValueOfMessage(d.ProtoReflect()), ""
	}
	if f.IsList() {
		return v, "is for a field that cannot be in a query"
	}
	switch f.Kind() {
	case protoreflect.StringKind:
		if !utf8.ValidString(text) {
			return v, "is not UTF-8"
		}
		return protoreflect.ValueOfString(text), ""
	case protoreflect.BoolKind:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return v, "is not true or false"
		}
		return protoreflect.ValueOfBool(b), ""
	case protoreflect.Int32Kind:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return v, "is not a number of 32 bits"
		}
		return protoreflect.ValueOfInt32(int32(n)), ""
	}
	return v, "is for a field that cannot be in a query"
}

func isDuration(f protoreflect.FieldDescriptor) bool {
	return f.Message() != nil && f.Message().FullName() == "google.protobuf.Duration" && !f.IsList()
}
