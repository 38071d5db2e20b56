package lro

import (
	"fmt"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// named returns m with the full name of its RPC, which may be given in the form
// "/pkg.Service/Method" of gRPC's generated constants.
func (m Method[R, M]) named() Method[R, M] {
	m.Name = rpcName(m.Name)
	return m
}

// rpcName returns the full name of an RPC that is given in either form.
func rpcName(name string) string {
	service, rpc, ok := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	if !ok || name[0] != '/' {
		return name
	}
	return service + "." + rpc
}

// verify fails if R or M is not what the RPC's google.longrunning.operation_info
// says. What is not known is not verified: an RPC whose descriptor is not linked
// or has no annotation, and interfaces and google.protobuf.Any on either side.
func (m Method[R, M]) verify() error {
	if m.Unchecked || m.Name == "" {
		return nil
	}
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(m.Name))
	if err != nil {
		return nil
	}
	rpc, ok := d.(protoreflect.MethodDescriptor)
	if !ok || !proto.HasExtension(rpc.Options(), longrunningpb.E_OperationInfo) {
		return nil
	}
	info := proto.GetExtension(rpc.Options(), longrunningpb.E_OperationInfo).(*longrunningpb.OperationInfo)
	pkg := rpc.ParentFile().Package()
	for _, f := range []struct{ what, declared, annotated string }{
		{"response", openType(typeName[R]()), openType(info.GetResponseType())},
		{"metadata", openType(typeName[M]()), openType(info.GetMetadataType())},
	} {
		if f.declared != "" && f.annotated != "" && !mayMean(f.annotated, f.declared, pkg) {
			return fmt.Errorf("the %s of method %q is declared as %q, but %q in its google.longrunning.operation_info: correct the type, or set Unchecked",
				f.what, m.Name, f.declared, f.annotated)
		}
	}
	return nil
}

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
