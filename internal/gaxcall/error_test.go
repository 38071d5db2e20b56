package gaxcall

import (
	"errors"
	"net"
	"net/http"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const detailsBody = `{"error": {"code": 409, "message": "at once", "status": "ALREADY_EXISTS", "details": [
	{"@type": "type.googleapis.com/nobody.Knows", "a": 1},
	{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "TWICE", "domain": "test"}
]}}`

func TestFailureWithoutAnswer(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	_, err = (&http.Client{}).Get("http://" + closed.Addr().String()) // what the generated client returns as it is
	if err = (Transport{REST: true}).Failure(err, nil); status.Code(err) != codes.Unavailable {
		t.Errorf("Failure(%v): got %v, want UNAVAILABLE", err, status.Code(err))
	}
	if _, ok := errors.AsType[*net.OpError](err); !ok {
		t.Errorf("errors.AsType[*net.OpError](%v): got none, want the cause", err)
	}
}

func FuzzStatusOf(f *testing.F) {
	for _, body := range []string{detailsBody, "[" + detailsBody + "]", `{"error":"x"}`, `[]`, `[1]`, `null`, `{"error":{"details":[null,1,{"@type":""}]}}`, "\xff"} {
		f.Add(404, uint32(codes.NotFound), "", body)
	}
	f.Add(0, uint32(codes.OK), "m", `{"error":{"status":"OK"}}`)
	f.Fuzz(func(t *testing.T, httpCode int, code uint32, message, body string) {
		st := statusOf(httpCode, codes.Code(code), message, body)
		if st.GetCode() == int32(codes.OK) {
			t.Errorf("statusOf(%d, %d, %q, %q): got OK", httpCode, code, message, body)
		}
		_ = status.FromProto(st).Err().Error()
	})
}
