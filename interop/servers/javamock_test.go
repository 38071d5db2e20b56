package servers

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	database "cloud.google.com/go/spanner/admin/database/apiv1"
	"cloud.google.com/go/spanner/admin/database/apiv1/databasepb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lrogax"
)

var javaFlag = flag.String("java", "", "folder that java/pom.xml was built into; without it nothing of Java is tested")

var (
	createDatabase = lro.Method[*databasepb.Database, *databasepb.CreateDatabaseMetadata]{
		Name: "google.spanner.admin.database.v1.DatabaseAdmin.CreateDatabase",
	}
	createBackup = lro.Method[*databasepb.Backup, *databasepb.CreateBackupMetadata]{
		Name: "google.spanner.admin.database.v1.DatabaseAdmin.CreateBackup",
	}
)

// startMock starts the mock server of Spanner's Java client, whose backups take
// as long as is said.
func startMock(t *testing.T, backups time.Duration) string {
	t.Helper()
	if *javaFlag == "" {
		t.Skip("without -java the server of Java's tests is not there; make interop-servers builds it")
	}
	cmd := exec.Command("java", "-cp", filepath.Join(*javaFlag, "target/classes")+string(os.PathListSeparator)+filepath.Join(*javaFlag, "lib/*"),
		"servers.SpannerMock", strconv.FormatInt(backups.Milliseconds(), 10))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("read the server's address: %v", err)
	}
	return strings.TrimSpace(line)
}

// mocked is a mock server with a database.
type mocked struct {
	conn   *grpc.ClientConn
	admin  databasepb.DatabaseAdminClient
	client *lro.Client
}

func newMocked(t *testing.T, addr string, over transport, opts ...lro.ClientOption) mocked {
	t.Helper()
	conn := dial(t, addr)
	opts = append([]lro.ClientOption{lro.WithPolicy(lro.Policy{
		FirstPoll: 20 * time.Millisecond, MaxInterval: 100 * time.Millisecond, AttemptTimeout: 10 * time.Second,
	})}, opts...)
	return mocked{conn, databasepb.NewDatabaseAdminClient(conn), lro.NewClient(over(t, conn), opts...)}
}

const backupTakes = 2 * time.Second

const mockInstance = "projects/p/instances/i"

// database makes a database of this name.
func (m mocked) database(t *testing.T, id string) *lro.Operation[*databasepb.Database, *databasepb.CreateDatabaseMetadata] {
	t.Helper()
	started, err := m.admin.CreateDatabase(long(t), &databasepb.CreateDatabaseRequest{Parent: mockInstance, CreateStatement: "CREATE DATABASE " + id})
	if err != nil {
		t.Fatal(err)
	}
	op, err := createDatabase.Wrap(m.client, started)
	if err != nil {
		t.Fatal(err)
	}
	return op
}

// backup starts a backup of a database of the same name.
func (m mocked) backup(t *testing.T, id string) *lro.Operation[*databasepb.Backup, *databasepb.CreateBackupMetadata] {
	t.Helper()
	db, err := m.database(t, id).Wait(long(t))
	if err != nil {
		t.Fatal(err)
	}
	started, err := m.admin.CreateBackup(long(t), &databasepb.CreateBackupRequest{
		Parent: mockInstance, BackupId: id, Backup: &databasepb.Backup{Database: db.GetName()},
	})
	if err != nil {
		t.Fatal(err)
	}
	op, err := createBackup.Wrap(m.client, started)
	if err != nil {
		t.Fatal(err)
	}
	return op
}

func TestMockGRPC(t *testing.T) {
	t.Parallel()
	addr := startMock(t, backupTakes)
	testMock(t, addr, overGRPC)
	t.Run("progress", func(t *testing.T) {
		percents, got, err := backUp(t, addr, overGRPC)
		if err != nil || got.GetState() != databasepb.Backup_READY {
			t.Errorf("Progress: got %v, %v, want a backup that is ready", got, err)
		}
		if n := len(percents); n < 4 || !slices.IsSorted(percents) || percents[n-1] != 100 {
			t.Errorf("Progress: %v, want some, rising to 100", percents)
		}
	})
	t.Run("generated client", func(t *testing.T) { testGeneratedClient(t, addr) })
}

func TestMockHTTP(t *testing.T) {
	t.Parallel()
	addr := startMock(t, backupTakes)
	testMock(t, addr, overHTTP)
	// The last metadata has a time that JSON has no way to write, so the gateway
	// fails for good: the client cannot know the outcome, and does not report a
	// failure.
	t.Run("progress", func(t *testing.T) {
		percents, _, err := backUp(t, addr, overHTTP)
		stopped, ok := errors.AsType[*lro.WaitError](err)
		if !ok || status.Code(err) != codes.Unknown || stopped.Last.Done() || !strings.Contains(err.Error(), "google.protobuf.Timestamp") {
			t.Errorf("Progress: %v, want a *WaitError with what the gateway says", err)
		}
		if n := len(percents); n < 4 || !slices.IsSorted(percents) || percents[0] != 0 {
			t.Errorf("Progress: %v, want some, rising from 0", percents)
		}
	})
}

func testMock(t *testing.T, addr string, over transport) {
	m := newMocked(t, addr, over)

	// The service has no WaitOperation, which costs one call.
	t.Run("success", func(t *testing.T) {
		var byWait []bool
		m := newMocked(t, addr, over, lro.WithObserver(&lro.Observer{PollEnd: func(_ context.Context, e lro.PollEnd) {
			byWait = append(byWait, e.LongPoll)
			if want := codes.Unimplemented; e.LongPoll && status.Code(e.Err) != want {
				t.Errorf("WaitOperation: %v, want %v", e.Err, want)
			}
		}}))
		op := m.database(t, "success")
		// It sends a response with an operation that runs.
		if op.Done() || op.Snapshot().Proto().GetResponse() == nil {
			t.Errorf("CreateDatabase: got %v, want an operation that runs and has a response", op.Snapshot().Proto())
		}
		if _, err := op.Result(); !errors.Is(err, lro.ErrNotDone) {
			t.Errorf("Result: %v, want ErrNotDone in spite of the response", err)
		}
		db, err := op.Wait(long(t))
		if err != nil || db.GetState() != databasepb.Database_READY {
			t.Errorf("Wait: got %v, %v, want a database that is ready", db, err)
		}
		if md, ok := op.Metadata(); !ok || md.GetDatabase() != db.GetName() {
			t.Errorf("Metadata: got %v, %v, want that of %q", md, ok, db.GetName())
		}
		if len(byWait) < 2 || !byWait[0] || slices.Contains(byWait[1:], true) {
			t.Errorf("polls by WaitOperation: %v, want the first alone", byWait)
		}
	})

	t.Run("done at start", func(t *testing.T) {
		db, err := m.database(t, "ddl").Wait(long(t))
		if err != nil {
			t.Fatal(err)
		}
		started, err := m.admin.UpdateDatabaseDdl(long(t), &databasepb.UpdateDatabaseDdlRequest{Database: db.GetName(), Statements: []string{createTable("Books")}})
		if err != nil {
			t.Fatal(err)
		}
		op, err := updateDDL.Wrap(m.client, started)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := op.Result(); resp == nil || err != nil {
			t.Errorf("Result: got %v, %v, want Empty without a call", resp, err)
		}
	})

	t.Run("resume", func(t *testing.T) {
		token := m.database(t, "resume").Token()
		op, err := createDatabase.Resume(newMocked(t, addr, over).client, token)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := op.Wait(long(t)); err != nil || !strings.HasSuffix(got.GetName(), "/databases/resume") {
			t.Errorf("Wait after Resume: got %v, %v, want the database", got, err)
		}
	})

	// It takes a cancellation that comes too late, and nothing changes.
	t.Run("cancel too late", func(t *testing.T) {
		done := m.database(t, "late")
		if _, err := done.Wait(long(t)); err != nil {
			t.Fatal(err)
		}
		if taken, err := done.Cancel(long(t)); taken || err != nil {
			t.Errorf("Cancel of what is known to be done: got %v, %v, want false without a call", taken, err)
		}
		op, err := createDatabase.Resume(m.client, done.Name())
		if err != nil {
			t.Fatal(err)
		}
		if taken, err := op.Cancel(long(t)); !taken || err != nil {
			t.Errorf("Cancel of what is not known to be done: got %v, %v, want true", taken, err)
		}
		if _, err := op.Wait(long(t)); err != nil || op.Snapshot().Cancelled() {
			t.Errorf("Wait: %v, cancelled %v, want the success it had", err, op.Snapshot().Cancelled())
		}
	})

	t.Run("refused", func(t *testing.T) {
		m.database(t, "twice")
		_, err := createDatabase.Start(long(t), m.client, func(ctx context.Context, _ string, _ ...grpc.CallOption) (*longrunningpb.Operation, error) {
			return m.admin.CreateDatabase(ctx, &databasepb.CreateDatabaseRequest{Parent: mockInstance, CreateStatement: "CREATE DATABASE twice"})
		})
		if status.Code(err) != codes.AlreadyExists {
			t.Errorf("Start: %v, want ALREADY_EXISTS", err)
		}
	})

	// It lists all whose names begin so, whatever the page size.
	t.Run("list", func(t *testing.T) {
		want := m.database(t, "list").Name()
		m.database(t, "other")
		parent := mockInstance + "/databases/list"
		var got []string
		for op, err := range m.client.List(long(t), &longrunningpb.ListOperationsRequest{Name: parent, PageSize: 1}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, op.GetName())
		}
		if !slices.Equal(got, []string{want}) {
			t.Errorf("List of %q: got %q, want %q", parent, got, want)
		}
	})

	t.Run("unknown name", func(t *testing.T) {
		op, err := createDatabase.Resume(m.client, mockInstance+"/databases/none/operations/1")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Wait(long(t)); !errors.Is(err, lro.ErrNotFound) {
			t.Errorf("Wait: %v, want ErrNotFound", err)
		}
		if taken, err := op.Cancel(long(t)); taken || status.Code(err) != codes.NotFound {
			t.Errorf("Cancel: got %v, %v, want NOT_FOUND", taken, err)
		}
	})

	t.Run("delete", func(t *testing.T) {
		op := m.database(t, "delete")
		if _, err := op.Wait(long(t)); err != nil {
			t.Fatal(err)
		}
		if err := op.Delete(long(t)); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		again, err := createDatabase.Resume(m.client, op.Name())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := again.Wait(long(t)); !errors.Is(err, lro.ErrNotFound) {
			t.Errorf("Wait after Delete: %v, want ErrNotFound", err)
		}
		if err := again.Delete(long(t)); status.Code(err) != codes.NotFound {
			t.Errorf("Delete again: %v, want NOT_FOUND", err)
		}
	})
}

func TestMockCancelGRPC(t *testing.T) {
	t.Parallel()
	testMockCancel(t, overGRPC)
}

func TestMockCancelHTTP(t *testing.T) {
	t.Parallel()
	testMockCancel(t, overHTTP)
}

// testMockCancel uses backups that take ten minutes, for which no test waits.
func testMockCancel(t *testing.T, over transport) {
	addr := startMock(t, 10*time.Minute)
	m := newMocked(t, addr, over)

	t.Run("cancel", func(t *testing.T) {
		op := m.backup(t, "cancel")
		if err := op.Delete(long(t)); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("Delete of a running operation: %v, want FAILED_PRECONDITION", err)
		}
		if taken, err := op.Cancel(long(t)); !taken || err != nil {
			t.Fatalf("Cancel: got %v, %v, want true", taken, err)
		}
		_, err := op.Wait(long(t))
		failed, ok := errors.AsType[*lro.OperationError](err)
		if !ok || !failed.Cancelled() || failed.Message() != "Operation was cancelled" || !op.Snapshot().Cancelled() {
			t.Errorf("Wait: %v, want an *OperationError of code CANCELLED", err)
		}
		if err := op.Delete(long(t)); err != nil {
			t.Errorf("Delete: %v", err)
		}
	})

	t.Run("cancel on end", func(t *testing.T) {
		op := m.backup(t, "end")
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := op.Wait(ctx, lro.CancelOnEnd(time.Minute))
		if failed, ok := errors.AsType[*lro.OperationError](err); !ok || !failed.Cancelled() {
			t.Errorf("Wait: %v, want an *OperationError of code CANCELLED", err)
		}
	})

	t.Run("timeout", func(t *testing.T) {
		op := m.backup(t, "timeout")
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := op.Wait(ctx)
		stopped, ok := errors.AsType[*lro.WaitError](err)
		if !ok || !errors.Is(err, context.DeadlineExceeded) || stopped.Last.Done() || op.Done() {
			t.Errorf("Wait: %v, want a *WaitError and an operation that runs", err)
		}
		if s, err := op.Poll(long(t)); err != nil || s.Done() {
			t.Errorf("Poll: got done %v, %v, want that it runs on", s.Done(), err)
		}
	})

	t.Run("cancelled by another caller", func(t *testing.T) {
		op := m.backup(t, "else")
		if _, err := op.Poll(long(t)); err != nil {
			t.Fatal(err)
		}
		outcome := op.Await(long(t))
		if err := m.client.Cancel(long(t), op.Name()); err != nil { // by somebody else
			t.Fatal(err)
		}
		if o := <-outcome; !op.Snapshot().Cancelled() {
			t.Errorf("Await: %v, want CANCELLED, no matter which caller requested it", o.Err)
		}
	})
}

func testGeneratedClient(t *testing.T, addr string) {
	admin, err := database.NewDatabaseAdminClient(long(t), option.WithGRPCConn(dial(t, addr)))
	if err != nil {
		t.Fatal(err)
	}
	started, err := admin.CreateDatabase(long(t), &databasepb.CreateDatabaseRequest{Parent: mockInstance, CreateStatement: "CREATE DATABASE generated"})
	if err != nil {
		t.Fatal(err)
	}
	op, err := lrogax.Wrap(createDatabase, lro.NewClient(lrogax.New(admin.LROClient)), started)
	if err != nil {
		t.Fatal(err)
	}
	if db, err := op.Wait(long(t)); err != nil || db.GetState() != databasepb.Database_READY {
		t.Errorf("Wait: got %v, %v, want a database that is ready", db, err)
	}
}

// backUp makes a backup and returns the progress that was seen, and what came
// of it.
func backUp(t *testing.T, addr string, over transport) ([]int32, *databasepb.Backup, error) {
	t.Helper()
	op := newMocked(t, addr, over, lro.WithPolicy(lro.Policy{
		FirstPoll: 20 * time.Millisecond, MaxInterval: 200 * time.Millisecond, NextPoll: lro.AimByProgress,
	})).backup(t, "progress")
	var percents []int32
	for s, err := range op.Progress(long(t)) {
		if err != nil {
			return percents, nil, err
		}
		md, ok := s.Metadata()
		if !ok {
			t.Fatalf("Metadata: %v", s.MetadataErr())
		}
		percents = append(percents, md.GetProgress().GetProgressPercent())
	}
	got, err := op.Result()
	return percents, got, err
}
