package httperror

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro/internal/anyjson"
	"github.com/go-lro/lro/internal/rpccode"
)

// Decode makes a status of the HTTP status and body of an answer, by a
// service or by a proxy. proper reports whether the body is a google.rpc.Status in one of its JSON
// forms, as opposed to the page of a proxy or framework.
func Decode(c anyjson.Codec, httpCode int, body []byte) (st *spb.Status, proper bool) {
	st = &spb.Status{Code: int32(rpccode.FromHTTP(httpCode))}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte(ByteOrderMark)))
	if len(body) == 0 {
		st.Message = "the answer has no body"
		return st, false
	}
	var list []json.RawMessage
	if body[0] == '[' && json.Unmarshal(body, &list) == nil && len(list) > 0 {
		body = list[0] // some of Google's services answer with a list of one
	}
	o, ok := anyjson.ObjectOf(body)
	if !ok {
		st.Message = TextOf(body)
		return st, false
	}
	if inner, ok := anyjson.ObjectOf(o["error"]); ok {
		o, proper = inner, fill(c, st, inner)
	} else {
		proper = isBareStatus(httpCode, o) && fill(c, st, o)
	}
	if !proper {
		st.Message = Clip(firstText(o, "message", "error_description", "detail", "title", "error", "msg"))
	}
	if st.Message == "" {
		st.Message = TextOf(body)
	}
	return st, proper
}

// FromJSON reads a google.rpc.Status in its JSON form. Its code is UNKNOWN if the
// JSON has none, and it has no details that are no objects.
func FromJSON(c anyjson.Codec, text []byte) *spb.Status {
	st := &spb.Status{Code: int32(codes.Unknown)}
	if o, ok := anyjson.ObjectOf(text); ok && !fill(c, st, o) {
		st.Message = firstText(o, "message")
	}
	return st
}

// isBareStatus reports whether a JSON object is a google.rpc.Status as
// grpc-gateway sends it. Other frameworks have a "code" of their own.
func isBareStatus(httpCode int, o anyjson.Object) bool {
	var number int
	if json.Unmarshal(o["code"], &number) != nil || number <= 0 || number > int(codes.Unauthenticated) {
		return false
	}
	return o["details"] != nil || rpccode.HTTP(codes.Code(number)) == httpCode
}

// fill sets what the JSON of a status says. It reports whether it is one: has a
// code, by name or number.
func fill(c anyjson.Codec, st *spb.Status, o anyjson.Object) bool {
	var name string
	var number int
	var details []json.RawMessage
	hasName := json.Unmarshal(o["status"], &name) == nil
	hasNumber := json.Unmarshal(o["code"], &number) == nil
	named, isCode := rpccode.Parse(name)
	switch {
	case hasName && isCode:
		st.Code = int32(named)
	case hasNumber && 0 < number && number <= int(codes.Unauthenticated):
		st.Code = int32(number)
	case hasNumber && 300 <= number && number < 600:
		st.Code = int32(rpccode.FromHTTP(number))
	default:
		return false
	}
	st.Message = firstText(o, "message")
	if json.Unmarshal(o["details"], &details) == nil {
		for _, d := range details {
			if a, err := c.UnmarshalAny(d); err == nil {
				st.Details = append(st.Details, a)
			}
		}
	}
	return true
}

// firstText returns the first of the fields that is a string with text.
func firstText(o anyjson.Object, fields ...string) string {
	for _, f := range fields {
		var text string
		if json.Unmarshal(o[f], &text) == nil && text != "" {
			return text
		}
	}
	return ""
}

// TextOf makes a message of a body that is no status: a page's title, or the
// beginning of a text.
func TextOf(body []byte) string {
	text := string(body[:min(len(body), 64<<10)])
	if !strings.HasPrefix(text, "<") {
		return Clip(text)
	}
	lower := strings.ToLower(text)
	if len(lower) != len(text) {
		lower = text // offsets would not fit
	}
	begin := strings.Index(lower, "<title>")
	end := strings.Index(lower, "</title>")
	if begin < 0 || end < begin {
		return "the answer is a page of HTML or XML"
	}
	return fmt.Sprintf("the answer is a page titled %q", Clip(text[begin+len("<title>"):end]))
}

// maxMessage bounds messages that are made of foreign text, in bytes.
const maxMessage = 500

// Clip makes one line of UTF-8 of text, without control characters and not too
// long.
func Clip(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	if len(text) <= maxMessage {
		return text
	}
	cut := maxMessage
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "..."
}

// ByteOrderMark begins what some servers send, though RFC 8259 forbids it.
const ByteOrderMark = "\ufeff"
