// Package base64url encodes tokens in the URL-safe alphabet of base64 without
// padding (RFC 4648, section 5), and decodes only what it encodes.
//
// Package encoding/base64 skips line breaks while it decodes, in strict mode
// too, so that many texts are the same token. A token that is compared, cached
// or logged must have one text.
package base64url
