package sqlite

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

var writeTestdata = flag.Bool("write-testdata", false, "write testdata/schema*.db anew for the newest schema")

// TestOldFiles opens files of every schema there was. A file is made when its
// schema is about to be released, by
//
//	go test ./server/engine/sqlite -run TestOldFiles -write-testdata
//
// and never changed after that.
func TestOldFiles(t *testing.T) {
	t.Parallel()
	if *writeTestdata {
		writeOldFile(t, filepath.Join("testdata", fmt.Sprintf("schema%d.db", len(migrations))))
	}
	for version := 1; version <= len(migrations); version++ {
		t.Run(fmt.Sprint("schema ", version), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "operations.db")
			if err := copyFile(path, filepath.Join("testdata", fmt.Sprintf("schema%d.db", version))); err != nil {
				t.Fatal(err)
			}
			checkOldFile(t, path)
			checkSound(t, path)
		})
	}
}

// oldFile is what a file of testdata has, by its request, after it was opened.
var oldFile = map[string]*engine.Record{
	"pending":    {Kind: "k", Parent: "projects/p", State: engine.Pending, RequestID: "id", Trace: map[string]string{"traceparent": "00-1"}},
	"running":    {Kind: "k", State: engine.Pending, Attempt: 1, Crashes: 1, Checkpoint: []byte("checkpoint")},
	"retry":      {Kind: "k", State: engine.Pending, Attempt: 1},
	"once":       {Kind: "k", State: engine.Failed, Attempt: 1, Crashes: 1, Error: enginekit.Status(code.Code_ABORTED, "")},
	"external":   {Kind: "k", State: engine.Running, Attempt: 1, External: true},
	"succeeded":  {Kind: "k", State: engine.Succeeded, Attempt: 1, External: true, Response: textAny("response")},
	"failed":     {Kind: "k", State: engine.Failed, Attempt: 1, External: true, Error: enginekit.Status(code.Code_DATA_LOSS, "")},
	"cancelled":  {Kind: "k", State: engine.Cancelled, Error: enginekit.Status(code.Code_CANCELLED, "")},
	"cancelling": {Kind: "k", State: engine.Cancelled, Attempt: 1, Crashes: 1, Error: enginekit.Status(code.Code_CANCELLED, "")},
}

const oldFileBig = "big " // and many more characters

func checkOldFile(t *testing.T, path string) {
	e := mustOpen(t, path, nil)
	p, err := e.List(t.Context(), engine.Query{AnyParent: true, Limit: 100})
	if err != nil {
		t.Fatalf("List() = %v", err)
	}
	got := make(map[string]engine.State)
	for _, rec := range p.Records {
		label := unpack(rec.Request)
		if strings.HasPrefix(label, oldFileBig) && len(label) > bigSize {
			label = oldFileBig
		}
		got[label] = rec.State
		want, ok := oldFile[label]
		if !ok {
			continue
		}
		if rec.Kind != want.Kind || rec.Parent != want.Parent || rec.RequestID != want.RequestID || rec.Attempt != want.Attempt ||
			rec.Crashes != want.Crashes || !bytes.Equal(rec.Checkpoint, want.Checkpoint) || rec.External != want.External ||
			rec.Error.GetCode() != want.Error.GetCode() || unpack(rec.Response) != unpack(want.Response) ||
			!cmp.Equal(rec.Trace, want.Trace) || unpack(rec.Metadata) != "metadata of "+label {
			t.Errorf("%s is %v, want %v", label, rec, want)
		}
	}
	states := map[string]engine.State{oldFileBig: engine.Pending}
	for label, rec := range oldFile {
		states[label] = rec.State
	}
	if diff := cmp.Diff(states, got); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if _, err := e.Start(t.Context(), engine.Spec{Kind: "k", Parent: "projects/p", Request: textAny("pending"), RequestID: "id"}); err != nil {
		t.Errorf("Start() with an old request ID = %v", err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
}

// writeOldFile makes a file of the newest schema, left by a process that died.
func writeOldFile(t *testing.T, path string) {
	s := newStore(t, nil)
	s.Open(t)
	e := s.last
	start := func(label string, spec engine.Spec) *engine.Record {
		t.Helper()
		spec.Kind, spec.Request, spec.Metadata = "k", textAny(label), textAny("metadata of "+label)
		rec, err := e.Start(t.Context(), spec)
		if err != nil {
			t.Fatalf("Start() = %v", err)
		}
		return rec
	}
	quit := make(chan struct{})
	began := make(chan engine.Attempt)
	work := func(n int) (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- e.Work(ctx, engine.Worker{Kinds: map[string]int{"k": n}, Run: func(_ context.Context, a engine.Attempt) engine.Outcome {
				began <- a
				if unpack(a.Record().Request) != "retry" {
					<-quit
				}
				return engine.Outcome{Error: enginekit.Status(code.Code_UNAVAILABLE, "try again"), Retry: true, RetryAfter: 50 * 365 * 24 * time.Hour}
			}})
		}()
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Work() = %v", err)
			}
		}
	}
	must := func(_ *engine.Record, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	start("retry", engine.Spec{})
	stop := work(1)
	<-began
	stop()
	start("running", engine.Spec{})
	start("once", engine.Spec{AtMostOnce: true})
	cancelling := start("cancelling", engine.Spec{})
	stop = work(3)
	for range 3 {
		a := <-began
		if unpack(a.Record().Request) != "running" {
			continue
		}
		if err := a.Save(t.Context(), []byte("checkpoint")); err != nil {
			t.Fatal(err)
		}
	}
	must(e.Cancel(t.Context(), cancelling.Name))
	start("pending", engine.Spec{Parent: "projects/p", RequestID: "id", Trace: map[string]string{"traceparent": "00-1"}})
	start(oldFileBig+strings.Repeat("x", bigSize), engine.Spec{})
	start("external", engine.Spec{External: true, LeaseFor: time.Hour})
	must(e.Complete(t.Context(), start("succeeded", engine.Spec{External: true}).Lease(), engine.Completion{Response: textAny("response")}))
	must(e.Fail(t.Context(), start("failed", engine.Spec{External: true}).Lease(), engine.Failure{Error: enginekit.Status(code.Code_DATA_LOSS, "gone")}))
	must(e.Cancel(t.Context(), start("cancelled", engine.Spec{}).Name))
	if err := e.Delete(t.Context(), start("deleted", engine.Spec{}).Name); err != nil {
		t.Fatal(err)
	}
	s.Crash(t)
	close(quit)
	stop()

	// The last connection to close moves the log into the database.
	c, err := openConn(t.Context(), s.path, "", readerCache)
	if err == nil {
		_, err = pragmaInt(c.db, "user_version")
	}
	if err == nil {
		err = c.close()
	}
	if err == nil {
		err = copyFile(path, s.path)
	}
	if err != nil {
		t.Fatal(err)
	}
}
