package lrovanguard

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"connectrpc.com/vanguard"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/go-lro/lro/lropb"
)

// servicesOf returns the services of server whose descriptors are linked.
func servicesOf(server *grpc.Server, target http.Handler) ([]*vanguard.Service, error) {
	var all []*vanguard.Service
	for _, name := range slices.Sorted(maps.Keys(server.GetServiceInfo())) {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
		if errors.Is(err, protoregistry.NotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("find service %q: %w", name, err)
		}
		schema, ok := d.(protoreflect.ServiceDescriptor)
		if !ok {
			return nil, fmt.Errorf("find service %q: it is no service", name)
		}
		switch name {
		case longrunningpb.Operations_ServiceDesc.ServiceName, lropb.Starter_ServiceDesc.ServiceName:
			if schema, err = withoutRules(schema); err != nil {
				return nil, err
			}
		}
		all = append(all, vanguard.NewServiceWithSchema(schema, target, vanguard.WithTypeResolver(protoregistry.GlobalTypes)))
	}
	return all, nil
}

// withoutRules returns a service without its annotations, for those whose REST is
// that of package lrohttp. Its messages are not those that are linked, which is
// well as long as vanguard sets no field of theirs: it has no rules to do that by.
func withoutRules(service protoreflect.ServiceDescriptor) (protoreflect.ServiceDescriptor, error) {
	file := protodesc.ToFileDescriptorProto(service.ParentFile())
	file = proto.CloneOf(file)
	for _, s := range file.GetService() {
		for _, m := range s.GetMethod() {
			m.Options = &descriptorpb.MethodOptions{}
		}
	}
	bare, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		return nil, fmt.Errorf("copy descriptor of %q: %w", service.FullName(), err)
	}
	return bare.Services().ByName(service.Name()), nil
}
