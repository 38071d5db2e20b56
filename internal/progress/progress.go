package progress

import (
	"encoding/json"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Facts are what metadata says. A text, a time or a number that it does not
// have is the zero value, except for Percent.
type Facts struct {
	// Percent is from 0 to 100, and negative when it is not known. A field that
	// is 0 counts as not known, because a message does not tell 0 from unset;
	// with a total, 0 of it is known.
	Percent float64
	// Done and Total count the work. Total is 0 when it is not known.
	Done, Total int64
	Unit        string // what Done counts
	Step        string // what is being worked on

	State           State
	Kind            string // what the operation does, such as "create"
	Target          string
	Message         string // for people
	CancelRequested bool
	Attempt         int64

	// Times are in UTC and within the years 1 to 9999. The Unix epoch counts as
	// unset: it is what a Timestamp without fields stands for.
	Created, Started, Updated, Ended time.Time

	// Type is the full name of the metadata's type as the service sent it, empty
	// for JSON without "@type".
	Type string
}

// State is what metadata can say of an operation that is not done.
type State int

// The states. What metadata says beyond them, such as that an operation has
// succeeded, is for the operation itself to say.
const (
	Unknown State = iota
	Pending
	Running
)

// None are the facts of an operation without metadata.
func None() Facts { return Facts{Percent: -1} }

// OfAny reads packed metadata: by its JSON if that is what was kept of it (see
// [Kept]), else by the message that decode returns. A nil decode finds the
// types that are linked into the program. Metadata that does not decode has a
// type and no other facts.
func OfAny(a *anypb.Any, decode func(*anypb.Any) proto.Message) Facts {
	if a == nil {
		return None()
	}
	if _, text, ok := Kept(a); ok {
		return OfJSON(text)
	}
	if decode == nil {
		decode = linked
	}
	f := None()
	if m := decode(a); m != nil {
		f = Of(m.ProtoReflect())
	}
	f.Type = string(a.MessageName())
	return f
}

func linked(a *anypb.Any) proto.Message {
	m, err := anypb.UnmarshalNew(a, proto.UnmarshalOptions{AllowPartial: true})
	if err != nil {
		return nil
	}
	return m
}

// Of reads metadata of any type.
func Of(m protoreflect.Message) Facts {
	f := read(objectOf(m))
	f.Type = string(m.Descriptor().FullName())
	return f
}

// OfJSON reads metadata in the JSON mapping of protobuf, with or without
// "@type". Fields may be named as in JSON or as in the proto file.
func OfJSON(text []byte) Facts {
	var members map[string]any
	if json.Unmarshal(text, &members) != nil {
		return None()
	}
	f := read(fieldsOf(members))
	if url, ok := members["@type"].(string); ok {
		f.Type = url[strings.LastIndexByte(url, '/')+1:]
	}
	return f
}

// Kept returns the type URL and the JSON of an Any that was read from JSON and
// whose type was not known there: an Any with an Any that holds the JSON in a
// google.protobuf.StringValue. Package lrohttp makes these and says why. The
// type URL is empty if the JSON has none. Kept reports false for any other Any.
func Kept(a *anypb.Any) (typeURL string, text []byte, ok bool) {
	inner, s := &anypb.Any{}, &wrapperspb.StringValue{}
	if a.GetTypeUrl() != "type.googleapis.com/google.protobuf.Any" || a.UnmarshalTo(inner) != nil ||
		inner.UnmarshalTo(s) != nil || !json.Valid([]byte(s.GetValue())) {
		return "", nil, false
	}
	text = []byte(s.GetValue())
	var o struct {
		URL json.RawMessage `json:"@type"`
	}
	if json.Unmarshal(text, &o) == nil && json.Unmarshal(o.URL, &typeURL) != nil {
		typeURL = ""
	}
	return typeURL, text, true
}

// WholePercent is Percent without its fraction, -1 when it is not known.
func (f Facts) WholePercent() int {
	if f.Percent < 0 {
		return -1
	}
	return int(math.Floor(f.Percent + 1e-9)) // 0.29 is 28.999999999999996 %
}

// TypeKind is the kind that the metadata's type stands for, such as
// "ExportBooks" for ExportBooksMetadata; empty for a type that many kinds
// share, such as OperationMetadata or google.protobuf.Struct.
func (f Facts) TypeKind() string {
	pkg, name := "", f.Type
	if i := strings.LastIndexByte(f.Type, '.'); i >= 0 {
		pkg, name = f.Type[:i], f.Type[i+1:]
	}
	name = strings.TrimSuffix(name, "Metadata")
	if pkg == "google.protobuf" || pkg == "google.rpc" || name == "Operation" {
		return ""
	}
	return name
}
