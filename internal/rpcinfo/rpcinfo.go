package rpcinfo

import (
	"fmt"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// FullName returns the full name of an RPC that is given so or as a constant of
// gRPC's generated code, "/pkg.Service/Method". Other names stay.
func FullName(name string) string {
	path, ok := strings.CutPrefix(name, "/")
	if !ok {
		return name
	}
	service, rpc, ok := strings.Cut(path, "/")
	if !ok {
		return name
	}
	return service + "." + rpc
}

// Types are the full names of messages that a program declares for an RPC. Empty
// ones, and google.protobuf.Any, may be any.
type Types struct{ Request, Response, Metadata string }

// Verify fails if a type is not what the RPC with this full name takes or what its
// google.longrunning.operation_info says. It returns nil for an RPC whose
// descriptor is not linked or has no annotation.
func (t Types) Verify(rpc string) error {
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(rpc))
	if err != nil {
		return nil
	}
	method, ok := d.(protoreflect.MethodDescriptor)
	if !ok || !proto.HasExtension(method.Options(), longrunningpb.E_OperationInfo) {
		return nil
	}
	info := proto.GetExtension(method.Options(), longrunningpb.E_OperationInfo).(*longrunningpb.OperationInfo)
	for _, f := range []struct{ what, declared, want, source string }{
		{"request", t.Request, string(method.Input().FullName()), "descriptor"},
		{"response", t.Response, info.GetResponseType(), "google.longrunning.operation_info"},
		{"metadata", t.Metadata, info.GetMetadataType(), "google.longrunning.operation_info"},
	} {
		if !isOpen(f.declared) && !isOpen(f.want) && !mayMean(f.want, f.declared, method.ParentFile().Package()) {
			return fmt.Errorf("the %s of method %q is declared as %q, but %q in its %s: correct the type, or set Unchecked",
				f.what, rpc, f.declared, f.want, f.source)
		}
	}
	return nil
}

// isOpen reports whether a type of this name may be any.
func isOpen(name string) bool { return name == "" || name == "google.protobuf.Any" }

// mayMean reports whether name, in a file of package pkg, may mean the message
// with this full name: it may be relative to the package or to one around it.
func mayMean(name, full string, pkg protoreflect.FullName) bool {
	name = strings.TrimPrefix(name, ".")
	for ; pkg != ""; pkg = pkg.Parent() {
		if string(pkg)+"."+name == full {
			return true
		}
	}
	return name == full
}
