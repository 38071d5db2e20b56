package transporttest

import (
	"context"
	"errors"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
)

var pollCases = []testCase{
	{"unavailable, then back", func(b bench) {
		s := &service{get: func(_ context.Context, n int) (*longrunningpb.Operation, error) {
			if n <= 10 {
				return nil, errorOf(codes.Unavailable, "try again")
			}
			return succeeded("done"), nil
		}}
		if got, err := wrapped(b.T, b.client(s)).Wait(b.Context()); err != nil || got.GetValue() != "done" {
			b.Fatalf("Wait = %v, %v, want \"done\"", got, err)
		}
		if gets := len(s.seen("get")); gets != 11 {
			b.Errorf("got %d GetOperation calls, want 11", gets)
		}
	}},
	{"hint by RetryInfo", func(b bench) {
		testHint(b, 7*time.Second, func(context.Context) (*longrunningpb.Operation, error) {
			return nil, errorOf(codes.Unavailable, "later", retryIn(7*time.Second))
		})
	}},
	{"hint by header", func(b bench) {
		testHint(b, 5*time.Second, func(ctx context.Context) (*longrunningpb.Operation, error) {
			return running(""), grpc.SetHeader(ctx, metadata.Pairs("retry-after", "5"))
		})
	}},
	{"hint by header of an error", func(b bench) {
		testHint(b, 6*time.Second, func(ctx context.Context) (*longrunningpb.Operation, error) {
			if err := grpc.SetHeader(ctx, metadata.Pairs("retry-after", "6")); err != nil {
				return nil, err
			}
			return nil, errorOf(codes.ResourceExhausted, "quota")
		})
	}},
	{"hint by trailer", func(b bench) {
		testHint(b, 4*time.Second, func(ctx context.Context) (*longrunningpb.Operation, error) {
			return running(""), grpc.SetTrailer(ctx, metadata.Pairs("grpc-retry-pushback-ms", "4000"))
		})
	}},
	{"hang", func(b bench) {
		released := make(chan time.Duration, 1)
		s := &service{get: func(ctx context.Context, n int) (*longrunningpb.Operation, error) {
			if n > 1 {
				return succeeded("done"), nil
			}
			begin := time.Now()
			<-ctx.Done()
			released <- time.Since(begin)
			return nil, context.Cause(ctx)
		}}
		c := b.client(s, lro.WithPolicy(lro.Policy{AttemptTimeout: 3 * time.Second, LongPoll: -1}))
		if got, err := wrapped(b.T, c).Wait(b.Context()); err != nil || got.GetValue() != "done" {
			b.Fatalf("Wait = %v, %v, want \"done\"", got, err)
		}
		if took := <-released; took > 4*time.Second {
			b.Errorf("hanging call was released after %v, want about 3s", took)
		}
	}},
	{"never known", func(b bench) {
		s := &service{get: func(context.Context, int) (*longrunningpb.Operation, error) {
			return nil, errorOf(codes.NotFound, "no such operation")
		}}
		testLost(b, s, lro.ErrNotFound)
	}},
	{"gone", func(b bench) {
		s := &service{get: func(_ context.Context, n int) (*longrunningpb.Operation, error) {
			if n > 2 {
				return nil, errorOf(codes.NotFound, "no such operation")
			}
			return running(""), nil
		}}
		testLost(b, s, lro.ErrGone)
	}},
	{"permission denied", func(b bench) {
		s := &service{get: func(context.Context, int) (*longrunningpb.Operation, error) {
			return nil, errorOf(codes.PermissionDenied, "not yours")
		}}
		_, err := wrapped(b.T, b.client(s)).Wait(b.Context())
		stopped, ok := errors.AsType[*lro.WaitError](err)
		if !ok || status.Code(stopped.PollErr) != codes.PermissionDenied {
			b.Errorf("Wait: got %v, want a WaitError whose poll got PERMISSION_DENIED", err)
		}
	}},
}

// testHint lets the first poll be answered by first, which asks to be left
// alone for some time.
func testHint(b bench, want time.Duration, first func(context.Context) (*longrunningpb.Operation, error)) {
	b.Helper()
	s := &service{get: func(ctx context.Context, n int) (*longrunningpb.Operation, error) {
		if n == 1 {
			return first(ctx)
		}
		return succeeded("done"), nil
	}}
	c := b.client(s, lro.WithPolicy(lro.Policy{LongPoll: -1}))
	if got, err := wrapped(b.T, c).Wait(b.Context()); err != nil || got.GetValue() != "done" {
		b.Fatalf("Wait = %v, %v, want \"done\"", got, err)
	}
	calls := s.seen("get")
	if len(calls) != 2 {
		b.Fatalf("got %d GetOperation calls, want 2", len(calls))
	}
	if got := calls[1].at.Sub(calls[0].at); got != want {
		b.Errorf("second poll came after %v, want %v", got, want)
	}
}

func testLost(b bench, s *service, want error) {
	b.Helper()
	_, err := wrapped(b.T, b.client(s)).Wait(b.Context())
	if _, ok := errors.AsType[*lro.WaitError](err); !ok || !errors.Is(err, want) || status.Code(err) != codes.NotFound {
		b.Errorf("Wait: got %v, want a WaitError of %v", err, want)
	}
}
