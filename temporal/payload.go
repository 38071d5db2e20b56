package temporal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro/server/engine"
)

// Metadata of Temporal's payloads, as its SDKs write them.
const (
	encodingKey    = "encoding"
	messageTypeKey = "messageType"
	encodingProto  = "binary/protobuf"
	encodingJSON   = "json/plain"
	typeKey        = "type" // of a search attribute
)

// encode puts a message into the one payload of a list.
func encode(m proto.Message) (*commonpb.Payloads, error) {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", engine.ErrInvalid, err)
	}
	return &commonpb.Payloads{Payloads: []*commonpb.Payload{{
		Metadata: map[string][]byte{
			encodingKey:    []byte(encodingProto),
			messageTypeKey: []byte(m.ProtoReflect().Descriptor().FullName()),
		},
		Data: data,
	}}}, nil
}

// decode fills m from the payload that encode made for it. It reports false,
// and may leave m half filled, when there is none.
func decode(p *commonpb.Payloads, m proto.Message) bool {
	if len(p.GetPayloads()) != 1 {
		return false
	}
	one := p.Payloads[0]
	if string(one.GetMetadata()[messageTypeKey]) != string(m.ProtoReflect().Descriptor().FullName()) {
		return false
	}
	return proto.Unmarshal(one.GetData(), m) == nil
}

// maxPayload is what a caller's messages may take of a payload, in bytes.
func (e *Engine) maxPayload() int { return e.opts.MaxPayload - reserve }

// checkSize refuses what Temporal would: its limit is for messages that go to
// it together.
func (e *Engine) checkSize(what string, m proto.Message) error {
	return engine.CheckSize(what, proto.Size(m), e.maxPayload())
}

// keyword is the value of a search attribute.
func keyword(value string) *commonpb.Payload {
	p := text(value)
	p.Metadata[typeKey] = []byte("Keyword")
	return p
}

// text is a string that Temporal's UI shows.
func text(value string) *commonpb.Payload {
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		panic(err) // a string can always be encoded
	}
	return &commonpb.Payload{
		Metadata: map[string][]byte{encodingKey: []byte(encodingJSON)},
		Data:     bytes.TrimSuffix(data.Bytes(), []byte("\n")),
	}
}

// maxSummary is how long a summary may be, in bytes, by Temporal's default.
const maxSummary = 400

// summary is what Temporal's UI shows beside the activity, if it takes it.
func summary(value string) *sdkpb.UserMetadata {
	p := text(value)
	if len(p.Data) > maxSummary {
		return nil
	}
	return &sdkpb.UserMetadata{Summary: p}
}

// truncate returns the beginning of a text for people.
func truncate(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + "…"
}
