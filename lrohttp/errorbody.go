package lrohttp

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

// errorBody is the body of an error in HTTP/JSON (AIP-193).
type errorBody struct {
	Error errorObject `json:"error"`
}

type errorObject struct {
	Code    int               `json:"code"` // HTTP status
	Message string            `json:"message"`
	Status  string            `json:"status"` // name of the canonical code
	Details []json.RawMessage `json:"details,omitempty"`
}

// encodeError returns the HTTP status and body for an error. httpCode is 0 but
// for errors that have an HTTP status of their own.
func encodeError(c anyjson.Codec, st *spb.Status, httpCode int) (int, []byte) {
	code := codes.Code(st.GetCode())
	if httpCode == 0 {
		httpCode = rpccode.HTTP(code)
	}
	o := errorObject{Code: httpCode, Message: st.GetMessage(), Status: rpccode.Name(code)}
	for _, d := range st.GetDetails() {
		if text, err := c.MarshalAny(d); err == nil {
			o.Details = append(o.Details, text)
		}
	}
	body, err := json.Marshal(errorBody{o})
	if err != nil { // cannot be: all details are JSON
		body = []byte(`{"error":{"code":500,"message":"encode error","status":"INTERNAL"}}`)
	}
	return httpCode, body
}

// decodeError makes a status of the HTTP status and body of an answer, by a
// service or by a proxy. proper reports whether the body is a google.rpc.Status in one of its JSON
// forms, as opposed to the page of a proxy or framework.
func decodeError(c anyjson.Codec, httpCode int, body []byte) (st *spb.Status, proper bool) {
	st = &spb.Status{Code: int32(rpccode.FromHTTP(httpCode))}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte(byteOrderMark)))
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
		st.Message = textOf(body)
		return st, false
	}
	if inner, ok := anyjson.ObjectOf(o["error"]); ok {
		o, proper = inner, fill(c, st, inner)
	} else {
		proper = isBareStatus(httpCode, o) && fill(c, st, o)
	}
	if !proper {
		st.Message = clip(firstText(o, "message", "error_description", "detail", "title", "error", "msg"))
	}
	if st.Message == "" {
		st.Message = textOf(body)
	}
	return st, proper
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

// textOf makes a message of a body that is no status: a page's title, or the
// beginning of a text.
func textOf(body []byte) string {
	text := string(body[:min(len(body), 64<<10)])
	if !strings.HasPrefix(text, "<") {
		return clip(text)
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
	return fmt.Sprintf("the answer is a page titled %q", clip(text[begin+len("<title>"):end]))
}

// maxMessage bounds messages that are made of foreign text, in bytes.
const maxMessage = 500

// clip makes one line of UTF-8 of text, without control characters and not too
// long.
func clip(text string) string {
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

// isJSON reports whether a Content-Type is JSON's. An absent one counts.
func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "" || media == "application/json" || media == "text/json" ||
		strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}

// byteOrderMark begins what some servers send, though RFC 8259 forbids it.
const byteOrderMark = "\ufeff"
