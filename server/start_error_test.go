package server

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The program that made a mistake is told which; who calls it is not.
func TestHiddenErrorShowsItsCauseToTheProgramAlone(t *testing.T) {
	t.Parallel()
	cause := errors.New("kind is not registered")
	err := error(hidden{status.Error(codes.Internal, "internal error"), cause})
	if !errors.Is(err, cause) || !strings.Contains(err.Error(), "not registered") {
		t.Errorf("error is %q, want it to tell the cause", err)
	}
	if quiet := (storeFault{hidden{status.Error(codes.Internal, "internal error"), cause}}); !errors.Is(quiet, cause) || strings.Contains(quiet.Error(), "registered") {
		t.Errorf("error of the store is %q, want it to wrap the cause without its text", quiet)
	}
	st, ok := status.FromError(err)
	if !ok || st.Code() != codes.Internal || strings.Contains(st.Message(), "registered") {
		t.Errorf("status.FromError = %v, %v, want INTERNAL without the cause", st, ok)
	}
}
