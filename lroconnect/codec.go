package lroconnect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro/internal/anyjson"
)

// Names of connect-go's JSON codecs.
const (
	codecJSON     = "json"
	codecJSONUTF8 = "json; charset=utf-8"
)

// WithJSON makes a [Client] send and receive JSON. Unlike connect.WithProtoJSON it
// reads operations whose metadata or result is of a type that is not linked into
// the program; see lrohttp.Untyped.
func WithJSON() connect.ClientOption { return connect.WithCodec(jsonCodec{codecJSON}) }

// jsonCodec is a connect.Codec.
type jsonCodec struct{ name string }

func (c jsonCodec) Name() string { return c.name }

// IsBinary and MarshalStable let connect-go send a request in a URL.
func (c jsonCodec) IsBinary() bool { return false }

func (c jsonCodec) MarshalStable(message any) ([]byte, error) {
	text, err := c.Marshal(message)
	if err != nil {
		return nil, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return nil, err
	}
	return compact.Bytes(), nil
}

func (c jsonCodec) Marshal(message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no protobuf message", message)
	}
	return anyjson.New(nil).Marshal(m)
}

func (c jsonCodec) Unmarshal(text []byte, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no protobuf message", message)
	}
	if len(text) == 0 {
		return errors.New("message is empty, which is no JSON")
	}
	return anyjson.New(nil).Unmarshal(text, m)
}
