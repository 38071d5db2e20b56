package lro

import (
	"context"
	"errors"
	"strings"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func doneWith(response *anypb.Any) *longrunningpb.Operation {
	op := &longrunningpb.Operation{Name: testName, Done: true}
	if response != nil {
		op.Result = &longrunningpb.Operation_Response{Response: response}
	}
	return op
}

// resultOf wraps op as one whose response is an R and returns its result.
func resultOf[R proto.Message](t *testing.T, op *longrunningpb.Operation) (R, error) {
	t.Helper()
	o, err := Method[R, *anypb.Any]{}.Wrap(NewClient(&fakeService{}), op)
	if err != nil {
		t.Fatalf("Wrap(%v): %v", op, err)
	}
	return o.Wait(t.Context())
}

// What live servers send as the end of an operation, and what each must be.
func TestResultOddities(t *testing.T) {
	t.Parallel()
	duration := anyOf(durationpb.New(1))
	for _, test := range []struct {
		name     string
		op       *longrunningpb.Operation
		kind     string // "ok", "operation" or "result"
		text     string // part of the error
		response bool   // of a ResultError: the raw response is kept
	}{
		{"response", succeeded("x"), "ok", "", false},
		{"neither response nor error", doneWith(nil), "result", "neither", false},
		{"empty Any", doneWith(&anypb.Any{}), "result", `type is "", not "google.protobuf.StringValue"`, true},
		{"other type", doneWith(duration), "result", "google.protobuf.Duration", true},
		{"right type, other prefix", doneWith(&anypb.Any{TypeUrl: "example.com/x/google.protobuf.StringValue"}), "ok", "", false},
		{"right type, bad bytes", doneWith(&anypb.Any{TypeUrl: "type.googleapis.com/google.protobuf.StringValue", Value: []byte{0xff}}), "result", "decode", true},
		{"error", failed(codes.NotFound, "meep"), "operation", "NOT_FOUND: meep", false},
		{"error of code 0", failed(codes.OK, "meep"), "operation", "UNKNOWN: meep", false},
		{"error of no known code", failed(99, "meep"), "operation", "Code(99): meep", false},
		{"error of negative code", failed(codes.Code(1<<32-7), "meep"), "operation", "meep", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := resultOf[*wrapperspb.StringValue](t, test.op)
			failed, isOperation := errors.AsType[*OperationError](err)
			broken, isResult := errors.AsType[*ResultError](err)
			if got, want := isOperation, test.kind == "operation"; got != want {
				t.Errorf("Wait: %v: OperationError %v, want %v", err, got, want)
			}
			if got, want := isResult, test.kind == "result"; got != want {
				t.Errorf("Wait: %v: ResultError %v, want %v", err, got, want)
			}
			if err != nil && !strings.Contains(err.Error(), test.text) || err == nil && test.kind != "ok" {
				t.Errorf("Wait: %v, want an error with %q", err, test.text)
			}
			if isOperation && (failed.Code() == codes.OK || failed.GRPCStatus().Err() == nil) {
				t.Errorf("error has code %v, which is no error", failed.Code())
			}
			if isResult && (broken.Response != nil) != test.response {
				t.Errorf("raw response kept: %v, want %v", broken.Response, test.response)
			}
		})
	}
}

func TestResultWithoutFields(t *testing.T) {
	t.Parallel()
	for name, op := range map[string]*longrunningpb.Operation{
		"absent":    doneWith(nil),
		"empty Any": doneWith(&anypb.Any{}),
		"Empty":     doneWith(anyOf(&emptypb.Empty{})),
	} {
		got, err := resultOf[*emptypb.Empty](t, op)
		if err != nil || got == nil {
			t.Errorf("%s: Wait = %v, %v, want an Empty", name, got, err)
		}
	}
	if _, err := resultOf[*emptypb.Empty](t, doneWith(anyOf(wrapperspb.String("x")))); err == nil {
		t.Error("a StringValue was taken for an Empty")
	}
}

func TestResultTypes(t *testing.T) {
	t.Parallel()
	op := succeeded("x")
	raw, err := resultOf[*anypb.Any](t, op)
	if err != nil || raw.GetTypeUrl() != op.GetResponse().GetTypeUrl() {
		t.Errorf("*anypb.Any: Wait = %v, %v, want the raw response", raw, err)
	}
	linked, err := resultOf[proto.Message](t, op)
	if s, ok := linked.(*wrapperspb.StringValue); err != nil || !ok || s.GetValue() != "x" {
		t.Errorf("proto.Message: Wait = %v, %v, want the StringValue", linked, err)
	}
	foreign := doneWith(&anypb.Any{TypeUrl: "type.googleapis.com/no.such.Type"})
	if _, err := resultOf[proto.Message](t, foreign); err == nil || !strings.Contains(err.Error(), "no.such.Type") {
		t.Errorf("unlinked type: %v, want an error that names it", err)
	}
	type named interface {
		proto.Message
		GetName() string
	}
	if _, err := resultOf[named](t, op); err == nil || !strings.Contains(err.Error(), "StringValue") {
		t.Errorf("narrower interface: %v, want an error that names the type", err)
	}
}

func TestWrapRefuses(t *testing.T) {
	t.Parallel()
	c := NewClient(&fakeService{})
	op := running("")
	bad := &Policy{Multiplier: 0.5}
	for name, wrap := range map[string]func() error{
		"nil operation":   func() error { _, err := Any().Wrap(c, nil); return err },
		"no name":         func() error { _, err := Any().Wrap(c, &longrunningpb.Operation{}); return err },
		"nil client":      func() error { _, err := Any().Wrap(nil, op); return err },
		"empty name":      func() error { _, err := Any().Resume(c, ""); return err },
		"nil client name": func() error { _, err := Any().Resume(nil, testName); return err },
		"dynamic response": func() error {
			_, err := Method[*dynamicpb.Message, *anypb.Any]{}.Wrap(c, op)
			return err
		},
		"dynamic metadata": func() error {
			_, err := Method[*anypb.Any, *dynamicpb.Message]{}.Resume(c, testName)
			return err
		},
		"bad policy": func() error {
			_, err := Method[*anypb.Any, *anypb.Any]{Policy: bad}.Wrap(c, op)
			return err
		},
	} {
		if err := wrap(); err == nil || err.Error() == "" {
			t.Errorf("%s: no error", name)
		}
	}
	// A done operation needs no name: validate_only calls return such (AIP-151).
	if _, err := Any().Wrap(c, &longrunningpb.Operation{Done: true}); err != nil {
		t.Errorf("done without a name: %v", err)
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		any  *anypb.Any
		want string // empty: absent
		err  error  // by errors.Is; nil with want empty: any error
	}{
		{"absent", nil, "", ErrNoMetadata},
		{"present", anyOf(wrapperspb.String("half")), "half", nil},
		{"other type", anyOf(durationpb.New(1)), "", nil},
		{"no type", &anypb.Any{}, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			op, err := Strings.Wrap(NewClient(&fakeService{}), &longrunningpb.Operation{Name: testName, Metadata: test.any})
			if err != nil {
				t.Fatal(err)
			}
			m, ok := op.Metadata()
			if ok != (test.want != "") || m.GetValue() != test.want {
				t.Errorf("Metadata() = %v, %v, want %q", m, ok, test.want)
			}
			err = op.Snapshot().MetadataErr()
			if (err == nil) != ok || test.err != nil && !errors.Is(err, test.err) {
				t.Errorf("MetadataErr() = %v, want %v", err, test.err)
			}
			if ok {
				m.Value = "mine"
				if again, _ := op.Metadata(); again.GetValue() != test.want {
					t.Errorf("second Metadata() = %v: a caller's change shows", again)
				}
			}
		})
	}
}

func TestOperationErrorDetails(t *testing.T) {
	t.Parallel()
	info := &errdetails.ErrorInfo{Reason: "OUT_OF_INK", Domain: "example.com"}
	_, err := resultOf[*emptypb.Empty](t, failed(codes.Unavailable, "no ink", info, durationpb.New(1)))
	got, ok := Detail[*errdetails.ErrorInfo](err)
	if !ok || !proto.Equal(got, info) {
		t.Errorf("Detail[*ErrorInfo] = %v, %v, want %v", got, ok, info)
	}
	if _, ok := Detail[*errdetails.QuotaFailure](err); ok {
		t.Error("Detail found a QuotaFailure that is not there")
	}
	if _, ok := Detail[*errdetails.ErrorInfo](errors.New("plain")); ok {
		t.Error("Detail found something in a plain error")
	}
	st, ok := status.FromError(err)
	if !ok || st.Code() != codes.Unavailable || len(st.Details()) != 2 {
		t.Errorf("status.FromError = %v, %v, want the operation's status", st, ok)
	}
}

// The message has the canonical code as documents and logs write it.
func TestOperationErrorMessage(t *testing.T) {
	t.Parallel()
	for code, want := range map[codes.Code]string{
		codes.NotFound: `operation "operations/test" failed: NOT_FOUND: as it is`,
		codes.Unknown:  `operation "operations/test" failed: UNKNOWN: as it is`,
		codes.Canceled: `operation "operations/test" was cancelled: as it is`,
		404:            `operation "operations/test" failed: Code(404): as it is`,
	} {
		_, err := resultOf[*emptypb.Empty](t, failed(code, "as it is"))
		if err == nil || err.Error() != want {
			t.Errorf("code %d: %v, want %s", code, err, want)
		}
	}
}

// Bytes without a type are no empty response.
func TestBytesWithoutATypeAreNoResponse(t *testing.T) {
	t.Parallel()
	op, err := Method[*emptypb.Empty, *anypb.Any]{}.Wrap(NewClient((&fakeService{}).pollOnly()), &longrunningpb.Operation{
		Name: testName, Done: true,
		Result: &longrunningpb.Operation_Response{Response: &anypb.Any{Value: []byte("x")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := op.Result(); err == nil {
		t.Error("Result: no error")
	}
}

// NOT_FOUND of a single poll is ErrGone once the operation was seen.
func TestPollOfWhatIsGone(t *testing.T) {
	t.Parallel()
	f := &fakeService{get: func(_ context.Context, n int) (*longrunningpb.Operation, error) {
		if n == 2 {
			return running(""), nil
		}
		return nil, status.Error(codes.NotFound, "no such operation")
	}}
	op := resume(t, f.pollOnly())
	for i, want := range []error{ErrNotFound, nil, ErrGone} {
		if _, err := op.Poll(t.Context()); !errors.Is(err, want) || want != nil && codeOf(err) != codes.NotFound {
			t.Errorf("poll %d: %v, want %v", i+1, err, want)
		}
	}
}

// The end of ctx is the cause of a single poll that it ended.
func TestPollOfEndedContext(t *testing.T) {
	t.Parallel()
	op := resume(t, (&fakeService{get: func(ctx context.Context, _ int) (*longrunningpb.Operation, error) {
		return nil, status.FromContextError(ctx.Err()).Err()
	}}).pollOnly())
	shutdown := errors.New("shutdown")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(shutdown)
	if _, err := op.Poll(ctx); !errors.Is(err, context.Canceled) || !errors.Is(err, shutdown) {
		t.Errorf("Poll: %v, want the end of ctx and its cause", err)
	}
}
