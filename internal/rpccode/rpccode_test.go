package rpccode_test

import (
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro/internal/rpccode"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for c := codes.OK; c <= codes.Unauthenticated; c++ {
		got, ok := rpccode.Parse(rpccode.Name(c))
		if c == codes.OK {
			if ok {
				t.Errorf("Parse(%q) = %v, want none: OK is no error", rpccode.Name(c), got)
			}
			continue
		}
		if got != c || !ok {
			t.Errorf("Parse(Name(%v)) = %v, %v", c, got, ok)
		}
	}
	if got := rpccode.Name(codes.Canceled); got != "CANCELLED" {
		t.Errorf("Name(Canceled) = %q, want two L, as in code.proto", got)
	}
	if got := rpccode.Name(99); got != "UNKNOWN" {
		t.Errorf("Name(99) = %q, want UNKNOWN", got)
	}
	if got, ok := rpccode.Parse("Not Found"); ok {
		t.Errorf("Parse(Not Found) = %v, want none", got)
	}
}
