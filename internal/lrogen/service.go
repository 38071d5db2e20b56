package lrogen

import (
	"errors"
	"fmt"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// service is a service with methods that start operations.
type service struct {
	*protogen.Service
	methods []method // at least one
}

// method is a method that starts operations.
type method struct {
	*protogen.Method
	response, metadata *protogen.Message
	requestID          *protogen.Field // nil if the request has none
}

// servicesOf returns the services of file that have methods with operation_info.
func servicesOf(gen *protogen.Plugin, file *protogen.File) ([]service, error) {
	var services []service
	var faults []error
	types := scope{gen: gen, file: file}
	for _, s := range file.Services {
		found := service{Service: s}
		for _, m := range s.Methods {
			info := infoOf(m)
			if info == nil {
				continue
			}
			response, responseErr := types.find(m, "response_type", info.GetResponseType())
			metadata, metadataErr := types.find(m, "metadata_type", info.GetMetadataType())
			faults = append(faults, responseErr, metadataErr)
			found.methods = append(found.methods, method{m, response, metadata, requestIDOf(m.Input)})
		}
		if len(found.methods) > 0 {
			services = append(services, found)
		}
	}
	return services, errors.Join(faults...)
}

const operationName = "google.longrunning.Operation"

// infoOf returns the operation_info of a method that starts operations, or nil.
func infoOf(m *protogen.Method) *longrunningpb.OperationInfo {
	if m.Output.Desc.FullName() != operationName || m.Desc.IsStreamingClient() || m.Desc.IsStreamingServer() {
		return nil
	}
	options := m.Desc.Options()
	if !proto.HasExtension(options, longrunningpb.E_OperationInfo) {
		return nil
	}
	return proto.GetExtension(options, longrunningpb.E_OperationInfo).(*longrunningpb.OperationInfo)
}

// requestIDName is the name that AIP-155 gives the field.
const requestIDName = "request_id"

// requestIDOf returns the field that makes calls with request idempotent
// (AIP-155). Its name decides: most of Google's lack the format UUID4 in
// google.api.field_info. A member of a oneof is none, because setting it would
// clear another.
func requestIDOf(request *protogen.Message) *protogen.Field {
	f := fieldOf(request, requestIDName, protoreflect.StringKind)
	if f == nil || f.Oneof != nil && !f.Oneof.Desc.IsSynthetic() {
		return nil
	}
	return f
}

// position of the operation_info of m in its file, as "file:line"; the file alone
// where the request of the compiler has no positions.
func position(m *protogen.Method) string {
	file := m.Desc.ParentFile()
	locations := file.SourceLocations()
	at := locations.ByDescriptor(m.Desc)
	if at.Path == nil {
		return file.Path()
	}
	const options = 4 // in google.protobuf.MethodDescriptorProto
	number := longrunningpb.E_OperationInfo.TypeDescriptor().Number()
	info := append(at.Path[:len(at.Path):len(at.Path)], options, int32(number))
	if found := locations.ByPath(info); found.Path != nil {
		at = found
	}
	return fmt.Sprintf("%s:%d", file.Path(), at.StartLine+1)
}
