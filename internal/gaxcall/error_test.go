package gaxcall

import (
	"errors"
	"net"
	"net/http"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

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
