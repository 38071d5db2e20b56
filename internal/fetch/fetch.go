package fetch

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/internal/httperror"
	"github.com/go-lro/lro/internal/pause"
)

// How long and how often a resource that cannot be got after the end of its
// operation is tried again.
const (
	grace = 10 * time.Second
	first = 250 * time.Millisecond
	most  = 2 * time.Second
)

// Resource gets what the operation with this name made. It repeats get for 10 s
// while it fails with NOT_FOUND or UNAVAILABLE.
func Resource[R any](ctx context.Context, name string, get func(context.Context) (R, error)) (R, error) {
	begin := time.Now()
	for wait := first; ; wait = min(2*wait, most) {
		r, err := get(ctx)
		if err == nil {
			return r, nil
		}
		code := status.Code(httperror.Failure(err, nil))
		if code != codes.NotFound && code != codes.Unavailable || time.Since(begin)+wait > grace || pause.For(ctx, wait) != nil {
			var none R
			return none, fmt.Errorf("get what operation %q made: %w", name, err)
		}
	}
}
