package server

import (
	"context"
	"runtime"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/server/engine"
)

// TestViewsAreKept: a record's message is made once, and kept no longer than the
// record.
func TestViewsAreKept(t *testing.T) {
	t.Parallel()
	s := &Server{views: new(views)}
	rec := &engine.Record{Name: "operations/a", State: engine.Running, Metadata: &anypb.Any{TypeUrl: "x/y"}}
	op := s.keptView(rec)
	if s.keptView(rec) != op || s.view(rec) != op {
		t.Error("the message of a record was made twice")
	}
	next := *rec
	next.State, next.Response = engine.Succeeded, &anypb.Any{TypeUrl: "x/z"}
	if ended := s.keptView(&next); !ended.GetDone() || s.view(rec).GetDone() {
		t.Error("two states of an operation have one message")
	}
	// A record that was only listed leaves nothing.
	s.view(&engine.Record{Name: "operations/b"})
	if n := s.views.len(); n != 1 {
		t.Errorf("%d messages are kept, want that of the latest state", n)
	}
	runtime.KeepAlive(&next)
}

// TestViewsOfFreshRecords: what was made for a record that its engine makes for each
// read is not kept.
func TestViewsOfFreshRecords(t *testing.T) {
	t.Parallel()
	for _, keeps := range []bool{false, true} {
		rec := &engine.Record{Name: "operations/a"}
		s, err := New(records{rec: rec, keeps: keeps}, Config{PageKey: make([]byte, 32)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Operations().GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: rec.Name}); err != nil {
			t.Fatal(err)
		}
		if n := s.views.len(); n > 0 != keeps {
			t.Errorf("%d messages are kept of an engine that keeps records: %v", n, keeps)
		}
	}
}

// records is an engine of one record.
type records struct {
	engine.Engine
	rec   *engine.Record
	keeps bool
}

func (r records) Get(context.Context, string) (*engine.Record, error) { return r.rec, nil }
func (r records) KeepsRecords() bool                                  { return r.keeps }

func TestViewsAreForgotten(t *testing.T) {
	t.Parallel()
	s := &Server{views: new(views)}
	for range 100 {
		s.keptView(&engine.Record{Name: "operations/" + time.Now().String()})
	}
	for s.views.len() > 0 { // the cleanups run some time after the collection
		runtime.GC()
		runtime.Gosched()
	}
}

// TestServerIsForgotten: the messages that a server has kept do not keep the server,
// nor its engine with the records.
func TestServerIsForgotten(t *testing.T) {
	t.Parallel()
	freed := make(chan struct{})
	func() {
		eng := &records{rec: &engine.Record{Name: "operations/a"}, keeps: true}
		s, err := New(eng, Config{PageKey: make([]byte, 32)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Operations().GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: "operations/a"}); err != nil {
			t.Fatal(err)
		}
		runtime.AddCleanup(eng, func(freed chan struct{}) { close(freed) }, freed)
	}()
	for range 1000 {
		runtime.GC()
		select {
		case <-freed:
			return
		case <-time.After(time.Millisecond):
		}
	}
	t.Error("a server that nothing refers to is not freed")
}

func (v *views) len() int {
	n := 0
	v.byName.Range(func(any, any) bool { n++; return true })
	return n
}

// BenchmarkKeptView is the part of Get that depends on the cache of messages.
func BenchmarkKeptView(b *testing.B) {
	s := &Server{views: new(views)}
	rec := &engine.Record{Name: "projects/p/locations/l/operations/o00000abc0123456789abcde"}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.keptView(rec)
		}
	})
}
