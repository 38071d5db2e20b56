package server

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/server/engine"
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

// TestStoreLog: a record about a start, which has no operation yet, has no empty one.
func TestStoreLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := &Server{logger: slog.New(slog.NewTextHandler(&log, nil))}
	for _, err := range []error{engine.ErrUnavailable, engine.ErrMisconfigured, errors.New("other")} {
		_ = s.engineError(t.Context(), "", err)
		_ = s.engineError(t.Context(), "operations/x", err)
	}
	if strings.Contains(log.String(), `operation=""`) || strings.Count(log.String(), "operation=operations/x ") != 3 {
		t.Errorf("the log is\n%s\nwant three records with the operation, and three without", log.String())
	}
}
