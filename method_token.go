package lro

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro/internal/base64url"
	"github.com/go-lro/lro/internal/rpcinfo"
)

// tokenPrefix starts every token and carries its version. Operation names do
// not look like this: they have a collection before their ID (AIP-122).
const tokenPrefix = "lro1_"

// maxTokenBytes bounds what is decoded. Names are a few hundred bytes.
const maxTokenBytes = 16 << 10

// token is what a resume token says. Its JSON is the format of version 1.
type token struct {
	Operation string `json:"o"`
	Service   string `json:"s,omitempty"`
	Method    string `json:"c,omitempty"`
	Response  string `json:"r,omitempty"`
	Metadata  string `json:"m,omitempty"`
}

func tokenOf[R, M proto.Message](service, method, operation string) token {
	return token{
		Operation: operation,
		Service:   service,
		Method:    method,
		Response:  typeName[R](),
		Metadata:  typeName[M](),
	}
}

func (t token) String() string {
	text, err := json.Marshal(t)
	if err != nil {
		panic(fmt.Sprintf("lro: encode token: %v", err)) // strings always encode
	}
	return tokenPrefix + base64url.Encode(text)
}

func isToken(s string) bool { return strings.HasPrefix(s, tokenPrefix) }

func parseToken(s string) (token, error) {
	if len(s) > maxTokenBytes {
		return token{}, fmt.Errorf("token is longer than %d bytes", maxTokenBytes)
	}
	text, err := base64url.Decode(strings.TrimPrefix(s, tokenPrefix))
	if err != nil {
		return token{}, fmt.Errorf("token is damaged: %w", err)
	}
	var t token
	if err := json.Unmarshal(text, &t); err != nil {
		return token{}, fmt.Errorf("token is damaged: %w", err)
	}
	if t.Operation == "" {
		return token{}, errors.New("token has no operation name")
	}
	return t, nil
}

// verify fails when the token was made for something else than want. What
// either side leaves open is not compared: an empty name, an interface, or
// google.protobuf.Any, which can hold every type.
func (t token) verify(want token) error {
	for _, f := range []struct{ what, got, want string }{
		{"service", t.Service, want.Service},
		{"method", rpcinfo.FullName(t.Method), want.Method},
		{"response type", openType(t.Response), openType(want.Response)},
		{"metadata type", openType(t.Metadata), openType(want.Metadata)},
	} {
		if f.got != "" && f.want != "" && f.got != f.want {
			return fmt.Errorf("token is for %s %q, not %q", f.what, f.got, f.want)
		}
	}
	return nil
}

func openType(name string) string {
	if name == "google.protobuf.Any" {
		return ""
	}
	return name
}
