package lrogax

import (
	"path"
	"reflect"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// operationMessage is what methods that start operations return (AIP-151).
const operationMessage = "google.longrunning.Operation"

// methodName returns the full name of the method that a generated operation is
// of, or "". protoc-gen-go_gapic calls the type by the method, and puts it above
// the package of the messages: that of filestore's CreateInstance is
// cloud.google.com/go/filestore/apiv1.CreateInstanceOperation, and the messages
// are in cloud.google.com/go/filestore/apiv1/filestorepb.
//
// Descriptors are decoded when they are first used, which takes long for all
// that a program links. So only those of the packages of R and M are, and where
// they have no such method, those of packages whose messages are in the right Go
// package, which is known without decoding.
func methodName[R, M proto.Message](op any) string {
	client, typ := typeName(op)
	rpc, ok := strings.CutSuffix(typ, "Operation")
	if !ok {
		return ""
	}
	var r R
	var m M
	packages := make(map[protoreflect.FullName]bool)
	for _, message := range []proto.Message{r, m} {
		if messagesOf(client, message) {
			packages[message.ProtoReflect().Descriptor().ParentFile().Package()] = true
		}
	}
	names := methodsOf(packages, rpc)
	if len(names) == 0 {
		names = methodsOf(packagesOf(client), rpc)
	}
	if len(names) != 1 {
		return ""
	}
	return names[0]
}

// methodsOf returns the full names of the methods that start operations and
// have this name, in these packages.
func methodsOf(packages map[protoreflect.FullName]bool, rpc string) []string {
	var services []protoreflect.ServiceDescriptor
	for name := range packages {
		// Nothing is decoded meanwhile: it would lock the registry again.
		protoregistry.GlobalFiles.RangeFilesByPackage(name, func(file protoreflect.FileDescriptor) bool {
			for i := range file.Services().Len() {
				services = append(services, file.Services().Get(i))
			}
			return true
		})
	}
	var names []string
	for _, s := range services {
		if m := s.Methods().ByName(protoreflect.Name(rpc)); m != nil && m.Output().FullName() == operationMessage {
			names = append(names, string(m.FullName()))
		}
	}
	return names
}

// packagesOf returns the packages of the services of a client, given by its
// import path, that have messages.
func packagesOf(client string) map[protoreflect.FullName]bool {
	first := make(map[protoreflect.FullName]protoreflect.FullName) // message of a file, to its package
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if file.Messages().Len() > 0 {
			first[file.Messages().Get(0).FullName()] = file.Package()
		}
		return true
	})
	packages := make(map[protoreflect.FullName]bool)
	for message, name := range first {
		t, err := protoregistry.GlobalTypes.FindMessageByName(message)
		if err == nil && messagesOf(client, t.Zero().Interface()) {
			packages[name] = true
		}
	}
	return packages
}

// messagesOf reports whether m is a message of the services of a client, given
// by its import path.
func messagesOf(client string, m proto.Message) bool {
	messages, _ := typeName(m)
	return path.Dir(messages) == client
}

// typeName returns the import path and the name of the type of v, or of what v
// points to. Both are empty for types without a name.
func typeName(v any) (importPath, name string) {
	t := reflect.TypeOf(v)
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return "", ""
	}
	return t.PkgPath(), t.Name()
}
