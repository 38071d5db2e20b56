package testpb

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro/internal/testpb/archivepb"
	"github.com/go-lro/lro/internal/testpb/archivepb/archivepbserver"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/servertest"
)

// press prints a page in an hour.
type press struct{}

var _ archivepbserver.PressHandler = press{}

func (press) Print(ctx context.Context, task *server.Task[*archivepb.PrintMetadata], req *archivepb.PrintRequest) (*archivepb.PrintResponse, error) {
	for page := range req.GetPages() {
		task.Report(&archivepb.PrintMetadata{Page: page + 1})
		select {
		case <-time.After(time.Hour):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return &archivepb.PrintResponse{Pages: req.GetPages()}, nil
}

func (press) Reprint(context.Context, *server.Task[*archivepb.PrintMetadata], *archivepb.ReprintRequest) (*archivepb.PrintResponse, error) {
	return &archivepb.PrintResponse{}, nil
}

func (press) UpdateFileWithANameThatIsTooLongForAKindOfOperations(_ context.Context, _ *server.Task[*archivepb.PrintMetadata], req *archivepb.UpdateFileRequest) (*archivepb.File, error) {
	return req.GetFile(), nil
}

func (press) StartOptions(context.Context, *server.Task[*archivepb.PrintMetadata], *archivepb.CompareRequest) (*archivepb.PrintResponse, error) {
	return &archivepb.PrintResponse{}, nil
}

func (press) Price(_ context.Context, req *archivepb.PrintRequest) (*archivepb.PrintResponse, error) {
	if req.GetPages() == 0 {
		return nil, status.Error(codes.InvalidArgument, "no pages")
	}
	return &archivepb.PrintResponse{Pages: 2 * req.GetPages()}, nil
}

func (press) Legacy(context.Context, *archivepb.PrintRequest) (*longrunningpb.Operation, error) {
	return &longrunningpb.Operation{Name: "legacy"}, nil
}

func (press) Follow(req *archivepb.PrintRequest, stream grpc.ServerStreamingServer[longrunningpb.Operation]) error {
	for i := range req.GetPages() {
		if err := stream.Send(&longrunningpb.Operation{Name: fmt.Sprint(i)}); err != nil {
			return err
		}
	}
	return nil
}

func (press) Upload(stream grpc.ClientStreamingServer[archivepb.File, archivepb.PrintResponse]) error {
	pages := int32(0)
	for {
		switch _, err := stream.Recv(); err {
		case nil:
			pages++
		case io.EOF:
			return stream.SendAndClose(&archivepb.PrintResponse{Pages: pages})
		default:
			return err
		}
	}
}

func (press) Chat(stream grpc.BidiStreamingServer[archivepb.File, archivepb.PrintResponse]) error {
	for {
		file, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&archivepb.PrintResponse{Pages: int32(len(file.GetName()))}); err != nil {
			return err
		}
	}
}

// dialPress runs a server of operations and the service.
func dialPress(t *testing.T, kinds *archivepbserver.PressKinds) (*servertest.Server, grpc.ClientConnInterface) {
	t.Helper()
	srv := servertest.RunConfig(t, server.Config{Parent: "archives/own"}, archivepbserver.HandlePress(press{}, kinds)...)
	return srv, srv.Dial(func(r grpc.ServiceRegistrar) { archivepbserver.RegisterPress(r, srv.Server(), press{}, kinds) })
}

// The generated client waits for what the generated server runs.
func TestServerRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, conn := dialPress(t, nil)
		client := archivepb.NewPressLROClient(conn, nil)
		op, err := client.Print(t.Context(), &archivepb.PrintRequest{Parent: "archives/a", Pages: 3})
		if err != nil {
			t.Fatalf("Print: %v", err)
		}
		last := int32(0)
		for state, err := range op.Progress(t.Context()) {
			if err != nil {
				t.Fatalf("Progress: %v", err)
			}
			if m, ok := state.Metadata(); ok {
				last = m.GetPage()
			}
		}
		got, err := op.Result()
		if err != nil || got.GetPages() != 3 || last != 3 {
			t.Errorf("Print: got (%v, %v) after page %d, want 3 pages", got, err, last)
		}
	})
}

func TestServerReadsRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, conn := dialPress(t, nil)
		client := archivepb.NewPressLROClient(conn, nil)
		name := func(op interface{ Name() string }, err error) string {
			t.Helper()
			if err != nil {
				t.Error(err)
				return ""
			}
			parent, _, _ := strings.Cut(op.Name(), "/operations/")
			return parent
		}
		ctx := t.Context()
		file := &archivepb.File{Name: "archives/c/files/f"}
		got := map[string]string{}
		print, err := client.Print(ctx, &archivepb.PrintRequest{Parent: "archives/a", Name: "archives/x/files/f"})
		got["parent before name"] = name(print, err)
		reprint, err := client.Reprint(ctx, &archivepb.ReprintRequest{Name: "archives/b/files/f"})
		got["name"] = name(reprint, err)
		reprint, err = client.Reprint(ctx, &archivepb.ReprintRequest{Name: "files/f"})
		got["name of a resource at the top"] = name(reprint, err)
		reprint, err = client.Reprint(ctx, &archivepb.ReprintRequest{Name: "f"})
		got["name of one segment"] = name(reprint, err)
		update, err := client.UpdateFileWithANameThatIsTooLongForAKindOfOperations(ctx, &archivepb.UpdateFileRequest{File: file})
		got["name within"] = name(update, err)
		compare, err := client.StartOptions(ctx, &archivepb.CompareRequest{Left: file, Right: file})
		got["two names within"] = name(compare, err)
		want := map[string]string{
			"parent before name":            "archives/a",
			"name":                          "archives/b",
			"name of a resource at the top": "archives/own",
			"name of one segment":           "archives/own",
			"name within":                   "archives/c",
			"two names within":              "archives/own",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("parents (-want +got):\n%s", diff)
		}

		first, err1 := client.Print(ctx, &archivepb.PrintRequest{RequestId: "1c9cd0a7-5d6a-4b0e-8f6c-0d4b7b0a4f11"})
		again, err2 := client.Print(ctx, &archivepb.PrintRequest{RequestId: "1c9cd0a7-5d6a-4b0e-8f6c-0d4b7b0a4f11"})
		if err1 != nil || err2 != nil || first.Name() != again.Name() {
			t.Errorf("Print twice with one request_id: got %v and %v, errors %v and %v, want one operation", first, again, err1, err2)
		}
		checked, err := client.Print(ctx, &archivepb.PrintRequest{ValidateOnly: true, Pages: 5})
		if err != nil || !checked.Done() || checked.Name() != "" {
			t.Errorf("Print with validate_only: got %v and error %v, want one that is done and has no name", checked, err)
		}
	})
}

// A program can change names, checks and options.
func TestServerKinds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		kinds := archivepbserver.NewPressKinds()
		if got, want := kinds.Print.Name, "archive.v1.Press.Print"; got != want {
			t.Errorf("name of the kind: got %q, want %q", got, want)
		}
		kinds.Print.Name = "print"
		kinds.Print.Validate = func(_ context.Context, req *archivepb.PrintRequest) error {
			if req.GetPages() < 0 {
				return status.Error(codes.OutOfRange, "pages")
			}
			return nil
		}
		kinds.StartOptions_ = func(_ context.Context, req proto.Message, opts *server.StartOptions) error {
			if reprint, ok := req.(*archivepb.ReprintRequest); ok && reprint.GetName() == "forbidden" {
				return status.Error(codes.PermissionDenied, "forbidden")
			}
			opts.Parent = "presses/p"
			return nil
		}
		srv, conn := dialPress(t, kinds)
		client := archivepb.NewPressLROClient(conn, nil)
		op, err := client.Print(t.Context(), &archivepb.PrintRequest{Parent: "archives/a"})
		if err != nil || !strings.HasPrefix(op.Name(), "presses/p/operations/") {
			t.Fatalf("Print: got %v and error %v, want an operation under presses/p", op, err)
		}
		rec, err := srv.Server().Inspect().Get(t.Context(), op.Name())
		if err != nil || rec.Kind != "print" {
			t.Errorf("record: got %+v and error %v, want kind print", rec, err)
		}
		if _, err := client.Print(t.Context(), &archivepb.PrintRequest{Pages: -1}); status.Code(err) != codes.OutOfRange {
			t.Errorf("Print of -1 pages: got error %v, want OUT_OF_RANGE", err)
		}
		if _, err := client.Reprint(t.Context(), &archivepb.ReprintRequest{Name: "forbidden"}); status.Code(err) != codes.PermissionDenied {
			t.Errorf("Reprint: got error %v, want PERMISSION_DENIED", err)
		}
	})
}

// Methods that start no operation answer as in any server.
func TestServerAnswersCalls(t *testing.T) {
	t.Parallel()
	_, conn := dialPress(t, nil)
	ctx := t.Context()
	var price archivepb.PrintResponse
	if err := conn.Invoke(ctx, "/archive.v1.Press/Price", &archivepb.PrintRequest{Pages: 2}, &price); err != nil || price.GetPages() != 4 {
		t.Errorf("Price: got (%v, %v), want 4 pages", &price, err)
	}
	if err := conn.Invoke(ctx, "/archive.v1.Press/Price", &archivepb.PrintRequest{}, &price); status.Code(err) != codes.InvalidArgument {
		t.Errorf("Price of nothing: got error %v, want INVALID_ARGUMENT", err)
	}
	var legacy longrunningpb.Operation
	if err := conn.Invoke(ctx, "/archive.v1.Press/Legacy", &archivepb.PrintRequest{}, &legacy); err != nil || legacy.GetName() != "legacy" {
		t.Errorf("Legacy: got (%v, %v), want legacy", &legacy, err)
	}

	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/archive.v1.Press/Follow")
	if err != nil {
		t.Fatal(err)
	}
	follow := &grpc.GenericClientStream[archivepb.PrintRequest, longrunningpb.Operation]{ClientStream: stream}
	if err := follow.ClientStream.SendMsg(&archivepb.PrintRequest{Pages: 2}); err != nil {
		t.Fatal(err)
	}
	if err := follow.CloseSend(); err != nil {
		t.Fatal(err)
	}
	got := 0
	for _, err = follow.Recv(); err == nil; _, err = follow.Recv() {
		got++
	}
	if err != io.EOF || got != 2 {
		t.Errorf("Follow: got %d messages and error %v, want 2", got, err)
	}

	stream, err = conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, "/archive.v1.Press/Upload")
	if err != nil {
		t.Fatal(err)
	}
	upload := &grpc.GenericClientStream[archivepb.File, archivepb.PrintResponse]{ClientStream: stream}
	for range 3 {
		if err := upload.Send(&archivepb.File{}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := upload.CloseAndRecv(); err != nil || got.GetPages() != 3 {
		t.Errorf("Upload: got (%v, %v), want 3 pages", got, err)
	}

	stream, err = conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/archive.v1.Press/Chat")
	if err != nil {
		t.Fatal(err)
	}
	chat := &grpc.GenericClientStream[archivepb.File, archivepb.PrintResponse]{ClientStream: stream}
	for _, name := range []string{"a", "bb"} {
		if err := chat.Send(&archivepb.File{Name: name}); err != nil {
			t.Fatal(err)
		}
		if got, err := chat.Recv(); err != nil || int(got.GetPages()) != len(name) {
			t.Errorf("Chat: got (%v, %v), want %d", got, err, len(name))
		}
	}
	if err := chat.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := chat.Recv(); err != io.EOF {
		t.Errorf("Chat after the end: got error %v, want EOF", err)
	}
}

// Interceptors see the calls, and two services share a gRPC server.
func TestServerRegistersAll(t *testing.T) {
	t.Parallel()
	srv := servertest.Run(t, archivepbserver.HandlePress(press{}, nil)...)
	var mu sync.Mutex
	var seen []string
	g := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, info.FullMethod)
		return handle(ctx, req)
	}))
	archivepbserver.RegisterPress(g, srv.Server(), press{}, nil)
	//lint:ignore SA1019 A deprecated service is served like any other.
	archivepbserver.RegisterOld(g, srv.Server(), old{}, nil)
	lis := bufconn.Listen(1 << 20)
	var serving sync.WaitGroup
	serving.Go(func() { g.Serve(lis) })
	defer serving.Wait()
	defer g.Stop()
	conn, err := grpc.NewClient("passthrough:///", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	op, err := archivepb.NewPressLROClient(conn, nil).StartOptions(t.Context(), &archivepb.CompareRequest{})
	if err != nil {
		t.Fatalf("StartOptions: %v", err)
	}
	if _, err := op.Wait(t.Context()); err != nil {
		t.Errorf("Wait: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) < 2 || seen[0] != "/archive.v1.Press/StartOptions" || !strings.HasPrefix(seen[1], "/google.longrunning.Operations/") {
		t.Errorf("calls that the interceptor saw: %q, want StartOptions, then Operations", seen)
	}
}

// old is a service whose kinds are not registered.
type old struct{}

func (old) Scan(context.Context, *server.Task[*archivepb.StoreMetadata], *archivepb.ScanRequest) (*archivepb.File, error) {
	return nil, nil
}
