package temporal

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/go-lro/lro/server/engine"
)

// The transport may tell of a deadline before the caller's own ctx does.
func TestConvertDeadline(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		left time.Duration // until the caller's deadline; 0 for none
		want error
	}{
		{"about to end", 50 * time.Millisecond, context.DeadlineExceeded},
		{"far away", time.Hour, engine.ErrUnavailable},
		{"none", 0, engine.ErrUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				if test.left > 0 {
					ctx, cancel = context.WithTimeout(t.Context(), test.left)
				}
				defer cancel()
				if got := convert(ctx, serviceerror.NewDeadlineExceeded("late")); !errors.Is(got, test.want) {
					t.Errorf("convert() = %v, want %v", got, test.want)
				}
			})
		})
	}
}
