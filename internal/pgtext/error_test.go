package pgtext

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func TestError(t *testing.T) {
	t.Parallel()
	// Nothing listens on port 1. Each address is tried once with TLS and once without.
	_, err := pgx.Connect(t.Context(), "postgres://u:secret@127.0.0.1:1,127.0.0.1:1/db?sslmode=prefer")
	if err == nil {
		t.Fatal("Connect() to port 1 succeeded")
	}
	got := Error(fmt.Errorf("open: %w", err))
	if text := got.Error(); strings.ContainsAny(text, "\n\t") || strings.Count(text, "dial error") != 1 ||
		!strings.HasPrefix(text, "open: failed to connect to `user=u database=db`: 127.0.0.1:1") {
		t.Errorf("Error(%q) = %q, want one line in which each address is once", err, text)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](got); !ok || errors.Is(got, context.Canceled) {
		t.Errorf("Error() = %#v, want an error that wraps the one before", got)
	}
	refused := errors.New("failed to connect to `user=u`:\n\tx: tls error: server refused TLS connection\n\tx: failed SASL auth\n")
	if got := Error(refused).Error(); got != "failed to connect to `user=u`: x: failed SASL auth" {
		t.Errorf("Error(%q) = %q, want the reason alone", refused, got)
	}
	required := errors.New("failed to connect to `user=u`:\n\tx: tls error: server refused TLS connection\n")
	if got := Error(required).Error(); got != "failed to connect to `user=u`: x: tls error: server refused TLS connection" {
		t.Errorf("Error(%q) = %q, want it on one line", required, got)
	}
	twice := errors.Join(io.EOF, io.EOF)
	if got := Error(twice); got.Error() != "EOF" || !errors.Is(got, io.EOF) {
		t.Errorf("Error(%q) = %q, want EOF", twice, got)
	}
	for _, err := range []error{nil, io.EOF} {
		if got := Error(err); got != err {
			t.Errorf("Error(%v) = %v", err, got)
		}
	}
}
