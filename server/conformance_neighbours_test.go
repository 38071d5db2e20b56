package server_test

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	grpcmetadata "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
)

// TestConformanceAIP155 checks request IDs.
func TestConformanceAIP155(t *testing.T) {
	t.Parallel()
	const id = "b1ac7f9e-0a9f-4b7e-8f3e-7d0a3c0f6b57"
	k, kinds := one(simKind{}, sleeper)
	a, b := &lropb.SimulateRequest{Echo: "a", Duration: durationpb.New(time.Minute)}, &lropb.SimulateRequest{Echo: "b"}
	caller := func(ctx context.Context) string {
		md, _ := grpcmetadata.FromIncomingContext(ctx)
		return strings.Join(md.Get("caller"), "")
	}

	t.Run("same_id_same_operation", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, rigOptions{kinds: kinds})
			first := r.start(t, k, a, &server.StartOptions{RequestID: id})
			if again := r.start(t, k, a, &server.StartOptions{RequestID: id}); again.GetName() != first.GetName() {
				t.Errorf("second Start = %q, want %q", again.GetName(), first.GetName())
			}
			r.waitLong(t, first.GetName())
			if again := r.start(t, k, a, &server.StartOptions{RequestID: id}); again.GetName() != first.GetName() || !again.GetDone() {
				t.Errorf("Start after the end = %v, want %q, done", again, first.GetName())
			}
			if other := r.start(t, k, a, nil); other.GetName() == first.GetName() {
				t.Error("Start without an ID returned the operation of another")
			}
		})
	})
	t.Run("survives_restart", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "operations.db")
		r := newRig(t, rigOptions{kinds: kinds, path: path, idle: true})
		first := r.start(t, k, a, &server.StartOptions{RequestID: id})
		r.stop()
		r = newRig(t, rigOptions{kinds: kinds, path: path, idle: true})
		if again := r.start(t, k, a, &server.StartOptions{RequestID: id}); again.GetName() != first.GetName() {
			t.Errorf("Start after a restart = %q, want %q", again.GetName(), first.GetName())
		}
	})
	t.Run("same_request_in_other_bytes", func(t *testing.T) {
		t.Parallel()
		mapped := server.Kind[*errdetails.ErrorInfo, response, metadata]{Name: "mapped"}
		r := newRig(t, rigOptions{kinds: append(kinds, mapped.Declare()), idle: true})
		req := &errdetails.ErrorInfo{Metadata: map[string]string{}}
		for i := range 10 {
			req.Metadata[fmt.Sprint(i)] = "x"
		}
		seen := map[string]bool{}
		for range 20 {
			op, err := mapped.Start(t.Context(), r.srv, req, &server.StartOptions{RequestID: id})
			if err != nil {
				t.Fatalf("Start of a request with a map: %v", err)
			}
			seen[op.GetName()] = true
		}
		echo, steps := []byte("\x22\x01e"), []byte("\x10\x05")
		for _, bytes := range [][]byte{slices.Concat(echo, steps), slices.Concat(steps, echo)} {
			op, err := r.starter.StartOperation(t.Context(), &lropb.StartOperationRequest{
				Kind: "sim", RequestId: "other", Request: &anypb.Any{TypeUrl: "type.googleapis.com/lro.v1.SimulateRequest", Value: bytes},
			})
			if err != nil {
				t.Fatalf("StartOperation of %x: %v", bytes, err)
			}
			seen[op.GetName()] = true
		}
		if len(seen) != 2 {
			t.Errorf("operations of two requests = %v, want two", seen)
		}
	})
	t.Run("other_request_is_invalid", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{kinds: kinds, idle: true})
		r.start(t, k, a, &server.StartOptions{RequestID: id})
		_, err := k.Start(t.Context(), r.srv, b, &server.StartOptions{RequestID: id})
		wantError(t, "Start of another request", err, codes.InvalidArgument, "REQUEST_ID_REUSED")
		_, err = k.Start(t.Context(), r.srv, a, &server.StartOptions{RequestID: id, Parent: "projects/p"})
		wantError(t, "Start under another parent", err, codes.InvalidArgument, "REQUEST_ID_REUSED")
	})
	t.Run("scope_is_the_caller", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{kinds: kinds, idle: true, config: server.Config{Caller: caller}})
		start := func(who string) string {
			op, err := r.starter.StartOperation(grpcmetadata.AppendToOutgoingContext(t.Context(), "caller", who), &lropb.StartOperationRequest{Kind: "sim", RequestId: id})
			if err != nil {
				t.Fatalf("StartOperation of %q: %v", who, err)
			}
			return op.GetName()
		}
		if ann, bob := start("ann"), start("bob"); ann == bob || ann != start("ann") {
			t.Errorf("operations of ann, bob = %q, %q, want one each", ann, bob)
		}
		x := r.start(t, k, b, &server.StartOptions{RequestID: id, Caller: "eve"})
		if y := r.start(t, k, b, &server.StartOptions{RequestID: id, Caller: "eve"}); y.GetName() != x.GetName() {
			t.Errorf("second Start of eve = %q, want %q", y.GetName(), x.GetName())
		}
		if z := r.start(t, k, b, &server.StartOptions{RequestID: id, Caller: "fay"}); z.GetName() == x.GetName() {
			t.Error("Start of fay returned the operation of eve")
		}
	})
	t.Run("hostile_ids", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{kinds: kinds, idle: true})
		for _, bad := range []string{"a\x00b", "a\nb", "\xff", strings.Repeat("a", 257), "a\u202eb"} {
			_, err := k.Start(t.Context(), r.srv, a, &server.StartOptions{RequestID: bad})
			wantError(t, fmt.Sprintf("Start with the ID %.20q", bad), err, codes.InvalidArgument, "INVALID_REQUEST_ID")
		}
	})
}

// TestConformanceAIP158 checks pages.
func TestConformanceAIP158(t *testing.T) {
	t.Parallel()
	const parent = "projects/p"
	a, b := simKind{Name: "a"}, simKind{Name: "b"}
	kinds := []server.Registration{a.Handle(echo), b.Handle(echo)}
	// setup starts n operations of kind a and returns them, newest first.
	setup := func(t *testing.T, n int, c server.Config) (*rig, []string) {
		t.Helper()
		c.Parent = parent
		r := newRig(t, rigOptions{kinds: kinds, idle: true, config: c})
		started := make([]string, n)
		for i := range n {
			started[n-1-i] = r.start(t, a, nil, nil).GetName()
		}
		return r, started
	}
	list := func(size int32, token, filter string) *longrunningpb.ListOperationsRequest {
		return &longrunningpb.ListOperationsRequest{Name: parent, PageSize: size, PageToken: token, Filter: filter}
	}

	t.Run("default_size", func(t *testing.T) {
		t.Parallel()
		r, started := setup(t, 60, server.Config{})
		page := r.list(t, list(0, "", ""))
		if d := cmp.Diff(started[:50], names(page.GetOperations())); d != "" || page.GetNextPageToken() == "" {
			t.Errorf("first page (-want +got):\n%s\ntoken %q", d, page.GetNextPageToken())
		}
	})
	t.Run("large_size_is_coerced", func(t *testing.T) {
		t.Parallel()
		r, started := setup(t, 1010, server.Config{})
		page := r.list(t, list(1<<31-1, "", ""))
		if d := cmp.Diff(started[:1000], names(page.GetOperations())); d != "" {
			t.Errorf("page (-want +got):\n%s", d)
		}
	})
	t.Run("negative_size_is_invalid", func(t *testing.T) {
		t.Parallel()
		r, _ := setup(t, 0, server.Config{})
		_, err := r.ops.ListOperations(t.Context(), list(-1, "", ""))
		wantError(t, "ListOperations", err, codes.InvalidArgument, "INVALID_PAGE_SIZE")
	})
	t.Run("end_is_the_empty_token", func(t *testing.T) {
		t.Parallel()
		r, started := setup(t, 7, server.Config{})
		var got []string
		token := ""
		for pages := 0; ; pages++ {
			page := r.list(t, list(3, token, ""))
			got = append(got, names(page.GetOperations())...)
			if token = page.GetNextPageToken(); token == "" {
				break
			}
			if pages > 7 {
				t.Fatal("the list does not end")
			}
		}
		if d := cmp.Diff(started, got); d != "" {
			t.Errorf("pages (-want +got):\n%s", d)
		}
	})
	t.Run("filtered_pages", func(t *testing.T) {
		t.Parallel()
		r, started := setup(t, 4, server.Config{})
		for range 3 {
			r.start(t, b, nil, nil)
		}
		first := r.list(t, list(2, "", "kind=a"))
		second := r.list(t, list(2, first.GetNextPageToken(), "kind=a"))
		got := append(names(first.GetOperations()), names(second.GetOperations())...)
		if d := cmp.Diff(started, got); d != "" {
			t.Errorf("two pages of kind a (-want +got):\n%s", d)
		}
	})
	t.Run("new_size_with_old_token", func(t *testing.T) {
		t.Parallel()
		r, started := setup(t, 7, server.Config{})
		token := r.list(t, list(2, "", "")).GetNextPageToken()
		if d := cmp.Diff(started[2:6], names(r.list(t, list(4, token, "")).GetOperations())); d != "" {
			t.Errorf("second page (-want +got):\n%s", d)
		}
	})
	t.Run("other_arguments_are_invalid", func(t *testing.T) {
		t.Parallel()
		r, _ := setup(t, 3, server.Config{})
		token := r.list(t, list(1, "", "done:false")).GetNextPageToken()
		_, err := r.ops.ListOperations(t.Context(), list(1, token, "done:true"))
		wantError(t, "ListOperations with another filter", err, codes.InvalidArgument, "INVALID_PAGE_TOKEN")
		_, err = r.ops.ListOperations(t.Context(), &longrunningpb.ListOperationsRequest{Name: "projects/q", PageToken: token, Filter: "done:false"})
		wantError(t, "ListOperations of another parent", err, codes.InvalidArgument, "INVALID_PAGE_TOKEN")
	})
	t.Run("token_is_opaque_and_url_safe", func(t *testing.T) {
		t.Parallel()
		r, started := setup(t, 3, server.Config{})
		token := r.list(t, list(1, "", "")).GetNextPageToken()
		if url.QueryEscape(token) != token || strings.Contains(token, started[0]) {
			t.Errorf("token = %q, want URL-safe and unreadable", token)
		}
		for _, bad := range []string{"x", token + "x", token[1:], strings.ToUpper(token), "AQ", strings.Repeat("A", 1<<20)} {
			_, err := r.ops.ListOperations(t.Context(), list(1, bad, ""))
			wantError(t, fmt.Sprintf("ListOperations with the token %.20q", bad), err, codes.InvalidArgument, "INVALID_PAGE_TOKEN")
		}
	})
	t.Run("token_carries_no_authorization", func(t *testing.T) {
		t.Parallel()
		allowed := true
		r, _ := setup(t, 3, server.Config{Authorize: func(context.Context, server.Access) error {
			if !allowed {
				return fmt.Errorf("no")
			}
			return nil
		}})
		token := r.list(t, list(1, "", "")).GetNextPageToken()
		allowed = false
		_, err := r.ops.ListOperations(t.Context(), list(1, token, ""))
		wantError(t, "ListOperations of a stranger", err, codes.PermissionDenied, "PERMISSION_DENIED")
	})
	t.Run("key_is_shared_by_servers", func(t *testing.T) {
		t.Parallel()
		key := []byte("0123456789abcdef")
		r, started := setup(t, 3, server.Config{PageKey: key})
		token := r.list(t, list(1, "", "")).GetNextPageToken()
		for _, c := range []server.Config{{PageKey: key}, {PageKey: []byte("fedcba9876543210")}, {}} {
			other, err := server.New(r.eng, c, kinds...)
			if err != nil {
				t.Fatal(err)
			}
			page, err := other.Operations().ListOperations(t.Context(), list(1, token, ""))
			if string(c.PageKey) != string(key) {
				wantError(t, "ListOperations of a server with another key", err, codes.InvalidArgument, "INVALID_PAGE_TOKEN")
				continue
			}
			if err != nil {
				t.Errorf("ListOperations of a server with the same key: %v", err)
				continue
			}
			if d := cmp.Diff(started[1:2], names(page.GetOperations())); d != "" {
				t.Errorf("second page of a server with the same key (-want +got):\n%s", d)
			}
		}
	})
	t.Run("stable_under_inserts", func(t *testing.T) {
		t.Parallel()
		r, started := setup(t, 6, server.Config{})
		page := r.list(t, list(2, "", ""))
		got := names(page.GetOperations())
		for page.GetNextPageToken() != "" {
			r.start(t, b, nil, nil)
			page = r.list(t, list(2, page.GetNextPageToken(), ""))
			got = append(got, names(page.GetOperations())...)
		}
		if d := cmp.Diff(started, got); d != "" {
			t.Errorf("pages (-want +got):\n%s", d)
		}
	})
	t.Run("pages_fit_into_a_message", func(t *testing.T) {
		t.Parallel()
		r, _ := setup(t, 0, server.Config{})
		want := map[string]bool{}
		for range 10 {
			big := &lropb.OperationMetadata{StatusMessage: strings.Repeat("x", 1<<20)}
			want[r.start(t, a, nil, &server.StartOptions{Metadata: big}).GetName()] = true
		}
		for token := ""; ; {
			page := r.list(t, list(0, token, "")) // fails beyond 4 MiB
			for _, name := range names(page.GetOperations()) {
				delete(want, name)
			}
			if token = page.GetNextPageToken(); token == "" {
				break
			}
		}
		if len(want) > 0 {
			t.Errorf("operations not listed: %v", want)
		}
	})
}

// TestConformanceAIP160 checks that lists are filtered; the language itself is
// tested in internal/filter.
func TestConformanceAIP160(t *testing.T) {
	t.Parallel()
	a, b := simKind{Name: "a"}, simKind{Name: "b"}
	fail := func(context.Context, task, request) (response, error) {
		return nil, status.Error(codes.NotFound, "no such shelf")
	}
	r := newRig(t, rigOptions{kinds: []server.Registration{a.Handle(untilCancelled), b.Handle(fail)}})
	running := r.start(t, a, nil, &server.StartOptions{Metadata: &lropb.OperationMetadata{Target: "shelves/1"}}).GetName()
	failed := r.start(t, b, nil, nil).GetName()
	r.wait(t, failed)
	for _, tc := range []struct{ name, filter, want string }{
		{"done", "done:true", failed},
		{"done_equals", "done = false", running},
		{"error", "error:*", failed},
		{"error_field", "error.code=5 AND error.message:SHELF", failed},
		{"metadata_type", "metadata.@type=type.googleapis.com/lro.v1.OperationMetadata AND metadata.target=shelves/*", running},
		{"metadata_filled_by_server", "metadata.state=FAILED metadata.verb=b", failed},
		{"name", "name=" + running, running},
		{"kind", "kind=a", running},
		{"or_binds_tighter", "done:false OR done:true AND kind=b", failed},
		{"time", `create_time > "2020-01-01T00:00:00Z" -done`, running},
		{"nothing", "response:*", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := names(r.list(t, &longrunningpb.ListOperationsRequest{Name: "operations", Filter: tc.filter}).GetOperations())
			if strings.Join(got, " ") != tc.want {
				t.Errorf("ListOperations with filter %q = %q, want %q", tc.filter, got, tc.want)
			}
		})
	}
	t.Run("bad_filter_is_invalid", func(t *testing.T) {
		t.Parallel()
		for _, filter := range []string{"nonsense", "done:perhaps", "metadata.nonsense=1", "(", `"`, strings.Repeat("(", 5000)} {
			_, err := r.ops.ListOperations(t.Context(), &longrunningpb.ListOperationsRequest{Filter: filter})
			wantError(t, fmt.Sprintf("ListOperations with filter %.20q", filter), err, codes.InvalidArgument, "INVALID_FILTER")
		}
	})
}

var (
	reasonForm = regexp.MustCompile(`^[A-Z][A-Z0-9_]+[A-Z0-9]$`)
	keyForm    = regexp.MustCompile(`^[a-z][a-zA-Z0-9-_]{0,63}$`)
	quoted     = regexp.MustCompile(`"([^"]*)"`)
)

// TestConformanceAIP193 checks errors.
func TestConformanceAIP193(t *testing.T) {
	t.Parallel()
	k, kinds := one(simKind{}, echo)
	r := newRig(t, rigOptions{kinds: kinds, idle: true, config: server.Config{ErrorDomain: "library.example"}})
	ctx := t.Context()
	calls := map[string]func() error{
		"get_nothing": func() error {
			_, err := r.ops.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: "operations/x"})
			return err
		},
		"get_no_name": func() error { _, err := r.ops.GetOperation(ctx, &longrunningpb.GetOperationRequest{}); return err },
		"get_bad_name": func() error {
			_, err := r.ops.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: "a/../operations/x"})
			return err
		},
		"cancel_nothing": func() error {
			_, err := r.ops.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: "operations/x"})
			return err
		},
		"delete_nothing": func() error {
			_, err := r.ops.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: "operations/x"})
			return err
		},
		"wait_nothing": func() error {
			_, err := r.ops.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: "operations/x"})
			return err
		},
		"list_parent": func() error {
			_, err := r.ops.ListOperations(ctx, &longrunningpb.ListOperationsRequest{Name: "a//b"})
			return err
		},
		"list_size": func() error {
			_, err := r.ops.ListOperations(ctx, &longrunningpb.ListOperationsRequest{PageSize: -1})
			return err
		},
		"list_token": func() error {
			_, err := r.ops.ListOperations(ctx, &longrunningpb.ListOperationsRequest{PageToken: "x"})
			return err
		},
		"list_filter": func() error {
			_, err := r.ops.ListOperations(ctx, &longrunningpb.ListOperationsRequest{Filter: "x"})
			return err
		},
		"start_kind": func() error {
			_, err := r.starter.StartOperation(ctx, &lropb.StartOperationRequest{Kind: "x"})
			return err
		},
		"start_parent": func() error {
			_, err := r.starter.StartOperation(ctx, &lropb.StartOperationRequest{Kind: "sim", Parent: "a/-"})
			return err
		},
		"start_id": func() error {
			_, err := r.starter.StartOperation(ctx, &lropb.StartOperationRequest{Kind: "sim", RequestId: "\x01"})
			return err
		},
		"start_huge": func() error {
			_, err := k.Start(ctx, r.srv, &lropb.SimulateRequest{Echo: strings.Repeat("x", 17<<20)}, nil)
			return err
		},
	}
	for name, call := range calls {
		t.Run("one_error_info_"+name, func(t *testing.T) {
			t.Parallel()
			st := status.Convert(call())
			var info *errdetails.ErrorInfo
			seen := map[string]bool{}
			for _, d := range st.Proto().GetDetails() {
				if seen[d.GetTypeUrl()] {
					t.Errorf("detail %s is there twice", d.GetTypeUrl())
				}
				seen[d.GetTypeUrl()] = true
				if d.MessageIs(info) {
					info = unpacked[*errdetails.ErrorInfo](t, d)
				}
			}
			if !reasonForm.MatchString(info.GetReason()) || len(info.GetReason()) > 63 || info.GetDomain() != "library.example" {
				t.Errorf("ErrorInfo = %v, want a reason in upper case and the domain", info)
			}
			for key := range info.GetMetadata() {
				if !keyForm.MatchString(key) {
					t.Errorf("key %q does not match %s", key, keyForm)
				}
			}
			for _, m := range quoted.FindAllStringSubmatch(st.Message(), -1) {
				if !hasValue(info.GetMetadata(), m[1]) {
					t.Errorf("message %q quotes %q, which is not in the metadata %v", st.Message(), m[1], info.GetMetadata())
				}
			}
		})
	}
	t.Run("permission_before_existence", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{kinds: kinds, idle: true, config: server.Config{Authorize: func(context.Context, server.Access) error {
			return fmt.Errorf("secret reason")
		}}})
		exists := r.start(t, k, nil, nil).GetName()
		for _, name := range []string{exists, "operations/none"} {
			_, get := r.ops.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
			_, wait := r.ops.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: name})
			_, cancel := r.ops.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: name})
			_, del := r.ops.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: name})
			for method, err := range map[string]error{"Get": get, "Wait": wait, "Cancel": cancel, "Delete": del} {
				wantError(t, method+"Operation of "+name, err, codes.PermissionDenied, "PERMISSION_DENIED")
				if strings.Contains(err.Error(), "secret") {
					t.Errorf("%sOperation = %v, shows the hook's error", method, err)
				}
			}
		}
	})
}

func hasValue(m map[string]string, part string) bool {
	for _, v := range m {
		if strings.Contains(v, part) {
			return true
		}
	}
	return false
}
