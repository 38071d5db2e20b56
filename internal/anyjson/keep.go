package anyjson

import (
	"bytes"
	"encoding/json"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

const (
	typePrefix = "type.googleapis.com/"
	anyName    = "google.protobuf.Any"
	anyURL     = typePrefix + anyName
	stringURL  = typePrefix + "google.protobuf.StringValue"
	statusURL  = typePrefix + "google.rpc.Status"

	// maxDepth is how deep Anys within Anys are looked into: each level is
	// decoded once more than the one outside of it.
	maxDepth = 4
)

// Object is a JSON object, with its fields left as they are.
type Object map[string]json.RawMessage

// ObjectOf reads a JSON object. It reports false for JSON that is no object.
func ObjectOf(text json.RawMessage) (Object, bool) {
	var o Object
	err := json.Unmarshal(text, &o)
	return o, err == nil && o != nil
}

// typeOf returns the "@type" of an Any; empty when there is none.
func typeOf(o Object) string {
	var url string
	if json.Unmarshal(o["@type"], &url) != nil {
		return ""
	}
	return url
}

// text returns the JSON of o, or other where there is none.
func (o Object) text(other json.RawMessage) json.RawMessage {
	text, err := json.Marshal(o)
	if err != nil {
		return other // cannot be: all fields were read as JSON
	}
	return text
}

// keepMessage rewrites the JSON of a message so that every Any in it can be
// read: those that cannot are kept as lrohttp.Untyped says. What does not fit the
// message stays as it is.
func (c Codec) keepMessage(text json.RawMessage, md protoreflect.MessageDescriptor, depth int) json.RawMessage {
	if md.FullName() == anyName {
		return c.keepAny(text, depth)
	}
	o, ok := ObjectOf(text)
	if !ok {
		return text
	}
	c.keepFields(o, md, depth)
	if md.FullName() == "google.longrunning.Operation" && o["error"] != nil && o["response"] != nil {
		// Some services send both. The message can hold only one, and a failure
		// must not turn into a success. An empty error is none.
		if failure, ok := ObjectOf(o["error"]); isNull(o["error"]) || ok && len(failure) == 0 {
			delete(o, "error")
		} else {
			delete(o, "response")
		}
	}
	return o.text(text)
}

func (c Codec) keepFields(o Object, md protoreflect.MessageDescriptor, depth int) {
	for key, text := range o {
		field := md.Fields().ByJSONName(key)
		if field == nil {
			field = md.Fields().ByTextName(key)
		}
		if field != nil {
			o[key] = c.keepField(text, field, depth)
		}
	}
}

func (c Codec) keepField(text json.RawMessage, field protoreflect.FieldDescriptor, depth int) json.RawMessage {
	switch {
	case field.IsMap() && field.MapValue().Message() != nil:
		entries, ok := ObjectOf(text)
		if !ok {
			return text
		}
		for key, value := range entries {
			entries[key] = c.keepMessage(value, field.MapValue().Message(), depth)
		}
		return entries.text(text)
	case field.IsMap() || field.Message() == nil:
		return text
	case field.IsList():
		return c.keepList(text, field.Message(), depth)
	}
	return c.keepMessage(text, field.Message(), depth)
}

// keepList leaves out null, which a list of messages cannot hold.
func (c Codec) keepList(text json.RawMessage, md protoreflect.MessageDescriptor, depth int) json.RawMessage {
	var items []json.RawMessage
	if json.Unmarshal(text, &items) != nil || md.FullName() == "google.protobuf.Value" {
		return text
	}
	kept := make([]json.RawMessage, 0, len(items))
	for _, item := range items {
		if !isNull(item) {
			kept = append(kept, c.keepMessage(item, md, depth))
		}
	}
	if made, err := json.Marshal(kept); err == nil {
		return made
	}
	return text // cannot be: all items were read as JSON
}

// keepAny returns the JSON of an Any, or what is kept in its place.
func (c Codec) keepAny(text json.RawMessage, depth int) json.RawMessage {
	if isNull(text) {
		return text
	}
	o, ok := ObjectOf(text)
	url := typeOf(o)
	if ok && url == "" && (len(o) == 0 || len(o) == 1 && o["@type"] != nil) {
		return json.RawMessage("{}") // an Any with nothing in it
	}
	mt, err := c.types.FindMessageByURL(url)
	if !ok || err != nil || depth >= maxDepth {
		return untyped(text)
	}
	if md := mt.Descriptor(); md.FullName() == anyName && o["value"] != nil {
		o["value"] = c.keepAny(o["value"], depth+1)
	} else {
		c.keepFields(o, md, depth+1)
	}
	kept := o.text(text)
	if c.fromJSON(kept, &anypb.Any{}) != nil {
		return untyped(text)
	}
	return kept
}

// untyped returns the JSON of the Any that is kept in the place of one with
// this text.
func untyped(text json.RawMessage) json.RawMessage {
	var compact bytes.Buffer
	if json.Compact(&compact, text) == nil {
		text = compact.Bytes()
	}
	quoted, err := json.Marshal(string(text))
	if err != nil {
		return json.RawMessage("{}") // cannot be: every string has JSON
	}
	return json.RawMessage(`{"@type":"` + anyURL + `","value":{"@type":"` + stringURL + `","value":` + string(quoted) + `}}`)
}

func isNull(text json.RawMessage) bool { return string(bytes.TrimSpace(text)) == "null" }
