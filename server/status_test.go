package server

import (
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// errorInfos are the ErrorInfo details of a status.
func errorInfos(t testing.TB, st *spb.Status) []*errdetails.ErrorInfo {
	t.Helper()
	var out []*errdetails.ErrorInfo
	for _, d := range st.GetDetails() {
		info := &errdetails.ErrorInfo{}
		if !d.MessageIs(info) {
			continue
		}
		if err := d.UnmarshalTo(info); err != nil {
			t.Fatalf("decode ErrorInfo: %v", err)
		}
		out = append(out, info)
	}
	return out
}

func TestCompleteStatus(t *testing.T) {
	t.Parallel()
	info := packed(t, &errdetails.ErrorInfo{Reason: "SHELF_FULL", Domain: "library.example"})
	help := packed(t, &errdetails.Help{})
	for _, tc := range []struct {
		name    string
		in      *spb.Status
		reason  string
		code    codes.Code
		want    string // reason
		details int
	}{
		{"nil", nil, "", codes.Unknown, "UNKNOWN", 1},
		{"OK", &spb.Status{}, "", codes.Unknown, "UNKNOWN", 1},
		{"not a code", &spb.Status{Code: 99}, "", codes.Unknown, "UNKNOWN", 1},
		{"negative code", &spb.Status{Code: -1}, "", codes.Unknown, "UNKNOWN", 1},
		{"no info", &spb.Status{Code: 9}, "", codes.FailedPrecondition, "FAILED_PRECONDITION", 1},
		{"given reason", &spb.Status{Code: 9}, "WHY", codes.FailedPrecondition, "WHY", 1},
		{"own info", &spb.Status{Code: 9, Details: []*anypb.Any{info}}, "WHY", codes.FailedPrecondition, "SHELF_FULL", 1},
		{"other detail", &spb.Status{Code: 9, Details: []*anypb.Any{help}}, "", codes.FailedPrecondition, "FAILED_PRECONDITION", 2},
		{"twice", &spb.Status{Code: 9, Details: []*anypb.Any{info, help, info, help}}, "", codes.FailedPrecondition, "SHELF_FULL", 2},
		{"bad text", &spb.Status{Code: 9, Message: "a\xffb"}, "", codes.FailedPrecondition, "FAILED_PRECONDITION", 1},
		{"bad type URL", &spb.Status{Code: 9, Details: []*anypb.Any{{TypeUrl: "a\xff"}}}, "", codes.FailedPrecondition, "FAILED_PRECONDITION", 1},
	} {
		got := testFaults.complete(tc.in, tc.reason)
		infos := errorInfos(t, got)
		if codes.Code(got.GetCode()) != tc.code || len(got.GetDetails()) != tc.details || len(infos) != 1 || infos[0].GetReason() != tc.want {
			t.Errorf("%s: complete(%v) = %v, want code %s, reason %s, %d details", tc.name, tc.in, got, tc.code, tc.want, tc.details)
		}
		if _, err := proto.Marshal(got); err != nil {
			t.Errorf("%s: cannot be sent: %v", tc.name, err)
		}
		if again := testFaults.complete(got, "OTHER"); again != got {
			t.Errorf("%s: complete is not idempotent: %v", tc.name, again)
		}
	}
}

// Hostile values end up in error texts, and those in an HTTP/2 header.
func TestFaultTextIsBounded(t *testing.T) {
	t.Parallel()
	for _, value := range []string{strings.Repeat("x", 1<<20), "\xff\xfe", "\x00\n"} {
		err := testFaults.invalid("name", reasonInvalidName, value, "name %s is bad", value)
		st := status.Convert(err)
		if b, merr := proto.Marshal(st.Proto()); merr != nil || len(b) > 8<<10 {
			t.Errorf("status about %.10q has %d bytes, %v, want less than 8 KiB", value, len(b), merr)
		}
		if st.Code() != codes.InvalidArgument || len(errorInfos(t, st.Proto())) != 1 {
			t.Errorf("status = %v, want INVALID_ARGUMENT with one ErrorInfo", st)
		}
	}
}
