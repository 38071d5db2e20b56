package lrohttp

import (
	"encoding/json"
	"strings"

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

// isJSON reports whether a Content-Type is JSON's. An absent one counts.
func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "" || media == "application/json" || media == "text/json" ||
		strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}
