package docs_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
	"github.com/go-lro/lro/server/serverotel"
)

// The code of serving.md.

var Export = server.Kind[*librarypb.ExportBooksRequest, *librarypb.ExportBooksResponse, *lropb.OperationMetadata]{
	Name:     "export",                     // stored with each operation: never change it
	Deadline: time.Hour,                    // of one attempt; default none
	Retry:    server.Retry{MaxAttempts: 5}, // of UNAVAILABLE, after 1 s, 2 s, 4 s ...; default none
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

func export(ctx context.Context, task *server.Task[*lropb.OperationMetadata], req *librarypb.ExportBooksRequest) (*librarypb.ExportBooksResponse, error) {
	var done int64
	if saved := task.Checkpoint(); saved != nil { // nil in the first attempt
		done = int64(binary.BigEndian.Uint64(saved))
	}
	for ; done < books; done++ {
		if err := write(ctx, req.GetParent(), done); err != nil {
			return nil, err
		}
		task.Report(&lropb.OperationMetadata{ // seen at once, persisted soon
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

func run(listener net.Listener) error {
	eng, err := sqlite.Open(context.Background(), "operations.db", nil)
	if err != nil {
		return err
	}
	srv, err := server.New(eng, server.Config{Drain: 20 * time.Second}, Export.Handle(export))
	if err != nil {
		return errors.Join(err, eng.Close())
	}
	grpcServer := grpc.NewServer()
	librarypb.RegisterLibraryServer(grpcServer, &library{operations: srv})
	srv.Register(grpcServer)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	worked := make(chan error, 1)
	go func() {
		worked <- srv.Work(ctx)   // first the work; waiting calls answer when it returns
		grpcServer.GracefulStop() // then the calls, so this does not hang; Serve returns after it
	}()
	return errors.Join(grpcServer.Serve(listener), <-worked, eng.Close()) // then the store
}

func TestExport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		eng, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "operations.db"), nil)
		if err != nil {
			t.Fatal(err)
		}
		srv, err := server.New(eng, server.Config{}, Export.Handle(export))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var work sync.WaitGroup
		work.Go(func() { _ = srv.Work(ctx) })

		started, err := Export.Start(ctx, srv, &librarypb.ExportBooksRequest{Parent: "publishers/acme"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		client := lro.NewClient(lro.GetFunc(func(ctx context.Context, name string) (*longrunningpb.Operation, error) {
			return srv.Operations().GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
		}))
		method := lro.Method[*librarypb.ExportBooksResponse, *lropb.OperationMetadata]{}
		op, err := method.Wrap(client, started)
		if err != nil {
			t.Fatal(err)
		}
		archive, err := op.Wait(ctx)
		if archive.GetBooks() != books || err != nil {
			t.Errorf("export = %v, %v, want %d books", archive, err, books)
		}

		stop()
		work.Wait()
		if err := eng.Close(); err != nil {
			t.Error(err)
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
	Lease: time.Minute, // ABORTED when nothing was heard of it for so long; default never
}

func printElsewhere(ctx context.Context, srv *server.Server, req *librarypb.ExportBooksRequest, page *lropb.OperationMetadata) error {
	op, err := Print.Start(ctx, srv, req, nil) // RUNNING, without a handler
	if err != nil {
		return err
	}
	ext, err := Print.Attach(ctx, srv, op.GetName()) // now, or after a restart
	if err != nil {
		return err
	}
	err = ext.Report(ctx, page) // or Heartbeat
	if errors.Is(err, server.ErrCancelRequested) {
		return ext.Fail(ctx, err) // ends as CANCELLED
	}
	if err != nil {
		return err
	}
	return ext.Complete(ctx, &librarypb.ExportBooksResponse{Books: books})
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
	if err := printElsewhere(t.Context(), srv, &librarypb.ExportBooksRequest{}, &lropb.OperationMetadata{ProgressPercent: 50}); err != nil {
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

var _ = run
