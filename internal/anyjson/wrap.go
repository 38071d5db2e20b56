package anyjson

import (
	"encoding/json"
	"strings"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// An Any has no JSON when the writer does not know its type, or its message has
// none, such as a timestamp beyond the year 9999. What a handler sends in its
// place must be of a type that every client knows, or Google's clients fail, and
// the one for Node tries again for ten minutes. The only such types are those of
// the service itself: of google.protobuf.Struct, BytesValue and
// google.rpc.ErrorInfo, one or more of Google's clients for Go, Python and Node
// know nothing unless the program happens to link it. So it is a
// google.rpc.Status, whose message tells a person what it is and lets a [Client]
// restore the Any as it was.
const wrapMark = "an Any that this server cannot write as JSON: "

// wrapped is what follows wrapMark, in JSON.
type wrapped struct {
	TypeURL string `json:"@type"`
	Value   []byte `json:"value"` // the message's encoding, in base64
}

func wrap(a *anypb.Any) *anypb.Any {
	text, err := json.Marshal(wrapped{a.GetTypeUrl(), a.GetValue()})
	if err != nil {
		text = nil // cannot be: a string and bytes
	}
	st := &spb.Status{Code: int32(codes.Unimplemented), Message: wrapMark + string(text)}
	value, err := proto.Marshal(st)
	if err != nil {
		value = nil // cannot be: json.Marshal makes valid UTF-8
	}
	return &anypb.Any{TypeUrl: statusURL, Value: value}
}

// unwrap undoes wrap. It returns nil for anything else.
func unwrap(a *anypb.Any) *anypb.Any {
	st := &spb.Status{}
	if !a.MessageIs(st) || a.UnmarshalTo(st) != nil {
		return nil
	}
	text, ok := strings.CutPrefix(st.GetMessage(), wrapMark)
	if !ok {
		return nil
	}
	var w wrapped
	if json.Unmarshal([]byte(text), &w) != nil {
		return nil
	}
	return &anypb.Any{TypeUrl: w.TypeURL, Value: w.Value}
}

// wrapAnys replaces, in m, every Any that has no JSON.
func (c Codec) wrapAnys(m proto.Message) {
	c.eachAny(m.ProtoReflect(), 0, func(a *anypb.Any) *anypb.Any {
		if a.GetTypeUrl() != "" {
			if _, err := c.ToJSON(a); err == nil {
				return nil
			}
		}
		return wrap(a)
	})
}

// unwrapAnys restores, in m, every Any that a handler replaced.
func (c Codec) unwrapAnys(m proto.Message) { c.eachAny(m.ProtoReflect(), 0, unwrap) }

// eachAny calls f for every Any in m, also for those inside other Anys, and
// those inside first. What f returns replaces the Any, unless it is nil. It
// reports whether it changed anything.
func (c Codec) eachAny(m protoreflect.Message, depth int, f func(*anypb.Any) *anypb.Any) (changed bool) {
	if a, ok := m.Interface().(*anypb.Any); ok {
		changed = c.eachAnyIn(a, depth, f)
		if other := f(a); other != nil {
			a.TypeUrl, a.Value, changed = other.GetTypeUrl(), other.GetValue(), true
		}
		return changed
	}
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case field.IsMap() && field.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				changed = c.eachAny(v.Message(), depth, f) || changed
				return true
			})
		case field.IsMap() || field.Message() == nil:
		case field.IsList():
			for i := range v.List().Len() {
				changed = c.eachAny(v.List().Get(i).Message(), depth, f) || changed
			}
		default:
			changed = c.eachAny(v.Message(), depth, f) || changed
		}
		return true
	})
	return changed
}

// eachAnyIn does the same for the message in a, where its type is known.
func (c Codec) eachAnyIn(a *anypb.Any, depth int, f func(*anypb.Any) *anypb.Any) bool {
	if depth >= maxDepth {
		return false
	}
	mt, err := c.types.FindMessageByURL(a.GetTypeUrl())
	if err != nil {
		return false
	}
	m := mt.New()
	if (proto.UnmarshalOptions{AllowPartial: true, Resolver: c.types}).Unmarshal(a.GetValue(), m.Interface()) != nil {
		return false
	}
	if !c.eachAny(m, depth+1, f) {
		return false
	}
	value, err := proto.MarshalOptions{AllowPartial: true, Deterministic: true}.Marshal(m.Interface())
	if err != nil {
		return false
	}
	a.Value = value
	return true
}
