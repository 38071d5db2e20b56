package lroconnect_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/lroconnect"
)

// gets is a service whose GetOperation is a function.
type gets struct {
	longrunningpb.UnimplementedOperationsServer
	get func(context.Context) (*longrunningpb.Operation, error)
}

func (g gets) GetOperation(ctx context.Context, _ *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	return g.get(ctx)
}

var getX = &longrunningpb.GetOperationRequest{Name: "operations/x"}

// TestPages shows that the page of a proxy is not taken for the service's answer.
func TestPages(t *testing.T) {
	t.Parallel()
	for name, opts := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for httpCode, want := range map[int]codes.Code{
				http.StatusBadRequest:          codes.Internal,
				http.StatusUnauthorized:        codes.Unknown,
				http.StatusForbidden:           codes.Unknown,
				http.StatusNotFound:            codes.Unknown,
				http.StatusTooManyRequests:     codes.Unavailable,
				http.StatusBadGateway:          codes.Unavailable,
				http.StatusServiceUnavailable:  codes.Unavailable,
				http.StatusInternalServerError: codes.Unknown,
			} {
				page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>no</html>", httpCode) })
				client := dial(t, page, name, opts)
				_, err := client.GetOperation(t.Context(), getX)
				if status.Code(err) != want {
					t.Errorf("GetOperation, where a proxy answers %d: got %v, want %v", httpCode, err, want)
				}
				_, err = client.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{})
				if httpCode == http.StatusNotFound {
					want = codes.Unimplemented
				}
				if status.Code(err) != want {
					t.Errorf("WaitOperation, where a proxy answers %d: got %v, want %v", httpCode, err, want)
				}
			}
		})
	}
}

// TestTooLarge shows that an answer over the limit ends waiting.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	metadata, err := anypb.New(wrapperspb.String(strings.Repeat("x", 2000)))
	if err != nil {
		t.Fatal(err)
	}
	srv := gets{get: func(context.Context) (*longrunningpb.Operation, error) {
		return &longrunningpb.Operation{Name: "operations/x", Metadata: metadata}, nil
	}}
	for name, opts := range protocols {
		client := serve(t, srv, name, append([]connect.ClientOption{connect.WithReadMaxBytes(1000)}, opts...))
		_, err := client.GetOperation(t.Context(), getX)
		permanent, ok := errors.AsType[interface {
			error
			Permanent() bool
		}](err)
		if status.Code(err) != codes.ResourceExhausted || !ok || !permanent.Permanent() {
			t.Errorf("GetOperation over %s with 2,000 bytes: got %v, want a permanent RESOURCE_EXHAUSTED", name, err)
		}
	}
	exhausted := gets{get: func(context.Context) (*longrunningpb.Operation, error) {
		return nil, status.Error(codes.ResourceExhausted, "quota")
	}}
	_, err = serve(t, exhausted, "Connect", nil).GetOperation(t.Context(), getX)
	if permanent, ok := errors.AsType[interface {
		error
		Permanent() bool
	}](err); !ok || permanent.Permanent() {
		t.Errorf("GetOperation, where the service answers RESOURCE_EXHAUSTED: got %v, permanent %t", err, ok)
	}
}

// TestErrorsWrap shows what errors.Is and errors.As find in an error.
func TestErrorsWrap(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	client := serve(t, gets{get: func(ctx context.Context) (*longrunningpb.Operation, error) {
		cancel()
		<-ctx.Done() // the connection is closed
		return nil, context.Cause(ctx)
	}}, "Connect", nil)
	_, err := client.GetOperation(ctx, getX)
	if !errors.Is(err, context.Canceled) || status.Code(err) != codes.Canceled {
		t.Errorf("GetOperation after the end of its ctx: got %v, want CANCELLED", err)
	}
	_, err = client.DeleteOperation(t.Context(), &longrunningpb.DeleteOperationRequest{})
	if failed, ok := errors.AsType[*connect.Error](err); !ok || failed.Code() != connect.CodeUnimplemented {
		t.Errorf("DeleteOperation: got %v, want one that wraps a *connect.Error", err)
	}
	_, err = lroconnect.NewClient(http.DefaultClient, "http://%").GetOperation(t.Context(), getX)
	if err == nil {
		t.Error("GetOperation at a base URL that cannot be parsed succeeds")
	}
}

// TestNothing shows that a service which returns nothing has failed.
func TestNothing(t *testing.T) {
	t.Parallel()
	client := serve(t, gets{get: func(context.Context) (*longrunningpb.Operation, error) { return nil, nil }}, "Connect", nil)
	if op, err := client.GetOperation(t.Context(), getX); status.Code(err) != codes.Internal {
		t.Errorf("GetOperation of a service without answer = %v, %v, want INTERNAL", op, err)
	}
}

// token is a credential of one call.
type token struct {
	secure bool
	err    error
}

func (k token) RequireTransportSecurity() bool { return k.secure }

func (k token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer secret"}, k.err
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	client := serve(t, gets{get: func(ctx context.Context) (*longrunningpb.Operation, error) {
		got := metadata.ValueFromIncomingContext(ctx, "authorization")
		if len(got) != 1 || got[0] != "Bearer secret" {
			return nil, status.Errorf(codes.Unauthenticated, "authorization is %q", got)
		}
		return &longrunningpb.Operation{}, nil
	}}, "Connect", nil)
	for _, tt := range []struct {
		name  string
		creds token
		want  codes.Code
	}{
		{"sent", token{}, codes.OK},
		{"need TLS", token{secure: true}, codes.Unauthenticated},
		{"cannot be had", token{err: errors.New("no network")}, codes.Unavailable},
		{"refused", token{err: status.Error(codes.PermissionDenied, "no")}, codes.PermissionDenied},
	} {
		if _, err := client.GetOperation(t.Context(), getX, grpc.PerRPCCredentials(tt.creds)); status.Code(err) != tt.want {
			t.Errorf("GetOperation, %s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestReserved shows that headers of the protocols are no metadata, in either
// direction.
func TestReserved(t *testing.T) {
	t.Parallel()
	for name, opts := range protocols {
		var got metadata.MD
		client := serve(t, gets{get: func(ctx context.Context) (*longrunningpb.Operation, error) {
			got, _ = metadata.FromIncomingContext(ctx)
			return &longrunningpb.Operation{}, nil
		}}, name, opts)
		ctx := metadata.AppendToOutgoingContext(t.Context(), "connect-timeout-ms", "1", "grpc-timeout", "1n", "content-type", "x/y", "own", "1")
		ctx, cancel := context.WithTimeout(ctx, time.Hour)
		var header, trailer metadata.MD
		_, err := client.GetOperation(ctx, getX, grpc.Header(&header), grpc.Trailer(&trailer))
		cancel()
		if err != nil {
			t.Fatalf("GetOperation over %s: %v", name, err)
		}
		if diff := cmp.Diff([]string{"1"}, got["own"]); diff != "" {
			t.Errorf("metadata \"own\" over %s (-want +got):\n%s", name, diff)
		}
		for _, md := range []metadata.MD{got, header, trailer} {
			for key := range md {
				if strings.HasPrefix(key, "connect-") || strings.HasPrefix(key, "grpc-") || key == "content-type" {
					t.Errorf("metadata over %s has %q", name, key)
				}
			}
		}
	}
}

// TestError shows what becomes of an error that a Connect service returns.
func TestError(t *testing.T) {
	t.Parallel()
	own := connect.NewError(connect.CodeAborted, errors.New("own"))
	unknown := &anypb.Any{TypeUrl: "type.googleapis.com/nobody.Knows", Value: []byte{8, 1}}
	for _, tt := range []struct {
		err     error
		want    connect.Code
		message string
	}{
		{status.Error(codes.NotFound, "no such book"), connect.CodeNotFound, "no such book"},
		{fmt.Errorf("start: %w", status.Error(codes.NotFound, "no such book")), connect.CodeNotFound, "start: rpc error: code = NotFound desc = no such book"},
		{status.ErrorProto(&spb.Status{Code: 9, Message: "m", Details: []*anypb.Any{unknown}}), connect.CodeFailedPrecondition, "m"},
		{status.Error(codes.Code(99), "odd"), connect.CodeUnknown, "odd"},
		{context.Canceled, connect.CodeCanceled, "context canceled"},
		{errors.New("plain"), connect.CodeUnknown, "plain"},
		{own, connect.CodeAborted, "own"},
	} {
		got, ok := errors.AsType[*connect.Error](lroconnect.Error(tt.err))
		if !ok || got.Code() != tt.want || got.Message() != tt.message {
			t.Errorf("Error(%v): got %v, want %v with %q", tt.err, got, tt.want, tt.message)
			continue
		}
		for _, d := range got.Details() {
			if d.Type() != "nobody.Knows" || string(d.Bytes()) != string(unknown.GetValue()) {
				t.Errorf("Error(%v) has the detail %s %v", tt.err, d.Type(), d.Bytes())
			}
		}
	}
	if err := lroconnect.Error(nil); err != nil {
		t.Errorf("Error(nil) = %v", err)
	}
}
