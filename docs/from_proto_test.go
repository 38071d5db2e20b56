package docs_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/examples/library/librarypb/librarypbserver"
	"github.com/go-lro/lro/lrohttp"
	"github.com/go-lro/lro/lrotest"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
	"github.com/go-lro/lro/server/servertest"
)

// exportOf is the code of from-proto.md.
func exportOf(ctx context.Context, conn grpc.ClientConnInterface) (string, error) {
	library := librarypb.NewLibraryLROClient(conn, nil)
	op, err := library.ExportBooks(ctx, &librarypb.ExportBooksRequest{Parent: "publishers/acme"})
	if err != nil {
		return "", err
	}
	archive, err := op.Wait(ctx) // *librarypb.ExportBooksResponse
	return archive.GetFile(), err
}

// exporting is a service whose exports take an hour.
type exporting struct {
	librarypb.UnimplementedLibraryServer
	operations *lrotest.Server
}

func (e exporting) ExportBooks(_ context.Context, req *librarypb.ExportBooksRequest) (*longrunningpb.Operation, error) {
	return e.operations.Add("",
		lrotest.Running(&librarypb.ExportBooksMetadata{Parent: req.GetParent()}).For(time.Hour),
		lrotest.Succeeded(&librarypb.ExportBooksResponse{File: req.GetParent() + ".tar"}),
	).Proto(), nil
}

func TestFromProto(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		conn := srv.Dial(func(r grpc.ServiceRegistrar) { librarypb.RegisterLibraryServer(r, exporting{operations: &srv}) })
		defer conn.Close()
		got, err := exportOf(t.Context(), conn)
		if want := "publishers/acme.tar"; err != nil || got != want {
			t.Errorf("exportOf: got (%q, %v), want %q", got, err, want)
		}
	})
}

func serveLibrary(ctx context.Context, file string, handler librarypbserver.LibraryHandler, listener, web net.Listener) (err error) {
	engine, err := sqlite.Open(ctx, file, nil) // or PostgreSQL, or Temporal
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	operations, err := server.New(engine, server.Config{}, librarypbserver.HandleLibrary(handler, nil)...)
	if err != nil {
		return err
	}
	grpcServer := grpc.NewServer()
	librarypbserver.RegisterLibrary(grpcServer, operations, handler, nil)
	rest, err := lrohttp.NewHandler(operations.Operations())
	if err != nil {
		return err
	}
	return operations.Serve(ctx, grpcServer, listener, server.HTTP(&http.Server{Handler: rest}, web))
}

func libraryKinds() *librarypbserver.LibraryKinds {
	kinds := librarypbserver.NewLibraryKinds()
	kinds.ExportBooks.Retry = server.Retry{MaxAttempts: 3}
	kinds.StartOptions = func(ctx context.Context, req proto.Message, opts *server.StartOptions) error {
		opts.Parent = "" // all operations under Config.Parent
		return nil
	}
	return kinds
}

// libraryHandler is a LibraryHandler.
type libraryHandler struct {
	librarypb.UnimplementedLibraryServer
}

func (libraryHandler) ExportBooks(ctx context.Context, task *server.Task[*librarypb.ExportBooksMetadata], req *librarypb.ExportBooksRequest) (*librarypb.ExportBooksResponse, error) {
	const books = 3
	for i := range books {
		if err := exportBook(ctx, req.GetParent(), i); err != nil { // your code
			return nil, err
		}
		task.Report(&librarypb.ExportBooksMetadata{BooksExported: int64(i + 1), BooksTotal: books}) // shown at once to callers that this process serves, and soon to others
	}
	return &librarypb.ExportBooksResponse{File: req.GetParent() + ".tar", Books: books}, nil
}

func exportBook(ctx context.Context, _ string, _ int) error { return ctx.Err() }

func TestFromProtoServes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "operations.db")
	for range 2 { // the engine is closed each time
		listener := bufconn.Listen(1 << 20)
		web, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- serveLibrary(ctx, file, libraryHandler{}, listener, web) }()
		conn, err := grpc.NewClient("passthrough:///", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
		if err != nil {
			t.Fatal(err)
		}
		got, err := exportOf(t.Context(), conn)
		if want := "publishers/acme.tar"; err != nil || got != want {
			t.Errorf("exportOf: got (%q, %v), want %q", got, err, want)
		}
		resp, err := http.Get("http://" + web.Addr().String() + "/v1/publishers/acme/operations")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if resp.Body.Close(); err != nil || !strings.Contains(string(body), `"publishers/acme.tar"`) {
			t.Errorf("operations over HTTP/JSON: got %q, %v, want the export", body, err)
		}
		http.DefaultClient.CloseIdleConnections()
		conn.Close()
		stop()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	}
}

func TestFromProtoKinds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		kinds := libraryKinds()
		srv := servertest.Run(t, librarypbserver.HandleLibrary(libraryHandler{}, kinds)...)
		conn := srv.Dial(func(r grpc.ServiceRegistrar) {
			librarypbserver.RegisterLibrary(r, srv.Server(), libraryHandler{}, kinds)
		})
		op, err := librarypb.NewLibraryLROClient(conn, nil).ExportBooks(t.Context(), &librarypb.ExportBooksRequest{Parent: "publishers/acme"})
		if err != nil || strings.HasPrefix(op.Name(), "publishers/") {
			t.Errorf("ExportBooks: got %v and error %v, want an operation without a parent", op, err)
		}
	})
}
