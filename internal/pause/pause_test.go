package pause_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-lro/lro/internal/pause"
)

func TestFor(t *testing.T) {
	t.Parallel()
	cause := errors.New("enough")
	for _, test := range []struct {
		name     string
		d, until time.Duration // of the pause, and of its ctx; 0 has ended before
		want     error
		took     time.Duration
	}{
		{"to the end", time.Minute, time.Hour, nil, time.Minute},
		{"cut short", time.Hour, time.Minute, cause, time.Minute},
		{"none", 0, time.Hour, nil, 0},
		{"less than none", -time.Second, time.Hour, nil, 0},
		{"none, with a ctx that has ended", 0, 0, cause, 0},
		{"with a ctx that has ended", time.Hour, 0, cause, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				if test.until == 0 {
					cancel(cause)
				} else {
					defer time.AfterFunc(test.until, func() { cancel(cause) }).Stop()
				}
				begin := time.Now()
				if err := pause.For(ctx, test.d); err != test.want {
					t.Errorf("For(ctx, %v) = %v, want %v", test.d, err, test.want)
				}
				if took := time.Since(begin); took != test.took {
					t.Errorf("For(ctx, %v) took %v, want %v", test.d, took, test.took)
				}
			})
		})
	}
}
