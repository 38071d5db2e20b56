package transporttest

import (
	"context"
	"errors"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
)

var resultCases = []testCase{
	{"unknown types", func(b bench) {
		op := responded(unknown())
		op.Metadata = unknown()
		future, err := lro.Any().Resume(b.client(&service{get: answers(op)}), name)
		if err != nil {
			b.Fatal(err)
		}
		got, err := future.Wait(b.Context())
		if err != nil || !proto.Equal(got, unknown()) {
			b.Errorf("Wait = %v, %v, want %v", got, err, unknown())
		}
		if m, ok := future.Metadata(); !ok || !proto.Equal(m, unknown()) {
			b.Errorf("Metadata = %v, %t, want %v", m, ok, unknown())
		}
	}},
	{"unknown metadata of a known result", func(b bench) {
		op := withMetadata(succeeded("done"), "")
		op.Metadata = unknown()
		future := wrapped(b.T, b.client(&service{get: answers(op)}))
		if got, err := future.Wait(b.Context()); err != nil || got.GetValue() != "done" {
			b.Errorf("Wait = %v, %v, want \"done\"", got, err)
		}
		if m, ok := future.Metadata(); ok {
			b.Errorf("Metadata = %v, want none", m)
		}
	}},
	{"unknown type deep inside", func(b bench) {
		inner := statusOf(codes.Aborted, "part failed")
		inner.Details = []*anypb.Any{pack(wrapperspb.String("known")), unknown()}
		future, err := lro.Method[*wrapperspb.StringValue, *spb.Status]{}.Wrap(b.client(&service{
			get: answers(&longrunningpb.Operation{Name: name, Done: true, Metadata: pack(inner), Result: succeeded("done").GetResult()}),
		}), running(""))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := future.Wait(b.Context()); err != nil {
			b.Fatal(err)
		}
		got, _ := future.Metadata()
		if diff := cmp.Diff(inner, got, protocmp.Transform()); diff != "" {
			b.Errorf("Metadata (-want +got):\n%s", diff)
		}
	}},
	{"error with an unknown detail", func(b bench) {
		st := statusOf(codes.DataLoss, "lost", wrapperspb.String("known"))
		st.Details = append(st.Details, unknown(), &anypb.Any{}, &anypb.Any{Value: []byte("no type")})
		_, err := wrapped(b.T, b.client(&service{get: answers(failed(st))})).Wait(b.Context())
		got, ok := errors.AsType[*lro.OperationError](err)
		if !ok {
			b.Fatalf("Wait: got %v, want an OperationError", err)
		}
		if diff := cmp.Diff(st, got.GRPCStatus().Proto(), protocmp.Transform()); diff != "" {
			b.Errorf("status (-want +got):\n%s", diff)
		}
	}},
	{"error with code 0", func(b bench) {
		_, err := wrapped(b.T, b.client(&service{get: answers(failed(&spb.Status{Message: "odd"}))})).Wait(b.Context())
		if got, ok := errors.AsType[*lro.OperationError](err); !ok || got.Code() != codes.Unknown || got.Message() != "odd" {
			b.Errorf("Wait: got %v, want an OperationError of code UNKNOWN", err)
		}
	}},
	{"error without anything", func(b bench) {
		_, err := wrapped(b.T, b.client(&service{get: answers(failed(&spb.Status{}))})).Wait(b.Context())
		if got, ok := errors.AsType[*lro.OperationError](err); !ok || got.Code() != codes.Unknown {
			b.Errorf("Wait: got %v, want an OperationError of code UNKNOWN", err)
		}
	}},
	{"done with neither", func(b bench) {
		_, err := wrapped(b.T, b.client(&service{get: answers(done(nil))})).Wait(b.Context())
		if got, ok := errors.AsType[*lro.ResultError](err); !ok || got.Response != nil {
			b.Errorf("Wait: got %v, want a ResultError without response", err)
		}
	}},
	{"done with neither, nothing expected", func(b bench) {
		future, err := lro.Method[*emptypb.Empty, *wrapperspb.StringValue]{}.Wrap(b.client(&service{get: answers(done(nil))}), running(""))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := future.Wait(b.Context()); err != nil {
			b.Errorf("Wait: %v", err)
		}
	}},
	{"response without type", func(b bench) {
		_, err := wrapped(b.T, b.client(&service{get: answers(responded(&anypb.Any{}))})).Wait(b.Context())
		if got, ok := errors.AsType[*lro.ResultError](err); !ok || !proto.Equal(got.Response, &anypb.Any{}) {
			b.Errorf("Wait: got %v, want a ResultError with an empty Any", err)
		}
	}},
	{"response of another type", func(b bench) {
		other := pack(wrapperspb.Int64(1 << 60))
		_, err := wrapped(b.T, b.client(&service{get: answers(responded(other))})).Wait(b.Context())
		if got, ok := errors.AsType[*lro.ResultError](err); !ok || !proto.Equal(got.Response, other) {
			b.Errorf("Wait: got %v, want a ResultError with %v", err, other)
		}
	}},
	{"types with JSON of their own", func(b bench) {
		list, err := structpb.NewValue([]any{1.5, nil, "x", map[string]any{"@type": "not an Any"}, true})
		if err != nil {
			b.Fatal(err)
		}
		for _, m := range []proto.Message{
			list, list.GetListValue(), &structpb.Struct{}, &emptypb.Empty{}, wrapperspb.Bytes([]byte{0, 255}), retryIn(-1),
			&timestamppb.Timestamp{Seconds: 1, Nanos: 1}, pack(list), pack(pack(list)),
			&timestamppb.Timestamp{Seconds: 1 << 60}, // has no JSON
			pack(&timestamppb.Timestamp{Seconds: 1 << 60}),
		} {
			future, err := lro.Method[proto.Message, proto.Message]{}.Wrap(b.client(&service{get: answers(responded(pack(m)))}), running(""))
			if err != nil {
				b.Fatal(err)
			}
			got, err := future.Wait(b.Context())
			if err != nil {
				b.Errorf("Wait for a %T: %v", m, err)
				continue
			}
			if diff := cmp.Diff(m, got, protocmp.Transform()); diff != "" {
				b.Errorf("Wait for a %T (-want +got):\n%s", m, diff)
			}
		}
	}},
	{"huge metadata", func(b bench) {
		huge := strings.Repeat("0123456789abcde\n", 1<<20/16)
		s := &service{get: func(_ context.Context, n int) (*longrunningpb.Operation, error) {
			if n < 3 {
				return running(huge), nil
			}
			return withMetadata(succeeded("done"), huge), nil
		}}
		future := wrapped(b.T, b.client(s))
		if _, err := future.Wait(b.Context()); err != nil {
			b.Fatalf("Wait: %v", err)
		}
		if m, ok := future.Metadata(); !ok || m.GetValue() != huge {
			b.Errorf("Metadata has %d bytes, %t, want %d", len(m.GetValue()), ok, len(huge))
		}
	}},
}
