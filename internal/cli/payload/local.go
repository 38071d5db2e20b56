package payload

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Local is the types that are linked and those of descriptor sets. It has the
// methods of a resolver of protojson, never changes, and is safe for concurrent
// use.
type Local struct {
	sets []*dynamicpb.Types // from files, then what the source told
}

// FindMessageByName looks a message type up.
func (l Local) FindMessageByName(name protoreflect.FullName) (protoreflect.MessageType, error) {
	if mt, err := protoregistry.GlobalTypes.FindMessageByName(name); err == nil {
		return mt, nil
	}
	for _, set := range l.sets {
		if mt, err := set.FindMessageByName(name); err == nil {
			return mt, nil
		}
	}
	return nil, protoregistry.NotFound
}

// FindMessageByURL looks up the message type that a type URL names.
func (l Local) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	return l.FindMessageByName(nameOf(url))
}

func nameOf(url string) protoreflect.FullName {
	return protoreflect.FullName(url[strings.LastIndexByte(url, '/')+1:])
}

// FindExtensionByName looks an extension up.
func (l Local) FindExtensionByName(name protoreflect.FullName) (protoreflect.ExtensionType, error) {
	if xt, err := protoregistry.GlobalTypes.FindExtensionByName(name); err == nil {
		return xt, nil
	}
	for _, set := range l.sets {
		if xt, err := set.FindExtensionByName(name); err == nil {
			return xt, nil
		}
	}
	return nil, protoregistry.NotFound
}

// FindExtensionByNumber looks up the extension of a message by its number.
func (l Local) FindExtensionByNumber(message protoreflect.FullName, number protoreflect.FieldNumber) (protoreflect.ExtensionType, error) {
	if xt, err := protoregistry.GlobalTypes.FindExtensionByNumber(message, number); err == nil {
		return xt, nil
	}
	for _, set := range l.sets {
		if xt, err := set.FindExtensionByNumber(message, number); err == nil {
			return xt, nil
		}
	}
	return nil, protoregistry.NotFound
}
