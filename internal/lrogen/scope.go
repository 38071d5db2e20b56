package lrogen

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	// Linked, so that a fault can name the file to import.
	_ "google.golang.org/protobuf/types/known/structpb"
	_ "google.golang.org/protobuf/types/known/timestamppb"
	_ "google.golang.org/protobuf/types/known/wrapperspb"
)

// scope resolves the types that the methods of a file name in operation_info.
// The compiler knows nothing of these names: they are strings.
type scope struct {
	gen     *protogen.Plugin
	file    *protogen.File
	visible map[protoreflect.FullName]*protogen.Message // of file and all it imports; nil until needed
}

// find returns the message that field of the operation_info of m names. Without
// a dot the name is one of the method's package (AIP-151). With dots it is a full
// name or, if there is no such message, one of the method's package too: that of a
// nested message.
//
// The message must be in the file, in one that it imports, directly or not, or in
// another file of the same package that the compiler sends along: Google's proto
// files for App Engine and Notebooks rely on that.
func (s *scope) find(m *protogen.Method, field, name string) (*protogen.Message, error) {
	fault := func(format string, args ...any) error {
		return fmt.Errorf("%s: method %s: %s", position(m), m.Desc.FullName(), fmt.Sprintf(format, args...))
	}
	if name == "" {
		return nil, fault("operation_info has no %s", field)
	}
	if s.visible == nil {
		s.visible = make(map[protoreflect.FullName]*protogen.Message)
		s.add(s.file, make(map[string]bool))
	}
	names := candidates(name, s.file.Desc.Package())
	for _, n := range names {
		if found := s.visible[n]; found != nil {
			return found, nil
		}
	}
	for _, n := range names {
		found, file := s.elsewhere(n)
		if found != nil && found.Desc.ParentFile().Package() == s.file.Desc.Package() {
			return found, nil
		}
		if file != "" {
			return nil, fault("%s %q is in a file that is not imported: add import %q", field, name, file)
		}
	}
	return nil, fault("%s %q: no message %s in this file and its imports: import the file that has it", field, name, joinNames(names))
}

// candidates are the full names that name may mean in package pkg, best first.
func candidates(name string, pkg protoreflect.FullName) []protoreflect.FullName {
	if full, ok := strings.CutPrefix(name, "."); ok {
		return []protoreflect.FullName{protoreflect.FullName(full)}
	}
	relative := protoreflect.FullName(name)
	if pkg != "" {
		relative = pkg + "." + relative
	}
	if !strings.Contains(name, ".") || pkg == "" {
		return []protoreflect.FullName{relative}
	}
	return []protoreflect.FullName{protoreflect.FullName(name), relative}
}

func joinNames(names []protoreflect.FullName) string {
	var texts []string
	for _, n := range names {
		texts = append(texts, string(n))
	}
	return strings.Join(texts, " or ")
}

// add puts the messages of file and of its imports into visible.
func (s *scope) add(file *protogen.File, seen map[string]bool) {
	if file == nil || seen[file.Desc.Path()] {
		return
	}
	seen[file.Desc.Path()] = true
	s.addMessages(file.Messages)
	imports := file.Desc.Imports()
	for i := range imports.Len() {
		s.add(s.gen.FilesByPath[imports.Get(i).Path()], seen)
	}
}

func (s *scope) addMessages(messages []*protogen.Message) {
	for _, m := range messages {
		s.visible[m.Desc.FullName()] = m
		s.addMessages(m.Messages)
	}
}

// elsewhere returns a message that is not imported and the path of its file: one
// of the request or, without the message, one that is linked into the plugin, as
// that of google.protobuf.Empty is. It returns "" if neither has it.
func (s *scope) elsewhere(name protoreflect.FullName) (*protogen.Message, string) {
	for _, file := range s.gen.Files {
		all := scope{visible: make(map[protoreflect.FullName]*protogen.Message)}
		all.addMessages(file.Messages)
		if found := all.visible[name]; found != nil {
			return found, file.Desc.Path()
		}
	}
	linked, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if err != nil {
		return nil, ""
	}
	if _, ok := linked.(protoreflect.MessageDescriptor); !ok {
		return nil, ""
	}
	return nil, linked.ParentFile().Path()
}
