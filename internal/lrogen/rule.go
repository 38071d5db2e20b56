package lrogen

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxKindName is the length of the longest name of a server.Kind.
const maxKindName = 63

// kindName is the name of the kind of a method's operations: the full name of the
// method or, where that is too long, as much of its end as fits with a part of
// its hash. It is stored with operations: what it returns for a name must never
// change.
func kindName(method protoreflect.FullName) string {
	full := string(method)
	isLetter := func(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
	if len(full) <= maxKindName && isLetter(rune(full[0])) {
		return full
	}
	suffix := fmt.Sprintf("-%x", sha256.Sum256([]byte(full)))[:9]
	end := full[max(len(full)-(maxKindName-len(suffix)), 0):]
	if _, segments, ok := strings.Cut(end, "."); ok && len(end) < len(full) {
		end = segments
	}
	return strings.TrimLeftFunc(end, func(r rune) bool { return !isLetter(r) }) + suffix
}

// parentOf returns the path of fields of a request that says under which parent
// its operation is: the field parent; else the field name; else the field name of
// the only message in the request that has one. The last two name a resource, and
// the parent is that of the resource. It returns nil for none.
func parentOf(request *protogen.Message) []*protogen.Field {
	if f := fieldOf(request, "parent", protoreflect.StringKind); f != nil {
		return []*protogen.Field{f}
	}
	if f := fieldOf(request, "name", protoreflect.StringKind); f != nil {
		return []*protogen.Field{f}
	}
	var found []*protogen.Field
	for _, f := range request.Fields {
		if f.Message == nil || f.Desc.IsList() || f.Desc.IsMap() {
			continue
		}
		name := fieldOf(f.Message, "name", protoreflect.StringKind)
		if name == nil {
			continue
		}
		if found != nil {
			return nil
		}
		found = []*protogen.Field{f, name}
	}
	return found
}

// fieldOf returns the singular field of a message with this name and kind, or nil.
func fieldOf(m *protogen.Message, name protoreflect.Name, kind protoreflect.Kind) *protogen.Field {
	for _, f := range m.Fields {
		if f.Desc.Name() == name && f.Desc.Kind() == kind && !f.Desc.IsList() {
			return f
		}
	}
	return nil
}

// getters are the calls that read a path of fields of a message.
func getters(path []*protogen.Field) string {
	var calls strings.Builder
	for _, f := range path {
		get, _ := f.MethodName("Get")
		fmt.Fprintf(&calls, ".%s()", get)
	}
	return calls.String()
}
