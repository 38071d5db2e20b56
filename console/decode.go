package console

import (
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	// Types that operations of many services carry.
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
	_ "google.golang.org/protobuf/types/known/durationpb"
	_ "google.golang.org/protobuf/types/known/emptypb"
	_ "google.golang.org/protobuf/types/known/fieldmaskpb"
	_ "google.golang.org/protobuf/types/known/structpb"
	_ "google.golang.org/protobuf/types/known/timestamppb"
	_ "google.golang.org/protobuf/types/known/wrapperspb"
)

// decodeLinked finds the types that are linked into the program.
func decodeLinked(_ context.Context, a *anypb.Any) proto.Message {
	m, err := anypb.UnmarshalNew(a, proto.UnmarshalOptions{AllowPartial: true})
	if err != nil {
		return nil
	}
	return m
}

func (h *Handler) decoder(ctx context.Context) func(*anypb.Any) proto.Message {
	return func(a *anypb.Any) proto.Message { return h.config.Decode(ctx, a) }
}
