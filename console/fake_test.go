package console

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/lropb"
)

// plainSource is a source in memory without capabilities. Operations are listed
// in the order in which they are. A filter is a text that the name, or the
// state, contains; "bad" is wrong.
type plainSource struct {
	mu      sync.Mutex
	ops     []Operation
	err     error // of every call
	queries []Query
	did     []string // what Cancel and Delete were called with
	hang    bool     // until ctx ends
}

func (s *plainSource) begin(ctx context.Context) error {
	s.mu.Lock()
	hang, err := s.hang, s.err
	s.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (s *plainSource) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *plainSource) List(ctx context.Context, q Query) (Page, error) {
	if err := s.begin(ctx); err != nil {
		return Page{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries = append(s.queries, q)
	if strings.Contains(q.Filter, "bad") {
		return Page{}, status.Errorf(codes.InvalidArgument, "parse filter: %q <is> wrong", q.Filter)
	}
	first := 0
	if q.PageToken != "" {
		if _, err := fmt.Sscanf(q.PageToken, "t%d", &first); err != nil {
			return Page{}, status.Error(codes.InvalidArgument, "page token does not belong to this list")
		}
	}
	var p Page
	for i, op := range s.ops {
		if i < first || !matches(op, q.Filter) {
			continue
		}
		if len(p.Operations) == q.PageSize {
			p.Next = fmt.Sprintf("t%d", i)
			break
		}
		p.Operations = append(p.Operations, op)
	}
	return p, nil
}

// matches understands the filters of tabs besides its own.
func matches(op Operation, filter string) bool {
	f := facts{name: op.Message.GetName()}
	if op.Info != nil {
		f.state = op.Info.State
	}
	f.settle(op.Message.GetDone(), op.Message.GetError() != nil, codes.Code(op.Message.GetError().GetCode()))
	for term := range strings.SplitSeq(filter, " AND ") {
		state, isState := strings.CutPrefix(term, "state = ")
		switch {
		case term == "" || term == "done:"+fmt.Sprint(op.Message.GetDone()):
		case isState:
			if f.state.String() != state {
				return false
			}
		case strings.HasPrefix(term, "done:") || !strings.Contains(f.name, term):
			return false
		}
	}
	return true
}

func (s *plainSource) find(name string) int {
	for i, op := range s.ops {
		if op.Message.GetName() == name {
			return i
		}
	}
	return -1
}

func (s *plainSource) Get(ctx context.Context, name string) (Operation, error) {
	if err := s.begin(ctx); err != nil {
		return Operation{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(name); i >= 0 {
		return s.ops[i], nil
	}
	return Operation{}, status.Errorf(codes.NotFound, "operation %q was not found", name)
}

func (s *plainSource) Cancel(ctx context.Context, name string) error {
	return s.do(ctx, "cancel", name)
}
func (s *plainSource) Delete(ctx context.Context, name string) error {
	return s.do(ctx, "delete", name)
}

func (s *plainSource) do(ctx context.Context, what, name string) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.did = append(s.did, what+" "+name)
	return nil
}

// put adds an operation at the front, or replaces the one of this name.
func (s *plainSource) put(op Operation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(op.Message.GetName()); i >= 0 {
		s.ops[i] = op
		return
	}
	s.ops = append([]Operation{op}, s.ops...)
}

func (s *plainSource) remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(name); i >= 0 {
		s.ops = append(s.ops[:i:i], s.ops[i+1:]...)
	}
}

// fullSource can do everything.
type fullSource struct {
	plainSource
	changes chan Change // unbuffered: taken when send returns
	counts  Counts
	events  []Event
}

func (s *fullSource) Watch(ctx context.Context) (iter.Seq2[Change, error], error) {
	return func(yield func(Change, error) bool) {
		for {
			select {
			case c, ok := <-s.changes:
				if !ok {
					yield(Change{}, status.Error(codes.Unavailable, "lagged"))
					return
				}
				if !yield(c, nil) {
					return
				}
			case <-ctx.Done():
				yield(Change{}, ctx.Err())
				return
			}
		}
	}, nil
}

func (s *fullSource) Count(ctx context.Context) (Counts, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts, nil
}

func (s *fullSource) recount(c Counts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts = c
}

func (s *fullSource) History(ctx context.Context, _ string) ([]Event, error) {
	return s.events, s.begin(ctx)
}

func (s *fullSource) FiltersState(context.Context) bool { return true }

func pack(t testing.TB, m proto.Message) *anypb.Any {
	t.Helper()
	packed, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// began is when the operations of tests were created.
var began = time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC)

func running(t testing.TB, name string, percent int32) Operation {
	return Operation{
		Message: &longrunningpb.Operation{Name: name, Metadata: pack(t, &lropb.OperationMetadata{
			Target: "shelves/1", ProgressPercent: percent, Progress: &lropb.Progress{Done: int64(percent), Total: 100, Unit: "books"},
		})},
		Info: &Info{Kind: "export", State: lropb.OperationMetadata_RUNNING, Attempt: 1, CreateTime: began, StartTime: began.Add(time.Second)},
	}
}

func ended(t testing.TB, name string, err *spb.Status) Operation {
	op := running(t, name, 100)
	op.Message.Done = true
	op.Info.State = lropb.OperationMetadata_SUCCEEDED
	op.Info.EndTime = began.Add(90 * time.Second)
	op.Message.Result = &longrunningpb.Operation_Response{Response: pack(t, &lropb.SimulateResponse{Echo: "hello"})}
	if err != nil {
		op.Info.State = lropb.OperationMetadata_FAILED
		op.Message.Result = &longrunningpb.Operation_Error{Error: err}
	}
	return op
}

func newHandler(t testing.TB, src Source, c Config) *Handler {
	t.Helper()
	h, err := New(src, c)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return h
}

// get asks for a page.
func get(t testing.TB, h http.Handler, target string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(body)
}

// post sends a form as a page of the console would.
func post(t testing.TB, h http.Handler, target string, form url.Values, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// wantIn checks that a page has each text.
func wantIn(t testing.TB, what, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("%s has no %q", what, text)
		}
	}
}

func wantNotIn(t testing.TB, what, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			t.Errorf("%s has %q", what, text)
		}
	}
}
