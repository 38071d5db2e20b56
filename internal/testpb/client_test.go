//lint:file-ignore SA1019 Methods that are deprecated in the proto are tested too.

package testpb

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/leak"
	"github.com/go-lro/lro/internal/testpb/archivepb"
	"github.com/go-lro/lro/internal/testpb/archivepb/archivepblro"
	"github.com/go-lro/lro/internal/testpb/call"
	"github.com/go-lro/lro/internal/testpb/editionspb"
	"github.com/go-lro/lro/lrotest"
)

func TestMain(m *testing.M) { leak.Main(m) }

var uuid4 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

var lost = status.Error(codes.Unavailable, "connection lost")

func TestClientWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{steps: []lrotest.Step{
			lrotest.Running(&archivepb.StoreMetadata{Part: &archivepb.StoreMetadata_Part{Number: 3}}).For(time.Hour),
			lrotest.Succeeded(&archivepb.File{Name: "files/1"}),
		}}
		client := archivepb.NewArchiveLROClient_(f.dial(t, archivepb.File_archive_v1_archive_proto), nil)
		op, err := client.Store(t.Context(), &archivepb.StoreRequest{Parent: "p"})
		if err != nil {
			t.Fatalf("Store: %v", err)
		}
		if m, ok := op.Metadata(); !ok || m.GetPart().GetNumber() != 3 {
			t.Errorf("Metadata: got (%v, %v), want part 3", m, ok)
		}
		got, err := op.Wait(t.Context())
		if err != nil || got.GetName() != "files/1" {
			t.Errorf("Wait: got (%v, %v), want files/1", got, err)
		}
		if got, want := f.methods(), "/archive.v1.Archive/Store"; got != want {
			t.Errorf("calls: got %s, want %s", got, want)
		}
	})
}

func TestClientOfOwnPackage(t *testing.T) {
	t.Parallel()
	f := &fake{steps: []lrotest.Step{lrotest.Succeeded(&emptypb.Empty{}).WithMetadata(&archivepb.File{Name: "last"})}}
	conn := f.dial(t, archivepb.File_archive_v1_archive_proto)
	op, err := archivepblro.NewArchiveLROClient(conn, lro.NewClientConn(conn)).Purge(t.Context(), &archivepb.PurgeRequest{})
	if err != nil {
		t.Fatalf("Purge: %v", err)
	}
	var metadata *anypb.Any
	metadata, _ = op.Metadata()
	if metadata.MessageName() != "archive.v1.File" {
		t.Errorf("Metadata: got %v, want an Any with a File", metadata)
	}
	var empty *emptypb.Empty
	if empty, err = op.Wait(t.Context()); err != nil || empty == nil {
		t.Errorf("Wait: got (%v, %v), want Empty", empty, err)
	}
}

// One operation is started with a request ID of its own, whatever is lost, and
// the request stays the caller's.
func TestRequestIDIsFilled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{failures: []error{lost, lost}}
		client := archivepb.NewArchiveLROClient_(f.dial(t, archivepb.File_archive_v1_archive_proto), nil)
		req := &archivepb.StoreRequest{Parent: "p", File: &archivepb.File{Name: "f"}}
		req.ProtoReflect().SetUnknown([]byte{0xa0, 0x06, 0x01}) // field 100
		before := proto.CloneOf(req)
		if _, err := client.Store(t.Context(), req); err != nil {
			t.Fatalf("Store: %v", err)
		}
		ids := f.requestIDs()
		if len(ids) != 3 || !uuid4.MatchString(ids[0]) || len(slices.Compact(ids)) != 1 {
			t.Errorf("request IDs: got %q, want one UUID4, three times", f.requestIDs())
		}
		if diff := cmp.Diff(before, req, protocmp.Transform()); diff != "" {
			t.Errorf("request of the caller (-before +after):\n%s", diff)
		}
		want := proto.CloneOf(before)
		want.RequestId = f.requestIDs()[0]
		if diff := cmp.Diff(want, f.calls[2].req, protocmp.Transform()); diff != "" {
			t.Errorf("request of the call (-want +got):\n%s", diff)
		}
	})
}

func TestRequestIDOfCallerIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{failures: []error{lost}}
		conn := f.dial(t, archivepb.File_archive_v1_archive_proto)
		var started []lro.Started
		operations := lro.NewClientConn(conn, lro.WithOnStart(func(_ context.Context, s lro.Started) error {
			started = append(started, s)
			return nil
		}))
		client := archivepb.NewArchiveLROClient_(conn, operations)
		if _, err := client.Store(t.Context(), &archivepb.StoreRequest{RequestId: "mine"}); err != nil {
			t.Fatalf("Store: %v", err)
		}
		if diff := cmp.Diff([]string{"mine", "mine"}, f.requestIDs()); diff != "" {
			t.Errorf("request IDs (-want +got):\n%s", diff)
		}
		if len(started) != 1 || started[0].RequestID != "mine" || started[0].Method != "archive.v1.Archive.Store" {
			t.Errorf("started: got %+v, want one operation of Store by request mine", started)
		}
	})
}

// Each kind of field takes the ID, in the open and in the opaque API.
func TestRequestIDInEachEdition(t *testing.T) {
	t.Parallel()
	f := &fake{}
	archive := archivepb.NewArchiveLROClient_(f.dial(t, archivepb.File_archive_v1_archive_proto), nil)
	proto2 := editionspb.NewProto2ServiceLROClient(f.dial(t, editionspb.File_editions_proto2_proto), nil)
	edition2023 := editionspb.NewEdition2023ServiceLROClient(f.dial(t, editionspb.File_editions_edition2023_proto), nil)
	edition2024 := editionspb.NewEdition2024ServiceLROClient(f.dial(t, editionspb.File_editions_edition2024_proto), nil)
	given2024 := new(editionspb.Edition2024Request)
	given2024.SetRequestId("mine")
	calls := []struct {
		name         string
		unset, given func() error
	}{
		{
			"proto3 optional",
			func() error { return second(archive.ResumeStore(t.Context(), nil)) },
			func() error {
				return second(archive.ResumeStore(t.Context(), &archivepb.OptionalRequest{RequestId: new("mine")}))
			},
		},
		{
			"message of another package",
			//lint:ignore SA1019 generated code keeps working
			func() error { return second(archive.Move(t.Context(), &call.MoveRequest{})) },
			//lint:ignore SA1019 generated code keeps working
			func() error { return second(archive.Move(t.Context(), &call.MoveRequest{RequestId: "mine"})) },
		},
		{
			"proto2",
			func() error { return second(proto2.Make(t.Context(), nil)) },
			func() error {
				return second(proto2.Make(t.Context(), &editionspb.Proto2Request{RequestId: new("mine")}))
			},
		},
		{
			"edition 2023",
			func() error { return second(edition2023.Make(t.Context(), nil)) },
			func() error {
				return second(edition2023.Make(t.Context(), &editionspb.Edition2023Request{RequestId: new("mine")}))
			},
		},
		{
			"edition 2024",
			func() error { return second(edition2024.Make(t.Context(), nil)) },
			func() error { return second(edition2024.Make(t.Context(), given2024)) },
		},
	}
	for _, c := range calls {
		if err := errors.Join(c.unset(), c.given()); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		ids := f.requestIDs()
		ids = ids[len(ids)-2:]
		if !uuid4.MatchString(ids[0]) || ids[1] != "mine" {
			t.Errorf("%s: request IDs %q, want a UUID4 and mine", c.name, ids)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Without a request_id an operation might be started twice, so the call is not
// repeated.
func TestWithoutRequestID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{failures: []error{lost}}
		conn := f.dial(t, archivepb.File_archive_v1_archive_proto)
		_, err := archivepb.NewArchiveLROClient_(conn, nil).Purge(t.Context(), &archivepb.PurgeRequest{RequestId: []byte("b")})
		start, ok := errors.AsType[*lro.StartError](err)
		if !ok || !start.MayHaveStarted || !strings.Contains(err.Error(), "may have been started") || status.Code(err) != codes.Unavailable {
			t.Errorf("Purge after a lost answer: got error %v, want UNAVAILABLE that says it may have been started", err)
		}
		if got := f.methods(); got != "/archive.v1.Archive/Purge" {
			t.Errorf("calls: got %q, want one of Purge", got)
		}
		f.failures = nil
		//lint:ignore SA1019 generated code keeps working
		if _, err := archivepb.NewOldLROClient(conn, nil).Scan(t.Context(), nil); err != nil {
			t.Errorf("Scan: %v", err)
		}
		if ids := f.requestIDs(); ids[1] != "none" {
			t.Errorf("request_id of Scan, which is a member of a oneof: got %q, want none", ids[1])
		}
	})
}

func TestClientPassesCallOptions(t *testing.T) {
	t.Parallel()
	f := &fake{}
	client := archivepb.NewArchiveLROClient_(f.dial(t, archivepb.File_archive_v1_archive_proto), nil)
	var header metadata.MD
	if _, err := client.Store(t.Context(), &archivepb.StoreRequest{}, grpc.Header(&header)); err != nil {
		t.Fatalf("Store: %v", err)
	}
	if len(header.Get("content-type")) == 0 {
		t.Errorf("header of the call: got %v, want what gRPC sends", header)
	}
	header = nil
	if _, err := client.Purge(t.Context(), &archivepb.PurgeRequest{}, grpc.Header(&header)); err != nil || len(header) == 0 {
		t.Errorf("Purge: got header %v and error %v, want what gRPC sends", header, err)
	}
}

// The client sees when the service asks to be called again.
func TestClientHonoursRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{failures: []error{lost, nil, status.Error(codes.ResourceExhausted, "quota")}, trailer: metadata.Pairs("retry-after", "300")}
		client := archivepb.NewArchiveLROClient_(f.dial(t, archivepb.File_archive_v1_archive_proto), nil)
		for _, start := range []func() error{
			func() error { return second(client.Store(t.Context(), nil)) },
			func() error { return second(client.Purge(t.Context(), nil)) },
		} {
			begin := time.Now()
			if err := start(); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took < 5*time.Minute || took > 10*time.Minute {
				t.Errorf("start, by calls of %s: took %v, want the 5 minutes that the service asked for", f.methods(), took)
			}
		}
	})
}

func TestClientResumes(t *testing.T) {
	t.Parallel()
	f := &fake{steps: []lrotest.Step{lrotest.Succeeded(&archivepb.File{Name: "files/1"})}}
	client := archivepb.NewArchiveLROClient_(f.dial(t, archivepb.File_archive_v1_archive_proto), nil)
	op, err := client.Store(t.Context(), &archivepb.StoreRequest{})
	if err != nil {
		t.Fatalf("Store: %v", err)
	}
	for _, nameOrToken := range []string{op.Name(), op.Token()} {
		again, err := client.ResumeStore_(nameOrToken)
		if err != nil {
			t.Errorf("ResumeStore_(%q): %v", nameOrToken, err)
			continue
		}
		if got, err := again.Wait(t.Context()); err != nil || got.GetName() != "files/1" {
			t.Errorf("Wait for %q: got (%v, %v), want files/1", nameOrToken, got, err)
		}
	}
	if _, err := client.ResumePurge(op.Token()); err == nil || !strings.Contains(err.Error(), "archive.v1.Archive.Store") {
		t.Errorf("ResumePurge(token of Store): got error %v, want one that names Store", err)
	}
}
