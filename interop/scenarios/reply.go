package scenarios

import (
	"encoding/json"
	"fmt"
	"strconv"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/code"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails" // the types that details may have
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	_ "google.golang.org/protobuf/types/known/structpb" // and responses and metadata
	_ "google.golang.org/protobuf/types/known/wrapperspb"
)

// operationOf reads an operation as a scenario writes it: its JSON mapping, in
// which an Any may also be {"@type": …, "@value": base64}.
func operationOf(data json.RawMessage) (*longrunningpb.Operation, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, fmt.Errorf("read operation: %w", err)
	}
	opaque := map[string]*anypb.Any{}
	for _, field := range []string{"metadata", "response"} {
		packed, err := opaqueAny(fields[field])
		if err != nil {
			return nil, fmt.Errorf("read operation: %s: %w", field, err)
		}
		if packed != nil {
			opaque[field] = packed
			delete(fields, field)
		}
	}
	rest, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("read operation: %w", err)
	}
	op := &longrunningpb.Operation{}
	if err := protojson.Unmarshal(rest, op); err != nil {
		return nil, fmt.Errorf("read operation: %w", err)
	}
	if packed := opaque["metadata"]; packed != nil {
		op.Metadata = packed
	}
	if packed := opaque["response"]; packed != nil {
		op.Result = &longrunningpb.Operation_Response{Response: packed}
	}
	return op, nil
}

// opaqueAny reads an Any that is written by its bytes; nil for any other.
func opaqueAny(data json.RawMessage) (*anypb.Any, error) {
	if len(data) == 0 {
		return nil, nil
	}
	var written struct {
		Type  string  `json:"@type"`
		Value *[]byte `json:"@value"`
	}
	if err := json.Unmarshal(data, &written); err != nil {
		return nil, err
	}
	if written.Value == nil {
		return nil, nil
	}
	return &anypb.Any{TypeUrl: written.Type, Value: *written.Value}, nil
}

// proto returns the status as a message.
func (s *Status) proto() (*spb.Status, error) {
	number, ok := code.Code_value[s.Code]
	if !ok {
		return nil, fmt.Errorf("read status: unknown code %q", s.Code)
	}
	st := &spb.Status{Code: number, Message: s.Message}
	for _, d := range s.Details {
		packed := &anypb.Any{}
		if err := protojson.Unmarshal(d, packed); err != nil {
			return nil, fmt.Errorf("read status: detail: %w", err)
		}
		st.Details = append(st.Details, packed)
	}
	return st, nil
}

// codeName returns the name of a canonical code, and the number of any other.
func codeName(number int32) string {
	if name, ok := code.Code_name[number]; ok {
		return name
	}
	return strconv.Itoa(int(number))
}

// plain returns what a message is in JSON, as package json decodes it.
func plain(m proto.Message) any {
	data, err := protojson.Marshal(m)
	if err != nil {
		return map[string]any{"@undecodable": err.Error()}
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return map[string]any{"@undecodable": err.Error()}
	}
	return v
}
