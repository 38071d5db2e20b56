package httpcall

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/grpc/metadata"
)

// binarySuffix ends the keys of metadata whose values are bytes. In headers
// they are in base64, as in gRPC.
const binarySuffix = "-bin"

// pushback is when a gRPC server wants to be called again (gRFC A6), the only
// key of gRPC's own that means something here.
const pushback = "grpc-retry-pushback-ms"

// own reports whether a header belongs to HTTP, gRPC or Connect rather than to the
// caller or service.
func own(key string) bool {
	switch key {
	case "accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type",
		"date", "expect", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade":
		return true
	case pushback:
		return false
	}
	return strings.HasPrefix(key, ":") || strings.HasPrefix(key, "grpc-") || strings.HasPrefix(key, "connect-")
}

// Metadata returns headers as gRPC metadata: with keys in lower case, and
// without those that are HTTP's, gRPC's or Connect's own.
func Metadata(h http.Header) metadata.MD {
	md := make(metadata.MD, len(h))
	for key, values := range h {
		key = strings.ToLower(key)
		if own(key) {
			continue
		}
		if !strings.HasSuffix(key, binarySuffix) {
			md[key] = append(md[key], values...)
			continue
		}
		for _, v := range values {
			if b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(v, "=")); err == nil {
				md[key] = append(md[key], string(b))
			}
		}
	}
	if date := h.Values("Date"); md["retry-after"] != nil && len(date) > 0 {
		md["date"] = date // by which a date in retry-after counts
	}
	return md
}

// SetHeader sets headers to gRPC metadata, but for keys that are HTTP's,
// gRPC's or Connect's own, as gRPC does. It fails on what a header cannot hold.
func SetHeader(h http.Header, md metadata.MD) error {
	for key, values := range md {
		key = strings.ToLower(key)
		if own(key) || key == "user-agent" {
			continue
		}
		if strings.HasSuffix(key, binarySuffix) {
			values = slices.Clone(values)
			for i, v := range values {
				values[i] = base64.RawStdEncoding.EncodeToString([]byte(v))
			}
		}
		if err := CheckHeader(key, values...); err != nil {
			return err
		}
		h[http.CanonicalHeaderKey(key)] = values
	}
	return nil
}

// SetValid does what SetHeader does, and leaves out what a header cannot hold: the
// answer of a call matters more.
func SetValid(h http.Header, md metadata.MD) {
	for key, values := range md {
		_ = SetHeader(h, metadata.MD{key: values})
	}
}

// CheckHeader refuses what net/http would refuse as if the network were at
// fault. The value, which may be secret, is not in the error.
func CheckHeader(key string, values ...string) error {
	for _, c := range key {
		if c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c) {
			return fmt.Errorf("header %q: name has the character %q", key, c)
		}
	}
	if key == "" {
		return errors.New("header has no name")
	}
	for _, v := range values {
		for i := range len(v) {
			if c := v[i]; c < ' ' && c != '\t' || c == 0x7f {
				return fmt.Errorf("header %q: value has the character %q", key, c)
			}
		}
	}
	return nil
}
