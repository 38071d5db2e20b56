package gaxcall

import (
	"context"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/grpc/metadata"
)

const (
	routingHeader = "x-goog-request-params"
	// binarySuffix ends the keys of metadata whose values are bytes.
	binarySuffix = "-bin"
)

// Routing is the value of the routing header for a name (AIP-4222).
func Routing(name string) string { return "name=" + url.QueryEscape(name) }

// Outgoing makes the outgoing metadata of ctx fit for a generated method: it
// takes out the parameter of the routing header that the method adds by itself,
// empty for none, and encodes what the REST client would send as it is. Other
// parameters stay, in a value of their own: generated methods do not merge.
func (t Transport) Outgoing(ctx context.Context, added string) context.Context {
	md, _ := metadata.FromOutgoingContext(ctx) // a copy
	changed := false
	if params := strings.Split(strings.Join(md[routingHeader], "&"), "&"); added != "" && slices.Contains(params, added) {
		changed = true
		params = slices.DeleteFunc(params, func(p string) bool { return p == added })
		md[routingHeader] = []string{strings.Join(params, "&")}
		if len(params) == 0 {
			delete(md, routingHeader)
		}
	}
	if t.REST {
		changed = encodeBinary(md) || changed
	}
	if !changed {
		return ctx
	}
	return metadata.NewOutgoingContext(ctx, md)
}

// encodeBinary encodes values that are bytes as gRPC does, and reports whether
// there are any.
func encodeBinary(md metadata.MD) bool {
	found := false
	for key, values := range md {
		if strings.HasSuffix(key, binarySuffix) {
			found = true
			for i, v := range values {
				values[i] = base64.RawStdEncoding.EncodeToString([]byte(v))
			}
		}
	}
	return found
}
