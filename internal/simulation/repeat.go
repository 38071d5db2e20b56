package simulation

import (
	"context"
	"time"

	"github.com/go-lro/lro/internal/pause"
)

// insist calls f until it succeeds, or ctx ends: a fault before this one may have left
// the store away for a while.
func insist(ctx context.Context, f func() error) error {
	return repeat(ctx, f, func(err error) bool { return err != nil })
}

// repeat calls f while its error says again, until ctx ends.
func repeat(ctx context.Context, f func() error, again func(error) bool) error {
	for {
		if err := f(); !again(err) || pause.For(ctx, 100*time.Millisecond) != nil {
			return err
		}
	}
}
