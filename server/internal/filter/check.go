package filter

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Types are the messages that operations may hold, to refuse a filter over a
// field that none of them has. Without any, every field of metadata and
// response is accepted, and matches where it is found.
type Types struct {
	Metadata, Response []protoreflect.MessageDescriptor
	// Kinds are the registered kinds. A comparison with what stands behind the last
	// dot of one, which no other has, is one with it too.
	Kinds []string
}

var errUnknownField = errors.New("no such field")

// rootFields are the fields that every operation has.
var rootFields = []string{
	"name", "done", "state", "kind", "create_time", "start_time", "update_time", "end_time", "expire_time", "error", "metadata", "response",
}

// unknownField says what there is instead.
func unknownField(have []string) error {
	return fmt.Errorf("%w; there are %s", errUnknownField, listed(have))
}

// fieldNames returns the names of the fields of a message.
func fieldNames(md protoreflect.MessageDescriptor) []string {
	names := make([]string, md.Fields().Len())
	for i := range names {
		names[i] = string(md.Fields().Get(i).Name())
	}
	return names
}

// maxListed bounds how many names an error lists.
const maxListed = 20

func listed(names []string) string {
	if len(names) > maxListed {
		names = append(slices.Clone(names[:maxListed]), "...")
	}
	return strings.Join(names, ", ")
}

// check refuses a comparison that no operation could meet.
func (t Types) check(r restriction) error {
	if err := t.checkPath(r); err != nil {
		return fmt.Errorf("field %q: %w", strings.Join(r.path, "."), err)
	}
	return nil
}

func (t Types) checkPath(r restriction) error {
	root, rest := strings.ToLower(r.path[0]), r.path[1:]
	switch root {
	case "metadata":
		return checkAny(t.Metadata, rest, r)
	case "response":
		return checkAny(t.Response, rest, r)
	case "error":
		return checkMessage((&spb.Status{}).ProtoReflect().Descriptor(), rest, r, false)
	}
	var s shape
	switch root {
	case "name":
		s = textShape
	case "done":
		s = boolShape
	case "kind":
		s = kindShape
	case "state":
		s = stateShape
	default:
		if times[root] == nil {
			return unknownField(rootFields)
		}
		s = timeShape
	}
	if len(rest) > 0 {
		return errUnknownField
	}
	return s.check(r.op, r.value)
}

// checkAny checks a path into a message that is one of candidates. It has to
// fit one of them.
func checkAny(candidates []protoreflect.MessageDescriptor, path []string, r restriction) error {
	switch {
	case len(path) == 0:
		return shape{class: message}.check(r.op, r.value)
	case path[0] == typeField:
		if len(path) > 1 {
			return errUnknownField
		}
		return nil
	}
	var first error
	for _, md := range candidates {
		err := checkMessage(md, path, r, false)
		if err == nil {
			return nil
		}
		if first == nil || errors.Is(first, errUnknownField) {
			first = err
		}
	}
	return first
}

func checkMessage(md protoreflect.MessageDescriptor, path []string, r restriction, repeated bool) error {
	if md.FullName() == "google.protobuf.Any" {
		return checkAny(nil, path, r)
	}
	if len(path) == 0 {
		return checkLeaf(messageShape(md), r, repeated)
	}
	fd := findField(md, path[0])
	if fd == nil {
		return unknownField(fieldNames(md))
	}
	rest := path[1:]
	switch {
	case fd.IsMap():
		return checkMap(fd, rest, r, repeated)
	case fd.IsList() && len(rest) > 0:
		if fd.Message() == nil {
			return errUnknownField
		}
		return checkMessage(fd.Message(), rest, r, true)
	case fd.Message() != nil && !fd.IsList():
		return checkMessage(fd.Message(), rest, r, repeated)
	case len(rest) > 0:
		return errUnknownField
	}
	return checkLeaf(shapeOf(fd), r, repeated)
}

func checkMap(fd protoreflect.FieldDescriptor, path []string, r restriction, repeated bool) error {
	switch {
	case len(path) == 0:
		return checkLeaf(shape{class: mapping}, r, repeated)
	case fd.MapKey().Kind() != protoreflect.StringKind:
		return errors.New("the keys of this map are not text")
	case fd.MapValue().Message() != nil:
		return checkMessage(fd.MapValue().Message(), path[1:], r, repeated)
	case len(path) > 1:
		return errUnknownField
	}
	return checkLeaf(singular(fd.MapValue()), r, repeated)
}

func checkLeaf(s shape, r restriction, repeated bool) error {
	if repeated && r.op != has {
		return fmt.Errorf("it is in a repeated field: use %q", has)
	}
	return s.check(r.op, r.value)
}
