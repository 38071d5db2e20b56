package docs_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/go-lro/lro/console"
	"github.com/go-lro/lro/console/local"
	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/lrohttp"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
	"github.com/go-lro/lro/server/guard"
	"github.com/go-lro/lro/server/serverotel"
	"github.com/go-lro/lro/server/servertest"
)

// The code of serving.md.

var Export = server.Kind[*librarypb.ExportBooksRequest, *librarypb.ExportBooksResponse, *lropb.OperationMetadata]{
	Name:           "export",                     // stored with each operation: never change it
	AttemptTimeout: time.Hour,                    // of one attempt; default none
	Retry:          server.Retry{MaxAttempts: 5}, // of UNAVAILABLE, after 1 s, 2 s, 4 s ...; default none
	Validate: func(ctx context.Context, req *librarypb.ExportBooksRequest) error {
		if req.GetParent() == "" {
			return status.Error(codes.InvalidArgument, "parent is empty")
		}
		return nil // only now does an operation exist
	},
}

type library struct {
	librarypb.UnimplementedLibraryServer
	operations *server.Server
}

func (l *library) ExportBooks(ctx context.Context, req *librarypb.ExportBooksRequest) (*longrunningpb.Operation, error) {
	return Export.Start(ctx, l.operations, req, &server.StartOptions{RequestID: req.GetRequestId()})
}

func newServers(operations *server.Server, creds credentials.TransportCredentials, authenticate func(ctx context.Context, method string) (context.Context, error)) (*grpc.Server, *http.Server, error) {
	limits, err := guard.New(guard.Limits{}) // the zero value of a field is its default
	if err != nil {
		return nil, nil, err
	}
	grpcServer := grpc.NewServer(append(limits.ServerOptions(creds), guard.Authentication(authenticate))...)
	operations.Register(grpcServer)

	handler, err := lrohttp.NewHandler(operations.Operations(), lrohttp.WithAuthentication(authenticate))
	if err != nil {
		return nil, nil, err
	}
	httpServer := &http.Server{Handler: handler}
	limits.Apply(httpServer)
	return grpcServer, httpServer, nil
}

// TestServersOfStrangers: the function decides for both servers.
func TestServersOfStrangers(t *testing.T) {
	t.Parallel()
	eng, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "operations.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Close()
	operations, err := server.New(eng, server.Config{}, Export.Declare())
	if err != nil {
		t.Fatal(err)
	}
	var asked string
	grpcServer, httpServer, err := newServers(operations, insecure.NewCredentials(), func(ctx context.Context, method string) (context.Context, error) {
		asked = method
		return nil, status.Error(codes.Unauthenticated, "no")
	})
	if err != nil {
		t.Fatal(err)
	}
	grpcServer.Stop()
	w := httptest.NewRecorder()
	httpServer.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/operations", nil))
	if w.Code != http.StatusUnauthorized || asked != "/google.longrunning.Operations/ListOperations" {
		t.Errorf("GET /v1/operations = %d, asked for %q", w.Code, asked)
	}
}

func export(ctx context.Context, task *server.Task[*lropb.OperationMetadata], req *librarypb.ExportBooksRequest) (*librarypb.ExportBooksResponse, error) {
	var done int64
	if saved := task.Checkpoint(); saved != nil { // nil in the first attempt
		done = int64(binary.BigEndian.Uint64(saved))
	}
	for ; done < books; done++ {
		if err := write(ctx, req.GetParent(), done); err != nil {
			return nil, err
		}
		task.Report(&lropb.OperationMetadata{ // shown at once to callers that this process serves
			Progress: &lropb.Progress{Done: done + 1, Total: books, Unit: "books"},
		})
		if err := task.Save(ctx, binary.BigEndian.AppendUint64(nil, uint64(done+1))); err != nil { // durable when it returns
			return nil, err
		}
	}
	return &librarypb.ExportBooksResponse{Books: done}, nil
}

const books = 10

// write takes a minute for each book.
func write(ctx context.Context, _ string, _ int64) error {
	select {
	case <-time.After(time.Minute):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func run(parent context.Context, file string, listener net.Listener) error {
	eng, err := sqlite.Open(context.Background(), file, nil)
	if err != nil {
		return err
	}
	srv, err := server.New(eng, server.Config{Drain: 20 * time.Second}, Export.Handle(export))
	if err != nil {
		return errors.Join(err, eng.Close())
	}
	grpcServer := grpc.NewServer()
	librarypb.RegisterLibraryServer(grpcServer, &library{operations: srv}) // your service, as under Starting
	srv.Register(grpcServer)                                               // google.longrunning.Operations

	// The page has context.Background() in place of parent, since a program has no other.
	defer context.AfterFunc(parent, func() { _ = srv.Shutdown(context.Background()) })()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return errors.Join(srv.Serve(ctx, grpcServer, listener), eng.Close())
}

func TestRunStops(t *testing.T) {
	t.Parallel()
	stops(t, func(ctx context.Context, listener net.Listener) error {
		return run(ctx, filepath.Join(t.TempDir(), "operations.db"), listener)
	})
}

// everything serves gRPC, HTTP/JSON, the console and health.
func everything(ctx context.Context, srv *server.Server, grpcServer *grpc.Server, listener, webListener net.Listener) error {
	rest, err := lrohttp.NewHandler(srv.Operations())
	if err != nil {
		return err
	}
	source, err := local.New(srv, local.Config{})
	if err != nil {
		return err
	}
	pages, err := console.New(source, console.Config{})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/", rest)
	mux.Handle("/", pages)
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	web.RegisterOnShutdown(pages.Close) // ends live pages

	probes := health.NewServer()
	healthpb.RegisterHealthServer(grpcServer, probes)

	return srv.Serve(ctx, grpcServer, listener,
		server.HTTP(web, webListener),
		srv.Health(probes)) // NOT_SERVING while handlers finish
}

func TestEverythingStops(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T) *server.Server {
		eng, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "operations.db"), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { eng.Close() })
		srv, err := server.New(eng, server.Config{}, Export.Handle(export))
		if err != nil {
			t.Fatal(err)
		}
		return srv
	}
	t.Run("gRPC", func(t *testing.T) {
		t.Parallel()
		stops(t, func(ctx context.Context, listener net.Listener) error {
			return everything(ctx, open(t), grpc.NewServer(), listener, bufconn.Listen(1<<10))
		})
	})
	t.Run("HTTP", func(t *testing.T) {
		t.Parallel()
		stops(t, func(ctx context.Context, listener net.Listener) error {
			return everything(ctx, open(t), grpc.NewServer(), bufconn.Listen(1<<10), listener)
		})
	})
}

// broken is a listener that fails at once.
type broken struct{ net.Listener }

var errBroken = errors.New("broken")

func (broken) Accept() (net.Conn, error) { return nil, errBroken }

// accepting is a listener that says when the program begins to accept connections.
type accepting struct {
	net.Listener
	begun func()
}

func (l accepting) Accept() (net.Conn, error) {
	l.begun()
	return l.Listener.Accept()
}

// stops checks that a program ends when its ctx does, and with the cause when its
// listener fails.
func stops(t *testing.T, program func(ctx context.Context, listener net.Listener) error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	if err := program(ctx, accepting{bufconn.Listen(1 << 10), stop}); err != nil {
		t.Errorf("after the end of its ctx the program returned %v", err)
	}
	if err := program(t.Context(), broken{bufconn.Listen(1 << 10)}); !errors.Is(err, errBroken) {
		t.Errorf("after its listener failed the program returned %v, want %v", err, errBroken)
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := servertest.Run(t, Export.Handle(export))
		op := servertest.Start(t, srv, Export, &librarypb.ExportBooksRequest{Parent: "publishers/acme"})
		archive, err := op.Wait(t.Context())
		if archive.GetBooks() != books || err != nil {
			t.Errorf("export = %v, %v, want %d books", archive, err, books)
		}
	})
}

// The code of testing.md on handlers.

func TestExportRestarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := servertest.Run(t, Export.Handle(export))
		op := servertest.Start(t, srv, Export, &librarypb.ExportBooksRequest{Parent: "publishers/acme"})
		begin := time.Now()
		time.Sleep(5*time.Minute + time.Second) // 5 of 10 books
		srv.Restart()                           // as a new version of the program does
		if _, err := op.Wait(t.Context()); err != nil {
			t.Errorf("export = %v", err)
		}
		if took := time.Since(begin); took > 11*time.Minute {
			t.Errorf("export took %v, want it to continue from its checkpoint", took)
		}
	})
}

func TestExportBooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := servertest.Run(t, Export.Handle(export))
		conn := srv.Dial(func(r grpc.ServiceRegistrar) {
			librarypb.RegisterLibraryServer(r, &library{operations: srv.Server()})
		})
		started, err := librarypb.NewLibraryClient(conn).ExportBooks(t.Context(), &librarypb.ExportBooksRequest{})
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("ExportBooks without a parent = %v, %v, want INVALID_ARGUMENT", started, err)
		}
	})
}

// Access.

type tenantKey struct{}

func tenant(ctx context.Context) string {
	name, _ := ctx.Value(tenantKey{}).(string)
	return name
}

var tenants = server.Config{
	Authorize: func(ctx context.Context, a server.Access) error {
		if !strings.HasPrefix(a.Name+"/", "projects/"+tenant(ctx)+"/") {
			return errors.New("other tenant") // PERMISSION_DENIED, without this text
		}
		return nil
	},
	Observer: serverotel.NewObserver(),
}

// Work done elsewhere.

var Print = server.Kind[*librarypb.ExportBooksRequest, *librarypb.ExportBooksResponse, *lropb.OperationMetadata]{
	Name:  "print",
	Lease: time.Minute, // ABORTED when there was no report for so long; default never
}

func printElsewhere(ctx context.Context, srv *server.Server, req *librarypb.ExportBooksRequest) error {
	op, err := Print.Start(ctx, srv, req, nil) // RUNNING, without a handler
	if err != nil {
		return err
	}
	ext, err := Print.Attach(ctx, srv, op.GetName()) // now, or after a restart
	if err != nil {
		return err
	}
	err = ext.Report(ctx, &lropb.OperationMetadata{Progress: &lropb.Progress{Done: 1, Total: 2, Unit: "books"}}) // or Heartbeat
	if errors.Is(err, server.ErrCancelRequested) {
		return ext.Fail(ctx, err) // ends as CANCELLED
	}
	if err != nil {
		return err
	}
	return ext.Complete(ctx, &librarypb.ExportBooksResponse{Books: 2})
}

func TestPrintElsewhere(t *testing.T) {
	t.Parallel()
	eng, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "operations.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Close()
	srv, err := server.New(eng, server.Config{}, Print.External())
	if err != nil {
		t.Fatal(err)
	}
	if err := printElsewhere(t.Context(), srv, &librarypb.ExportBooksRequest{}); err != nil {
		t.Errorf("printElsewhere() = %v", err)
	}
}

func TestTenants(t *testing.T) {
	t.Parallel()
	acme := context.WithValue(t.Context(), tenantKey{}, "acme")
	for name, allowed := range map[string]bool{
		"projects/acme":              true,
		"projects/acme/operations/1": true,
		"projects/acme2":             false,
		"projects/-":                 false,
		"-":                          false,
		"":                           false,
	} {
		if err := tenants.Authorize(acme, server.Access{Name: name}); (err == nil) != allowed {
			t.Errorf("Authorize(%q) = %v, want allowed %t", name, err, allowed)
		}
	}
}
