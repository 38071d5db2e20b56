package exit

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lrotest"
)

func TestOf(t *testing.T) {
	t.Parallel()
	failed := lrotest.Operation(lro.Any(), lrotest.Failed(codes.NotFound, "gone")).ResultErr()
	cancelled := lrotest.Operation(lro.Any(), lrotest.Cancelled()).ResultErr()
	tests := []struct {
		err  error
		want int
	}{
		{nil, Done},
		{errors.New("any"), Unknown},
		{status.Error(codes.Canceled, "of a call"), Unknown},
		{failed, Failed},
		{fmt.Errorf("wrapped: %w", failed), Failed},
		{cancelled, Cancelled},
		{AsUsage(errors.New("wrong")), Usage},
		{fmt.Errorf("wrapped: %w", AsUsage(errors.New("wrong"))), Usage},
		{Hint(AsUsage(errors.New("wrong")), "do it right"), Usage},
		{AsUsage(nil), Done},
		{Hint(nil, "nothing"), Done},
		{fmt.Errorf("%w by interrupt", ErrInterrupted), Interrupted},
		{errors.Join(context.DeadlineExceeded, ErrTimeout), TimedOut},
		{context.DeadlineExceeded, Unknown},
		{Silently(Failed), Failed},
		{Silently(Done), Done},
		{errors.Join(errors.New("first"), AsUsage(errors.New("second"))), Usage},
	}
	for _, tt := range tests {
		if got := Of(tt.err); got != tt.want {
			t.Errorf("Of(%v) = %d, want %d", tt.err, got, tt.want)
		}
	}
}

func TestOfCause(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	if got := OfCause(ctx); got != Unknown {
		t.Errorf("OfCause of a live context = %d, want %d", got, Unknown)
	}
	cancel(ErrInterrupted)
	if got := OfCause(ctx); got != Interrupted {
		t.Errorf("OfCause after an interrupt = %d, want %d", got, Interrupted)
	}
}

func TestWorst(t *testing.T) {
	t.Parallel()
	tests := []struct {
		codes []int
		want  int
	}{
		{nil, Done},
		{[]int{Done, Done}, Done},
		{[]int{Done, Cancelled}, Cancelled},
		{[]int{Failed, Cancelled, Done}, Failed},
		{[]int{Cancelled, Unknown, Failed}, Unknown},
		{[]int{Unknown, TimedOut, Failed}, TimedOut},
		{[]int{TimedOut, Interrupted}, Interrupted},
	}
	for _, tt := range tests {
		if got := Worst(tt.codes...); got != tt.want {
			t.Errorf("Worst(%v) = %d, want %d", tt.codes, got, tt.want)
		}
	}
}

func TestSilent(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		errors.New("any"): false,
		Silently(Failed):  true,
		fmt.Errorf("write: %w", error(syscall.EPIPE)): true,
	} {
		if got := IsSilent(err); got != want {
			t.Errorf("IsSilent(%v) = %t, want %t", err, got, want)
		}
	}
}

func TestHintOf(t *testing.T) {
	t.Parallel()
	err := Hint(fmt.Errorf("outer: %w", Hint(errors.New("inner"), "first")), "second")
	if got := HintOf(err); got != "second" || err.Error() != "outer: inner" {
		t.Errorf("HintOf(%v) = %q, want the outermost", err, got)
	}
	if got := HintOf(errors.New("none")); got != "" {
		t.Errorf("HintOf without one = %q", got)
	}
}
