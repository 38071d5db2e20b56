package lrohttp

import (
	"fmt"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/go-lro/lro/lropb"
)

// method is an RPC that this package carries.
type method struct {
	desc protoreflect.MethodDescriptor
}

// The methods of the two services, by name.
var (
	operations = methodsOf(longrunningpb.File_google_longrunning_operations_proto, "Operations")
	starter    = methodsOf(lropb.File_lro_v1_starter_proto, "Starter")
)

func methodsOf(file protoreflect.FileDescriptor, service protoreflect.Name) map[string]*method {
	all := file.Services().ByName(service).Methods()
	byName := make(map[string]*method, all.Len())
	for i := range all.Len() {
		m := &method{all.Get(i)}
		byName[m.name()] = m
	}
	return byName
}

func (m *method) name() string { return string(m.desc.Name()) }

// selector is the name of the method in google.api.HttpRule.
func (m *method) selector() string { return string(m.desc.FullName()) }

// path is the name of the method in gRPC.
func (m *method) path() string {
	return fmt.Sprintf("/%s/%s", m.desc.Parent().FullName(), m.desc.Name())
}

// isStarter reports whether the method is one of lro.v1.Starter.
func (m *method) isStarter() bool { return starter[m.name()] == m }
