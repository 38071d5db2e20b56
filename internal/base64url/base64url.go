package base64url

import (
	"encoding/base64"
	"strings"
)

var strict = base64.RawURLEncoding.Strict()

// Encode returns the one text of b.
func Encode(b []byte) string { return strict.EncodeToString(b) }

// Decode is the reverse of Encode. A text that Encode does not return for any
// bytes is refused with a [base64.CorruptInputError].
func Decode(s string) ([]byte, error) {
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		return nil, base64.CorruptInputError(i)
	}
	return strict.DecodeString(s)
}
