package lrohttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	typePrefix = "type.googleapis.com/"
	anyName    = "google.protobuf.Any"
	anyURL     = typePrefix + anyName
	structURL  = typePrefix + "google.protobuf.Struct"
	valueURL   = typePrefix + "google.protobuf.Value"
	statusURL  = typePrefix + "google.rpc.Status"

	// maxDepth is how deep Anys within Anys are looked into.
	maxDepth = 16
	// maxNesting is how deep messages may be nested to be read: as in protobuf
	// for C++ and Java. protojson would take 10,000 levels, and time that grows
	// with the square of them for Anys within Anys.
	maxNesting = 100
	// maxPlain is how deep the JSON in a Struct is nested; below, it is text. A
	// level of JSON is two of maxNesting.
	maxPlain = 40
)

// Untyped tells what stands in an Any that was read from JSON and whose type is
// not linked into the program, or whose JSON does not fit the type. Without its
// descriptor a message cannot be had from its JSON, so such an Any is kept as an
// Any within an Any: the inner one is a google.protobuf.Struct with the JSON,
// "@type" included. It does not have the type that the service named, since who
// trusts the type of an Any must not be given other bytes than that type's, and
// not the type Struct, lest somebody who waits for a Struct takes it for one.
//
// Untyped returns the type URL that the service sent, empty when it sent none,
// and the other fields. Whole numbers that a float64 cannot hold are strings, as
// protobuf writes them. It reports false for any other Any.
func Untyped(a *anypb.Any) (typeURL string, fields map[string]any, ok bool) {
	inner, s := &anypb.Any{}, &structpb.Struct{}
	if a.GetTypeUrl() != anyURL || a.UnmarshalTo(inner) != nil || inner.UnmarshalTo(s) != nil {
		return "", nil, false
	}
	fields = s.AsMap()
	typeURL, ok = fields["@type"].(string)
	delete(fields, "@type")
	return typeURL, fields, ok
}

// keepUnknown rewrites the JSON of a message so that every Any in it can be
// read: those that cannot are kept as [Untyped] says. It reports false when text
// is not JSON.
func (c codec) keepUnknown(text []byte, md protoreflect.MessageDescriptor) ([]byte, bool) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, false
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	kept, err := json.Marshal(c.keepMessage(tree, md, 0))
	return kept, err == nil
}

func (c codec) keepMessage(v any, md protoreflect.MessageDescriptor, depth int) any {
	if md.FullName() == anyName {
		return c.keepAny(v, depth)
	}
	object, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for key, value := range object {
		field := md.Fields().ByJSONName(key)
		if field == nil {
			field = md.Fields().ByTextName(key)
		}
		if field != nil {
			object[key] = c.keepField(value, field, depth)
		}
	}
	if md.FullName() == "google.longrunning.Operation" && object["error"] != nil {
		// Some services send both. The message can hold only one, and a failure
		// must not turn into a success.
		delete(object, "response")
	}
	return object
}

func (c codec) keepField(v any, field protoreflect.FieldDescriptor, depth int) any {
	switch {
	case field.IsMap() && field.MapValue().Message() != nil:
		if entries, ok := v.(map[string]any); ok {
			for key, value := range entries {
				entries[key] = c.keepMessage(value, field.MapValue().Message(), depth)
			}
		}
	case field.IsMap() || field.Message() == nil:
	case field.IsList():
		if items, ok := v.([]any); ok {
			return c.keepList(items, field.Message(), depth)
		}
	default:
		return c.keepMessage(v, field.Message(), depth)
	}
	return v
}

// keepList leaves out null, which a list of messages cannot hold.
func (c codec) keepList(items []any, md protoreflect.MessageDescriptor, depth int) []any {
	kept := make([]any, 0, len(items))
	for _, item := range items {
		if item != nil || md.FullName() == "google.protobuf.Value" {
			kept = append(kept, c.keepMessage(item, md, depth))
		}
	}
	return kept
}

// keepAny returns v, the JSON of an Any, or what is kept in its place.
func (c codec) keepAny(v any, depth int) any {
	object, ok := v.(map[string]any)
	switch {
	case v == nil:
		return nil
	case !ok:
		return untyped(valueURL, v)
	}
	url, _ := object["@type"].(string)
	if url == "" && len(object) == countOf(object, "@type") {
		return map[string]any{} // an Any with nothing in it
	}
	mt, err := c.types.FindMessageByURL(url)
	if err != nil || depth >= maxDepth {
		return keepObject(object)
	}
	typed := map[string]any{"@type": url}
	if md := mt.Descriptor(); md.FullName() == anyName {
		typed["value"] = c.keepAny(object["value"], depth+1)
	} else if hasOwnJSON(md) {
		typed["value"] = object["value"]
	} else {
		for key, value := range object {
			if key != "@type" {
				typed[key] = value
			}
		}
		c.keepMessage(typed, md, depth+1)
	}
	if text, err := json.Marshal(typed); err != nil || c.fromJSON(text, &anypb.Any{}) != nil {
		return keepObject(object)
	}
	return typed
}

func countOf(object map[string]any, key string) int {
	if _, ok := object[key]; ok {
		return 1
	}
	return 0
}

func keepObject(object map[string]any) any {
	if _, ok := object["@type"].(string); !ok {
		object["@type"] = ""
	}
	return untyped(structURL, object)
}

// untyped returns the JSON of an Any that holds an Any of the given type, a
// Struct or Value of v.
func untyped(url string, v any) any {
	return map[string]any{"@type": anyURL, "value": map[string]any{"@type": url, "value": plain(v, 0)}}
}

// plain copies JSON, with strings in the place of what a Struct cannot hold:
// large numbers, and what is nested too deep.
func plain(v any, depth int) any {
	switch v := v.(type) {
	case map[string]any:
		if depth == maxPlain {
			return textOfJSON(v)
		}
		object := make(map[string]any, len(v))
		for key, value := range v {
			object[key] = plain(value, depth+1)
		}
		return object
	case []any:
		if depth == maxPlain {
			return textOfJSON(v)
		}
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = plain(item, depth+1)
		}
		return list
	case json.Number:
		return plainNumber(v)
	}
	return v
}

func plainNumber(n json.Number) any {
	f, err := strconv.ParseFloat(n.String(), 64)
	if err != nil {
		return n.String()
	}
	if exact, ok := new(big.Int).SetString(n.String(), 10); ok {
		if back, _ := big.NewFloat(f).Int(nil); back.Cmp(exact) != 0 {
			return n.String()
		}
	}
	return n
}

func textOfJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "" // cannot be: it was read as JSON
	}
	return string(text)
}

// hasOwnJSON reports whether a message has a JSON form of its own, which in an
// Any stands in the field "value".
func hasOwnJSON(md protoreflect.MessageDescriptor) bool {
	if md.FullName().Parent() != "google.protobuf" {
		return false
	}
	switch md.Name() {
	case "Any", "Timestamp", "Duration", "Empty", "Struct", "Value", "ListValue", "FieldMask",
		"BoolValue", "BytesValue", "DoubleValue", "FloatValue", "Int32Value", "Int64Value",
		"StringValue", "UInt32Value", "UInt64Value":
		return true
	}
	return false
}
