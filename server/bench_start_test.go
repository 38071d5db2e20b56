package server_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/ncruces/go-sqlite3"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/sqlite"
)

// BenchmarkStartToWait starts operations of a kind that does nothing, one after
// another, over gRPC, and waits for each. Beside each it measures a bare commit
// of a row of 512 bytes and a bare RPC, since three of either are what starting
// (a commit), claiming (a commit), ending (a commit) and two calls should take.
// The metric "of-3+3" is the ratio of the medians; 1 is as fast as that.
func BenchmarkStartToWait(b *testing.B) {
	eng, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "operations.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	k, kinds := one(simKind{}, echo)
	srv, err := server.New(eng, server.Config{}, kinds...)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	var working sync.WaitGroup
	working.Go(func() {
		if err := srv.Work(ctx); err != nil {
			b.Errorf("Work: %v", err)
		}
	})
	b.Cleanup(func() {
		stop()
		working.Wait()
		if err := eng.Close(); err != nil {
			b.Errorf("close engine: %v", err)
		}
	})
	commit := bareCommit(b)
	client, bare := dialed(b, starting{srv.Operations(), k, srv}), dialed(b, constant{op: &longrunningpb.Operation{Name: "operations/x"}})

	var lives, commits, rpcs []float64
	timed := func(to *[]float64, f func() error) {
		begin := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		*to = append(*to, float64(time.Since(begin).Microseconds()))
	}
	for b.Loop() {
		timed(&lives, func() error {
			op, err := client.GetOperation(b.Context(), &longrunningpb.GetOperationRequest{})
			if err != nil {
				return err
			}
			_, err = client.WaitOperation(b.Context(), &longrunningpb.WaitOperationRequest{Name: op.GetName()})
			return err
		})
		timed(&commits, commit)
		timed(&rpcs, func() error {
			_, err := bare.GetOperation(b.Context(), &longrunningpb.GetOperationRequest{Name: "operations/x"})
			return err
		})
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(lives), "us")
	b.ReportMetric(median(commits), "commit-us")
	b.ReportMetric(median(rpcs), "rpc-us")
	b.ReportMetric(median(lives)/(3*median(commits)+3*median(rpcs)), "of-3+3")
}

// starting is a service whose GetOperation starts one, so that the benchmark
// needs no service of its own.
type starting struct {
	longrunningpb.OperationsServer
	kind simKind
	srv  *server.Server
}

func (s starting) GetOperation(ctx context.Context, _ *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	return s.kind.Start(ctx, s.srv, &lropb.SimulateRequest{Echo: "benchmark"}, nil)
}

// bareCommit returns a func that appends a row to a database of its own, with
// the durability that the engine has.
func bareCommit(b *testing.B) func() error {
	b.Helper()
	db, err := sqlite3.Open("file:" + filepath.ToSlash(filepath.Join(b.TempDir(), "bare.db")))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Errorf("close bare database: %v", err)
		}
	})
	if err := db.Exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE bare (seq INTEGER PRIMARY KEY, data BLOB NOT NULL)"); err != nil {
		b.Fatal(err)
	}
	insert, _, err := db.Prepare("INSERT INTO bare (data) VALUES (zeroblob(512))")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := insert.Close(); err != nil {
			b.Errorf("close bare statement: %v", err)
		}
	})
	return insert.Exec
}
