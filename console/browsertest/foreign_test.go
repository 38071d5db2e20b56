package browsertest

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/console"
)

// flakySource fails while it is told to.
type flakySource struct {
	console.Source
	fails atomic.Bool
}

func (s *flakySource) set(fails bool) { s.fails.Store(fails) }

func (s *flakySource) err() error {
	if s.fails.Load() {
		return status.Error(codes.Unavailable, "gone fishing")
	}
	return nil
}

func (s *flakySource) List(ctx context.Context, q console.Query) (console.Page, error) {
	if err := s.err(); err != nil {
		return console.Page{}, err
	}
	return s.Source.List(ctx, q)
}

func (s *flakySource) Get(ctx context.Context, name string) (console.Operation, error) {
	if err := s.err(); err != nil {
		return console.Operation{}, err
	}
	return s.Source.Get(ctx, name)
}
