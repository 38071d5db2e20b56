package extop

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The options of google/cloud/extended_operations.proto, read by their numbers,
// so that programs do not link its package.
const (
	operationField         = 1149 // of a field of the operation: one of the roles
	OperationRequestField  = 1150 // of a field of a request that starts one: the polling request's field
	OperationResponseField = 1151 // of a field of the polling request: the operation's field
	defaultHost            = 1049 // of a service (google/api/client.proto)
)

// The roles of fields of an operation, google.cloud.OperationResponseMapping.
const (
	roleName         = 1
	roleStatus       = 2
	roleErrorCode    = 3
	roleErrorMessage = 4
)

// optionNumber returns the value of an option that is an enum, 0 for none.
func optionNumber(d protoreflect.Descriptor, number protowire.Number) (value uint64) {
	scanOption(d, number, func(b []byte) {
		if v, n := protowire.ConsumeVarint(b); n > 0 {
			value = v
		}
	}, protowire.VarintType)
	return value
}

// OptionText returns the value of an option that is a string, empty for none.
func OptionText(d protoreflect.Descriptor, number protowire.Number) (value string) {
	scanOption(d, number, func(b []byte) {
		if v, n := protowire.ConsumeString(b); n > 0 {
			value = v
		}
	}, protowire.BytesType)
	return value
}

// scanOption finds an option in the encoded options, where it is whether or not
// its package is linked.
func scanOption(d protoreflect.Descriptor, number protowire.Number, found func([]byte), typ protowire.Type) {
	options := d.Options()
	if options == nil || !options.ProtoReflect().IsValid() {
		return
	}
	b, err := proto.MarshalOptions{AllowPartial: true}.Marshal(options)
	for err == nil && len(b) > 0 {
		num, t, n := protowire.ConsumeTag(b)
		if n < 0 {
			return
		}
		if num == number && t == typ {
			found(b[n:])
		}
		size := protowire.ConsumeFieldValue(num, t, b[n:])
		if size < 0 {
			return
		}
		b = b[n+size:]
	}
}

// Roles are the annotated fields of an operation. Those of an error may be nil.
type Roles struct {
	Name, Status, Code, Message protoreflect.FieldDescriptor
}

// RolesOf finds the annotated fields of an operation.
func RolesOf(md protoreflect.MessageDescriptor) (Roles, error) {
	var r Roles
	for i := range md.Fields().Len() {
		f := md.Fields().Get(i)
		switch optionNumber(f, operationField) {
		case roleName:
			r.Name = f
		case roleStatus:
			r.Status = f
		case roleErrorCode:
			r.Code = f
		case roleErrorMessage:
			r.Message = f
		}
	}
	switch {
	case r.Name == nil || r.Status == nil:
		return r, fmt.Errorf("message %s is no extended operation: it has no fields with (google.cloud.operation_field) NAME and STATUS", md.FullName())
	case r.Name.Kind() != protoreflect.StringKind || r.Name.IsList():
		return r, fmt.Errorf("message %s is no extended operation: its field %s is no string", md.FullName(), r.Name.Name())
	case r.Status.IsList() || r.Status.Message() != nil:
		return r, fmt.Errorf("message %s is no extended operation: its field %s is no enum, bool or string", md.FullName(), r.Status.Name())
	}
	return r, nil
}

// Done reports whether the operation has ended, as
// google/cloud/extended_operations.proto says: an enum is DONE, a bool is true,
// and anything else is not empty.
func (r Roles) Done(m protoreflect.Message) bool {
	v := m.Get(r.Status)
	switch r.Status.Kind() {
	case protoreflect.EnumKind:
		value := r.Status.Enum().Values().ByNumber(v.Enum())
		return value != nil && value.Name() == "DONE"
	case protoreflect.BoolKind:
		return v.Bool()
	}
	return m.Has(r.Status) && !v.Equal(r.Status.Default())
}
