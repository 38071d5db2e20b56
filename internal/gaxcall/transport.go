package gaxcall

import (
	"context"
	"slices"

	"github.com/googleapis/gax-go/v2"
	"google.golang.org/grpc"
)

// Transport is how the calls of a generated client are made. The zero value is
// gRPC.
type Transport struct {
	REST   bool
	Prefix string // of paths over REST, with a slash in front; empty for the generated code's own
}

var withoutPolicy = []gax.CallOption{gax.WithRetry(nil), gax.WithTimeout(0)}

// addGRPC adds options to those set in the client's CallOptions, which
// gax.WithGRPCOptions would replace.
type addGRPC []grpc.CallOption

func (o addGRPC) Resolve(s *gax.CallSettings) { s.GRPC = append(slices.Clip(s.GRPC), o...) }

// Options are those of one call. They come after those set in the client's
// CallOptions and switch off its retry and timeout. path is where a REST client
// with a prefix goes.
func (t Transport) Options(opts []grpc.CallOption, path string) []gax.CallOption {
	switch {
	case !t.REST:
		return append(slices.Clip(withoutPolicy), addGRPC(opts))
	case t.Prefix != "":
		return append(slices.Clip(withoutPolicy), gax.WithPath(t.Prefix+"/"+path))
	}
	return withoutPolicy
}

// Within returns what call does, or the end of ctx if that comes first: some
// generated methods send their requests without ctx. call then ends by itself,
// with the answer.
func Within[T any](ctx context.Context, call func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		value, err := call()
		answered <- answer{value, err}
	}()
	select {
	case a := <-answered:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
