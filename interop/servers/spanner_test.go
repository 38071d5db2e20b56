package servers

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	database "cloud.google.com/go/spanner/admin/database/apiv1"
	"cloud.google.com/go/spanner/admin/database/apiv1/databasepb"
	"cloud.google.com/go/spanner/spannertest"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lrogax"
)

var updateDDL = lro.Method[*emptypb.Empty, *databasepb.UpdateDatabaseDdlMetadata]{
	Name: "google.spanner.admin.database.v1.DatabaseAdmin.UpdateDatabaseDdl",
}

const fakeDatabase = "projects/fake-proj/instances/fake-instance/databases/fake-db"

// quick polls more often than the default, and never calls WaitOperation,
// which spannertest does not survive; see TestSpannerDiesOfWhatItLacks.
func quick() []lro.ClientOption {
	return []lro.ClientOption{
		lro.WithLongPolls(0),
		lro.WithPolicy(lro.Policy{FirstPoll: 10 * time.Millisecond, MaxInterval: 100 * time.Millisecond}),
	}
}

func startSpanner(t *testing.T) *grpc.ClientConn {
	t.Helper()
	srv, err := spannertest.NewServer("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv.SetLogger(func(string, ...any) {})
	t.Cleanup(srv.Close)
	return dial(t, srv.Addr)
}

func createTable(name string) string {
	return "CREATE TABLE " + name + " (Id INT64) PRIMARY KEY (Id)"
}

// update starts an operation by the service's own stub.
func update(t *testing.T, conn *grpc.ClientConn, client *lro.Client, statements ...string) *lro.Operation[*emptypb.Empty, *databasepb.UpdateDatabaseDdlMetadata] {
	t.Helper()
	started, err := databasepb.NewDatabaseAdminClient(conn).UpdateDatabaseDdl(long(t), &databasepb.UpdateDatabaseDdlRequest{
		Database: fakeDatabase, Statements: statements,
	})
	if err != nil {
		t.Fatal(err)
	}
	op, err := updateDDL.Wrap(client, started)
	if err != nil {
		t.Fatal(err)
	}
	if op.Done() {
		t.Fatalf("UpdateDatabaseDdl: done at start, want an operation that runs: %v", started)
	}
	return op
}

// An Any without a type is what the server returns for Empty.
func TestSpannerSuccess(t *testing.T) {
	t.Parallel()
	conn := startSpanner(t)
	client := lro.NewClientConn(conn, quick()...)
	op := update(t, conn, client, createTable("Books"), createTable("Shelves"))
	resp, err := op.Wait(long(t))
	if err != nil || resp == nil {
		t.Fatalf("Wait: got %v, %v, want Empty", resp, err)
	}
	if got := op.Snapshot().Proto().GetResponse(); got == nil || got.GetTypeUrl() != "" {
		t.Errorf("spannertest sends the response %v now; it was an Any without a type", got)
	}
	if _, ok := op.Metadata(); ok || !errors.Is(op.Snapshot().MetadataErr(), lro.ErrNoMetadata) {
		t.Errorf("MetadataErr: %v, want ErrNoMetadata", op.Snapshot().MetadataErr())
	}
	if taken, err := op.Cancel(long(t)); taken || err != nil {
		t.Errorf("Cancel of a done operation: got %v, %v, want false without a call", taken, err)
	}
	ddl, err := databasepb.NewDatabaseAdminClient(conn).GetDatabaseDdl(long(t), &databasepb.GetDatabaseDdlRequest{Database: fakeDatabase})
	if err != nil || len(ddl.GetStatements()) != 2 {
		t.Errorf("GetDatabaseDdl: got %v, %v, want both tables", ddl, err)
	}
}

// Who expects a message gets an error, each time, and may still see what came.
func TestSpannerResponseOfAnotherType(t *testing.T) {
	t.Parallel()
	conn := startSpanner(t)
	client := lro.NewClientConn(conn, quick()...)
	name := update(t, conn, client, createTable("Books")).Name()

	op, err := lro.Method[*databasepb.Database, *databasepb.CreateDatabaseMetadata]{}.Resume(client, name)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := op.Wait(long(t))
		bad, ok := errors.AsType[*lro.ResultError](err)
		if !ok || bad.Want != "google.spanner.admin.database.v1.Database" || bad.Response == nil {
			t.Errorf("Wait: %v, want a *ResultError with the response", err)
		}
	}
	raw, err := lro.Any().Resume(client, name)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := raw.Wait(long(t)); err != nil || got.GetTypeUrl() != "" || len(got.GetValue()) != 0 {
		t.Errorf("Wait for an Any: got %v, %v, want the empty one that was sent", got, err)
	}
}

func TestSpannerFailure(t *testing.T) {
	t.Parallel()
	conn := startSpanner(t)
	client := lro.NewClientConn(conn, quick()...)
	if _, err := update(t, conn, client, createTable("Books")).Wait(long(t)); err != nil {
		t.Fatal(err)
	}
	op := update(t, conn, client, createTable("Books"))
	_, err := op.Wait(long(t))
	failed, ok := errors.AsType[*lro.OperationError](err)
	if !ok || failed.Code() != codes.AlreadyExists || failed.Message() != "table Books already exists" {
		t.Errorf("Wait: %v, want ALREADY_EXISTS", err)
	}
	if !op.Done() || op.Snapshot().Cancelled() {
		t.Errorf("done %v, cancelled %v, want a done operation that was not cancelled", op.Done(), op.Snapshot().Cancelled())
	}
}

func TestSpannerProgress(t *testing.T) {
	t.Parallel()
	conn := startSpanner(t)
	op := update(t, conn, lro.NewClientConn(conn, quick()...), createTable("A"), createTable("B"), createTable("C"))
	var states []bool
	for s, err := range op.Progress(long(t)) {
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, s.Done())
	}
	if want := []bool{false, true}; !slices.Equal(states, want) {
		t.Errorf("Progress: done %v, want %v, since nothing else changes", states, want)
	}
}

// Another connection, client and process would do the same.
func TestSpannerResume(t *testing.T) {
	t.Parallel()
	srv, err := spannertest.NewServer("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv.SetLogger(func(string, ...any) {})
	t.Cleanup(srv.Close)
	conn := dial(t, srv.Addr)
	named := append(quick(), lro.WithServiceName("spanner.example.com"))
	token := update(t, conn, lro.NewClientConn(conn, named...), createTable("Books")).Token()

	op, err := updateDDL.Resume(lro.NewClientConn(dial(t, srv.Addr), named...), token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := op.Wait(long(t)); err != nil {
		t.Errorf("Wait after Resume: %v", err)
	}
	other := lro.NewClientConn(conn, append(quick(), lro.WithServiceName("library.example.com"))...)
	if _, err := updateDDL.Resume(other, token); err == nil {
		t.Error("Resume of another service's token: no error")
	}
}

func TestSpannerUnknownName(t *testing.T) {
	t.Parallel()
	op, err := updateDDL.Resume(lro.NewClientConn(startSpanner(t), quick()...), fakeDatabase+"/operations/none")
	if err != nil {
		t.Fatal(err)
	}
	_, err = op.Wait(long(t))
	stopped, ok := errors.AsType[*lro.WaitError](err)
	if !ok || !errors.Is(err, lro.ErrNotFound) || status.Code(stopped.PollErr) != codes.NotFound || stopped.Polls < 2 {
		t.Errorf("Wait: %v, want ErrNotFound after the default NotFoundGrace, in which it is polled again", err)
	}
}

// Two dozen operations, each waited for by three, and all by a group.
func TestSpannerMany(t *testing.T) {
	t.Parallel()
	conn := startSpanner(t)
	client := lro.NewClientConn(conn, quick()...)
	var group lro.Group[lro.Handle]
	var wg sync.WaitGroup
	const operations = 24
	for i := range operations {
		op := update(t, conn, client, createTable("Table"+string(rune('A'+i))))
		group.Add(op)
		for range 3 {
			wg.Go(func() {
				if _, err := op.Wait(long(t)); err != nil {
					t.Errorf("Wait: %v", err)
				}
			})
		}
	}
	ended := 0
	for op, err := range group.Completed(long(t)) {
		if err != nil || op.ResultErr() != nil {
			t.Errorf("Completed: %v, %v", err, op.ResultErr())
		}
		ended++
	}
	if ended != operations {
		t.Errorf("Completed yields %d operations, want %d", ended, operations)
	}
	wg.Wait()
}

// By the client that Google generates.
func TestSpannerGeneratedClient(t *testing.T) {
	t.Parallel()
	admin, err := database.NewDatabaseAdminClient(long(t), option.WithGRPCConn(startSpanner(t)))
	if err != nil {
		t.Fatal(err)
	}
	client := lro.NewClient(lrogax.New(admin.LROClient), quick()...)
	started, err := admin.UpdateDatabaseDdl(long(t), &databasepb.UpdateDatabaseDdlRequest{
		Database: fakeDatabase, Statements: []string{createTable("Books"), createTable("Books")},
	})
	if err != nil {
		t.Fatal(err)
	}
	op, err := lrogax.Wrap(updateDDL, client, started)
	if err != nil {
		t.Fatal(err)
	}
	_, err = op.Wait(long(t))
	if failed, ok := errors.AsType[*lro.OperationError](err); !ok || failed.Code() != codes.AlreadyExists {
		t.Errorf("Wait: %v, want ALREADY_EXISTS from the second statement", err)
	}
}

// Over HTTP nothing but the default client is needed: grpc-gateway has no path
// for WaitOperation, and so spannertest outlives it.
func TestSpannerHTTP(t *testing.T) {
	t.Parallel()
	conn := startSpanner(t)
	client := lro.NewClient(overHTTP(t, conn))
	op := update(t, conn, client, createTable("Books"))
	if resp, err := op.Wait(long(t)); err != nil || resp == nil {
		t.Errorf("Wait: got %v, %v, want Empty", resp, err)
	}
	_, err := update(t, conn, client, createTable("Books")).Wait(long(t))
	if failed, ok := errors.AsType[*lro.OperationError](err); !ok || failed.Code() != codes.AlreadyExists || failed.Message() != "table Books already exists" {
		t.Errorf("Wait: %v, want ALREADY_EXISTS", err)
	}
	unknown, err := updateDDL.Resume(client, fakeDatabase+"/operations/none")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unknown.Wait(long(t)); !errors.Is(err, lro.ErrNotFound) {
		t.Errorf("Wait: %v, want ErrNotFound", err)
	}
}
