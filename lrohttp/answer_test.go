package lrohttp_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/lrohttp"
)

// answer is what a service says to everything.
type answer struct {
	code        int
	contentType string
	body        string
}

func (a answer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if a.contentType != "" {
		w.Header().Set("Content-Type", a.contentType)
	}
	w.WriteHeader(a.code)
	_, _ = w.Write([]byte(a.body))
}

const htmlType = "text/html; charset=UTF-8"

// TestErrorAnswers has bodies as services, gateways and proxies send them.
func TestErrorAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		answer  answer
		code    codes.Code
		message string // part of it
	}{
		{"AIP-193", answer{404, jsonType, `{"error":{"code":404,"message":"no such operation","status":"NOT_FOUND"}}`}, codes.NotFound, "no such operation"},
		{"name before number", answer{400, jsonType, `{"error":{"code":400,"message":"m","status":"FAILED_PRECONDITION"}}`}, codes.FailedPrecondition, "m"},
		{"in a list", answer{409, jsonType, "[\n{\"error\":{\"code\":409,\"message\":\"m\",\"status\":\"ALREADY_EXISTS\"}}\n]"}, codes.AlreadyExists, "m"},
		{"empty list", answer{500, jsonType, "[]"}, codes.Internal, "[]"},
		{"byte order mark", answer{404, jsonType, "\ufeff" + `{"error":{"status":"ABORTED"}}`}, codes.Aborted, ""},
		{"without name", answer{403, jsonType, `{"error":{"code":403,"message":"m","errors":[{"reason":"forbidden"}]}}`}, codes.PermissionDenied, "m"},
		{"gRPC code in the object", answer{500, jsonType, `{"error":{"code":9,"message":"m"}}`}, codes.FailedPrecondition, "m"},
		{"unknown name", answer{503, jsonType, `{"error":{"code":503,"message":"m","status":"ODD"}}`}, codes.Unavailable, "m"},
		{"name OK", answer{503, jsonType, `{"error":{"message":"m","status":"OK"}}`}, codes.Unavailable, "m"},
		{"message only", answer{429, jsonType, `{"error":{"message":"slow down"}}`}, codes.ResourceExhausted, "slow down"},
		{"nothing in the object", answer{429, jsonType, `{"error":{}}`}, codes.ResourceExhausted, "error"},
		{"grpc-gateway", answer{404, jsonType, `{"code":5,"message":"m","details":[]}`}, codes.NotFound, "m"},
		{"grpc-gateway, odd status", answer{500, jsonType, `{"code":9,"message":"m","details":[]}`}, codes.FailedPrecondition, "m"},
		{"foreign code", answer{500, jsonType, `{"code":1,"message":"m"}`}, codes.Internal, "m"},
		{"OAuth", answer{401, jsonType, `{"error":"invalid_token","error_description":"token has expired"}`}, codes.Unknown, "token has expired"},
		{"error is a text", answer{400, jsonType, `{"error":"bad"}`}, codes.Unknown, "bad"},
		{"problem details", answer{422, "application/problem+json", `{"type":"about:blank","title":"Bad","detail":"field x"}`}, codes.Unknown, "field x"},
		{"framework", answer{500, jsonType, `{"timestamp":1,"status":500,"error":"Internal Server Error","path":"/"}`}, codes.Internal, "Internal Server Error"},
		{"other object", answer{500, jsonType, `{"ok":false}`}, codes.Internal, `{"ok":false}`},
		{"null", answer{502, jsonType, `null`}, codes.Unavailable, "null"},
		{"a string", answer{502, jsonType, `"down"`}, codes.Unavailable, "down"},
		{"text", answer{503, "text/plain", "upstream connect error\n\treset\x00 "}, codes.Unavailable, "upstream connect error reset"},
		{"long text", answer{503, "text/plain", strings.Repeat("ü", 5000)}, codes.Unavailable, "..."},
		{"not UTF-8", answer{503, "text/plain", "\xff\xfe"}, codes.Unavailable, "\ufffd"},
		{"HTML", answer{502, htmlType, "<!DOCTYPE html>\n<html><head><TITLE>502\nBad Gateway</title></head>" + strings.Repeat("<br>", 1<<16)}, codes.Unavailable, `page titled "502 Bad Gateway"`},
		{"HTML without title", answer{504, htmlType, "<html>"}, codes.DeadlineExceeded, "page of HTML"},
		{"default backend", answer{404, "text/plain; charset=utf-8", "default backend - 404"}, codes.Unknown, "default backend - 404"},
		{"traefik", answer{404, "text/plain; charset=utf-8", "404 page not found\n"}, codes.Unknown, "404 page not found"},
		{"nginx", answer{404, htmlType, "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>nginx</body></html>"}, codes.Unknown, "404 Not Found"},
		{"no body", answer{404, "", ""}, codes.Unknown, "no body"},
		{"sign-in", answer{403, htmlType, "<html><title>Sign in</title>"}, codes.Unknown, "Sign in"},
		{"empty", answer{503, "", ""}, codes.Unavailable, "no body"},
		{"blank", answer{500, jsonType, " \n"}, codes.Internal, "no body"},
		{"gone", answer{410, "", ""}, codes.Unknown, ""},
		{"teapot", answer{418, "", ""}, codes.Unknown, ""},
		{"proxy", answer{511, "", ""}, codes.Internal, ""},
		{"cut off JSON", answer{400, jsonType, `{"error":{"code":400,"mess`}, codes.Unknown, `{"error"`},
		{"deep", answer{400, jsonType, strings.Repeat("[", 20_000)}, codes.Unknown, "[["},
		{"huge", answer{400, jsonType, `{"error":{"status":"ABORTED","message":"` + strings.Repeat("x", 2<<20) + `"}}`}, codes.Unknown, "xxx"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client := dial(t, tt.answer, lrohttp.WithMaxBody(1<<20))
			_, err := client.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: "operations/x"})
			got, ok := errors.AsType[*lrohttp.Error](err)
			if !ok || status.Code(err) != tt.code || got.StatusCode != tt.answer.code {
				t.Fatalf("got %v, want an Error of %v and HTTP status %d", err, tt.code, tt.answer.code)
			}
			if message := got.GRPCStatus().Message(); !strings.Contains(message, tt.message) || len(message) > 1000 {
				t.Errorf("message is %q, want %q in it", message, tt.message)
			}
			if text := err.Error(); !strings.HasPrefix(text, fmt.Sprintf("GET http://test/v1/operations/x: %d", tt.answer.code)) {
				t.Errorf("error is %q, want method, URL and status in front", text)
			}
		})
	}
}

func TestErrorDetails(t *testing.T) {
	t.Parallel()
	client := dial(t, answer{503, jsonType, `{"error":{"code":503,"status":"UNAVAILABLE","message":"m","details":[
		{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.5s","newField":1},
		{"@type":"type.googleapis.com/nobody.Knows","x":1},
		{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":5},
		{"no":"type"}, "text", null, {}
	]}}`})
	_, err := client.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: "operations/x"})
	got := status.Convert(err)
	details := got.Details()
	if len(details) != 6 {
		t.Fatalf("got %d details in %v, want 6: all but null", len(details), got.Proto())
	}
	want := &errdetails.RetryInfo{RetryDelay: &durationpb.Duration{Seconds: 1, Nanos: 5e8}}
	if diff := cmp.Diff(want, details[0], protocmp.Transform()); diff != "" {
		t.Errorf("first detail (-want +got):\n%s", diff)
	}
	for i, want := range map[int]string{1: "type.googleapis.com/nobody.Knows", 2: "type.googleapis.com/google.rpc.ErrorInfo", 3: "", 4: ""} {
		url, text, ok := lrohttp.Untyped(got.Proto().GetDetails()[i])
		if !ok || url != want || !json.Valid(text) {
			t.Errorf("Untyped(detail %d) = %q, %s, %t, want %q", i, url, text, ok, want)
		}
	}
}

// TestSuccessThatIsNone has answers with a good status that must not count as
// one.
func TestSuccessThatIsNone(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		answer answer
		code   codes.Code
	}{
		{"login page", answer{200, htmlType, "<html><title>Sign in</title>"}, codes.Internal},
		{"nothing", answer{200, "", ""}, codes.Internal},
		{"no content", answer{204, "", ""}, codes.Internal},
		{"text", answer{200, "text/plain", "ok"}, codes.Internal},
		{"list", answer{200, jsonType, "[]"}, codes.Internal},
		{"null", answer{200, jsonType, "null"}, codes.Internal},
		{"two values", answer{200, jsonType, `{"name":"a"}{"name":"b"}`}, codes.Internal},
		{"cut off", answer{200, jsonType, `{"name":"a"`}, codes.Internal},
		{"other object", answer{200, jsonType, `{"status":"ok"}`}, codes.Internal},
		{"error of a gateway", answer{200, jsonType, `{"error":{"code":404,"status":"NOT_FOUND","message":"m"}}`}, codes.Unknown},
		{"error of a gateway, number only", answer{200, jsonType, `{"error":{"code":500,"message":"m"}}`}, codes.Internal},
		{"error of a gateway, busy", answer{200, jsonType, `{"error":{"code":503,"status":"UNAVAILABLE"}}`}, codes.Unavailable},
		{"error of a gateway, text", answer{200, jsonType, `{"error":"backend is away"}`}, codes.Internal},
		{"empty object", answer{200, jsonType, `{}`}, codes.Internal},
		{"wrong kind", answer{200, jsonType, `{"name":"a","done":"yes"}`}, codes.Internal},
		{"redirect", answer{302, htmlType, "<a>"}, codes.Unknown},
		{"not modified", answer{304, "", ""}, codes.Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client := dial(t, tt.answer)
			got, err := client.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: "operations/x"})
			if status.Code(err) != tt.code {
				t.Errorf("GetOperation = %v, %v, want %v", got, err, tt.code)
			}
			if _, err := client.ListOperations(t.Context(), &longrunningpb.ListOperationsRequest{Name: "p"}); tt.name == "other object" && err == nil {
				t.Error("ListOperations: want an error")
			}
		})
	}
}

// TestEmptyAnswers has what may come of CancelOperation and DeleteOperation.
func TestEmptyAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		answer answer
		code   codes.Code
	}{
		{answer{200, jsonType, "{}"}, codes.OK},
		{answer{200, "", ""}, codes.OK},
		{answer{204, "", ""}, codes.OK},
		{answer{200, jsonType, `{"done":true}`}, codes.OK},
		{answer{200, jsonType, `null`}, codes.OK},
		{answer{200, htmlType, "<html>"}, codes.Internal},
		{answer{200, jsonType, `{"error":{"code":403,"status":"PERMISSION_DENIED"}}`}, codes.Unknown},
		{answer{301, "", ""}, codes.Unknown},
		{answer{404, htmlType, "<html>"}, codes.Unknown},
		{answer{405, "", ""}, codes.Unimplemented},
	}
	for _, tt := range tests {
		client := dial(t, tt.answer)
		if _, err := client.CancelOperation(t.Context(), &longrunningpb.CancelOperationRequest{Name: "operations/x"}); status.Code(err) != tt.code {
			t.Errorf("CancelOperation answered %+v: got %v, want %v", tt.answer, err, tt.code)
		}
		if _, err := client.DeleteOperation(t.Context(), &longrunningpb.DeleteOperationRequest{Name: "operations/x"}); status.Code(err) != tt.code {
			t.Errorf("DeleteOperation answered %+v: got %v, want %v", tt.answer, err, tt.code)
		}
	}
}

// TestMissingWait shows that a service without a path for WaitOperation is one
// without the method, and that a missing operation is not.
func TestMissingWait(t *testing.T) {
	t.Parallel()
	tests := []struct {
		answer answer
		want   codes.Code
	}{
		{answer{404, "text/plain", "404 page not found\n"}, codes.Unimplemented},
		{answer{404, htmlType, "<html><title>Error 404 (Not Found)!!1</title>"}, codes.Unimplemented},
		{answer{404, "", ""}, codes.Unimplemented},
		{answer{404, jsonType, `{"timestamp":1,"status":404,"error":"Not Found"}`}, codes.Unimplemented},
		{answer{404, jsonType, `{"code":404,"message":"HTTP 404 Not Found"}`}, codes.Unimplemented},
		{answer{405, "", ""}, codes.Unimplemented},
		{answer{501, jsonType, `{"error":{"status":"UNIMPLEMENTED"}}`}, codes.Unimplemented},
		{answer{404, jsonType, `{"error":{"code":404,"status":"NOT_FOUND"}}`}, codes.NotFound},
		{answer{404, jsonType, `{"error":{"code":404,"message":"m"}}`}, codes.NotFound},
		{answer{404, jsonType, `{"code":5,"message":"Not Found","details":[]}`}, codes.NotFound},
		{answer{410, "", ""}, codes.Unknown},
	}
	for _, tt := range tests {
		client := dial(t, tt.answer)
		_, err := client.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{Name: "operations/x"})
		if status.Code(err) != tt.want {
			t.Errorf("WaitOperation answered %+v: got %v, want %v", tt.answer, err, tt.want)
		}
	}
}

// A byte order mark in front of an answer, which RFC 8259 lets readers ignore.
func TestByteOrderMark(t *testing.T) {
	t.Parallel()
	client := dial(t, answer{200, jsonType, "\ufeff" + `{"name":"operations/x","done":true}`})
	op, err := client.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: "operations/x"})
	if err != nil || !op.GetDone() {
		t.Errorf("GetOperation = %v, %v, want the operation", op, err)
	}
}
