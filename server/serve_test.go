package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/sqlite"
)

var errBroken = errors.New("broken")

// breakable is a listener that fails when it is told to, as one does whose
// network interface is gone.
type breakable struct {
	*bufconn.Listener
	broken chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newBreakable() *breakable {
	return &breakable{Listener: bufconn.Listen(1 << 16), broken: make(chan struct{}), closed: make(chan struct{})}
}

func (l *breakable) Accept() (net.Conn, error) {
	type accepted struct {
		conn net.Conn
		err  error
	}
	next := make(chan accepted, 1)
	go func() {
		conn, err := l.Listener.Accept()
		next <- accepted{conn, err}
	}()
	select {
	case a := <-next:
		return a.conn, a.err
	case <-l.broken:
		return nil, errBroken
	}
}

func (l *breakable) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// failing is an engine whose Work fails when it is told to.
type failing struct {
	engine.Engine
	broken chan struct{}
}

func (e failing) Work(ctx context.Context, w engine.Worker) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	var failed error
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-e.broken:
			failed = errBroken
			stop()
		case <-working.Done():
		}
	})
	err := e.Engine.Work(working, w)
	stop()
	watching.Wait()
	return errors.Join(failed, err)
}

// served is a server that serves by one call.
type served struct {
	srv      *server.Server
	eng      failing
	grpc     *grpc.Server
	listener *breakable
	web      *breakable
	ops      longrunningpb.OperationsClient
	result   chan error
	stop     context.CancelFunc
}

const (
	testDrain = time.Minute
	testGrace = 10 * time.Second
)

// serveAll serves over gRPC and HTTP until the test stops it.
func serveAll(t *testing.T, reg server.Registration, beside ...server.Part) *served {
	t.Helper()
	eng, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "operations.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{
		eng: failing{eng, make(chan struct{})}, grpc: grpc.NewServer(),
		listener: newBreakable(), web: newBreakable(), result: make(chan error, 1),
	}
	s.srv, err = server.New(s.eng, server.Config{Drain: testDrain, Grace: testGrace}, reg)
	if err != nil {
		t.Fatal(err)
	}
	s.srv.Register(s.grpc)
	conn, err := grpc.NewClient("passthrough:///served", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	s.ops = longrunningpb.NewOperationsClient(conn)
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		op, err := s.srv.Operations().WaitOperation(r.Context(), &longrunningpb.WaitOperationRequest{Name: r.URL.Path[1:]})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		io.WriteString(w, op.GetName())
	})}
	go func() {
		s.result <- s.srv.Serve(ctx, s.grpc, s.listener, append(beside, server.HTTP(web, s.web))...)
	}()
	t.Cleanup(func() {
		s.stop()
		conn.Close()
		if err := eng.Close(); err != nil {
			t.Errorf("close engine: %v", err)
		}
	})
	synctest.Wait()
	return s
}

// wait calls WaitOperation over gRPC.
func (s *served) wait(name string) <-chan error {
	waited := make(chan error, 1)
	go func() {
		_, err := s.ops.WaitOperation(context.Background(), &longrunningpb.WaitOperationRequest{Name: name})
		waited <- err
	}()
	return waited
}

// waitHTTP waits over HTTP.
func (s *served) waitHTTP(name string) <-chan error {
	waited := make(chan error, 1)
	go func() {
		c := http.Client{Transport: &http.Transport{DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return s.web.DialContext(ctx) }}}
		resp, err := c.Get("http://web/" + name)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		waited <- err
	}()
	return waited
}

// Whatever ends first, everything stops: handlers get the drain, waiting calls
// are answered, listeners are closed, and the first cause is returned.
func TestServeStops(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		by    func(t *testing.T, s *served)
		cause error
		says  string
	}{
		{"ctx ends", func(_ *testing.T, s *served) { s.stop() }, nil, ""},
		{"shutdown", func(t *testing.T, s *served) {
			if err := s.srv.Shutdown(context.Background()); err != nil {
				t.Errorf("Shutdown = %v", err)
			}
		}, nil, ""},
		{"listener fails", func(_ *testing.T, s *served) { close(s.listener.broken) }, errBroken, "serve gRPC on bufconn"},
		{"listener of HTTP fails", func(_ *testing.T, s *served) { close(s.web.broken) }, errBroken, "serve HTTP on bufconn"},
		{"engine fails", func(_ *testing.T, s *served) { close(s.eng.broken) }, errBroken, "run operations"},
		{"gRPC server is stopped by the program", func(_ *testing.T, s *served) { s.grpc.Stop() }, nil, ""},
		{"engine is closed", func(_ *testing.T, s *served) { s.eng.Close() }, engine.ErrClosed, "run operations"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k, kinds := one(simKind{}, untilCancelled)
				s := serveAll(t, kinds[0])
				op, err := k.Start(t.Context(), s.srv, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				waits := []<-chan error{s.waitHTTP(op.GetName())}
				if tc.name != "gRPC server is stopped by the program" { // which ends its calls
					waits = append(waits, s.wait(op.GetName()))
				}
				synctest.Wait()

				begin := time.Now()
				tc.by(t, s)
				err = <-s.result
				if !errors.Is(err, tc.cause) || (err == nil) != (tc.cause == nil) || tc.cause != nil && !strings.Contains(err.Error(), tc.says) {
					t.Errorf("Serve = %v, want %v and %q", err, tc.cause, tc.says)
				}
				if took := time.Since(begin); took < testDrain || took > testDrain+testGrace {
					t.Errorf("Serve returned after %v, want the drain of %v, and at most %v more", took, testDrain, testGrace)
				}
				for _, waited := range waits {
					if err := <-waited; err != nil && tc.cause != engine.ErrClosed {
						t.Errorf("a waiting call ended with %v, want an answer", err)
					}
				}
				if !isClosed(s.listener.closed) || !isClosed(s.web.closed) {
					t.Error("Serve left a listener open")
				}
			})
		})
	}
}

// While handlers finish, calls are answered.
func TestServeAnswersWhileItDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, kinds := one(simKind{}, untilCancelled)
		var stopped []time.Duration
		var begin time.Time
		s := serveAll(t, kinds[0], server.OnStop(func() { stopped = append(stopped, time.Since(begin)) }))
		op, err := k.Start(t.Context(), s.srv, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		begin = time.Now()
		s.stop()
		time.Sleep(testDrain / 2)
		if _, err := s.ops.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: op.GetName()}); err != nil {
			t.Errorf("GetOperation during the drain: %v", err)
		}
		if err := <-s.result; err != nil {
			t.Errorf("Serve = %v", err)
		}
		if !slices.Equal(stopped, []time.Duration{0}) {
			t.Errorf("OnStop was called after %v, want once and at once", stopped)
		}
	})
}

// A waiting call follows its operation to an end in the drain.
func TestServeDrainsWithItsCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, kinds := one(simKind{}, func(ctx context.Context, task task, req request) (response, error) {
			<-time.After(testDrain / 2)
			return echo(ctx, task, req)
		})
		s := serveAll(t, kinds[0])
		op, err := k.Start(t.Context(), s.srv, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan bool, 1)
		go func() {
			op, err := s.ops.WaitOperation(context.Background(), &longrunningpb.WaitOperationRequest{Name: op.GetName()})
			done <- err == nil && op.GetDone()
		}()
		synctest.Wait()
		s.stop()
		if !<-done {
			t.Error("WaitOperation returned before its operation, whose handler finished in the drain")
		}
		if err := <-s.result; err != nil {
			t.Errorf("Serve = %v", err)
		}
	})
}

// A call that does not end is cut off after the grace.
func TestServeGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		eng, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "operations.db"), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer eng.Close()
		_, kinds := one(simKind{}, echo)
		srv, err := server.New(eng, server.Config{Grace: testGrace}, kinds...)
		if err != nil {
			t.Fatal(err)
		}
		// A method of the program that ends with its connection alone.
		g := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			<-stream.Context().Done()
			return stream.Context().Err()
		}))
		listener := bufconn.Listen(1 << 16)
		ctx, stop := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- srv.Serve(ctx, g, listener) }()
		conn, err := grpc.NewClient("passthrough:///hang", grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		called := make(chan error, 1)
		go func() {
			called <- conn.Invoke(context.Background(), "/no.such/Method", &longrunningpb.Operation{}, &longrunningpb.Operation{})
		}()
		synctest.Wait()
		begin := time.Now()
		stop()
		if err := <-result; err != nil || time.Since(begin) != testGrace {
			t.Errorf("Serve = %v after %v, want nil after %v", err, time.Since(begin), testGrace)
		}
		if err := <-called; status.Code(err) != codes.Unavailable {
			t.Errorf("the call ended with %v, want UNAVAILABLE", err)
		}
	})
}

// A program that only serves needs no Work, and its waiting calls end when it
// stops.
func TestServeWithoutHandlers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := simKind{Name: "sim"}
		s := serveAll(t, k.Declare())
		op, err := k.Start(t.Context(), s.srv, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		waited := s.wait(op.GetName())
		close(s.eng.broken) // its Work would fail
		time.Sleep(time.Hour)
		select {
		case err := <-s.result:
			t.Fatalf("Serve = %v, want it to serve on", err)
		case err := <-waited:
			t.Fatalf("WaitOperation = %v, want it to wait on", err)
		default:
		}
		s.stop()
		if err := <-s.result; err != nil {
			t.Errorf("Serve = %v", err)
		}
		if err := <-waited; err != nil {
			t.Errorf("WaitOperation = %v, want the state", err)
		}
	})
}

func TestServeParts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		run   func(ctx context.Context) error
		stops bool // by itself
		cause error
	}{
		{"fails", func(context.Context) error { return errBroken }, true, errBroken},
		{"is done", func(context.Context) error { return nil }, false, nil},
		{"ends with ctx", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, false, nil},
		{"fails at the end", func(ctx context.Context) error { <-ctx.Done(); return errBroken }, false, errBroken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, kinds := one(simKind{}, echo)
				s := serveAll(t, kinds[0], server.Run(tc.run), server.Part{})
				synctest.Wait()
				if got := len(s.result) == 1; got != tc.stops {
					t.Errorf("Serve returned by itself: %t, want %t", got, tc.stops)
				}
				s.stop()
				if err := <-s.result; !errors.Is(err, tc.cause) || (err == nil) != (tc.cause == nil) {
					t.Errorf("Serve = %v, want %v", err, tc.cause)
				}
			})
		})
	}
}

// Without gRPC, and after Shutdown.
func TestServeShort(t *testing.T) {
	t.Parallel()
	_, kinds := one(simKind{}, echo)
	r := newRig(t, rigOptions{kinds: kinds, idle: true})
	ended, end := context.WithCancel(t.Context())
	end()
	if err := r.srv.Serve(ended, nil, nil); err != nil {
		t.Errorf("Serve without gRPC = %v", err)
	}
	l := newBreakable()
	if err := r.srv.Serve(t.Context(), nil, l); err == nil || !isClosed(l.closed) {
		t.Errorf("Serve of a listener without a server = %v, want an error and the listener closed", err)
	}
	if err := r.srv.Serve(ended, grpc.NewServer(), newBreakable()); err != nil {
		t.Errorf("Serve with an ended ctx = %v", err)
	}
	for range 2 {
		if err := r.srv.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown of an idle server = %v", err)
		}
	}
	l = newBreakable()
	if err := r.srv.Serve(t.Context(), grpc.NewServer(), l); err != nil || !isClosed(l.closed) {
		t.Errorf("Serve after Shutdown = %v, want nil and the listener closed", err)
	}
	if err := r.srv.Work(t.Context()); err != nil {
		t.Errorf("Work after Shutdown = %v", err)
	}
}

// Shutdown returns with its ctx; the stop goes on.
func TestShutdownEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, kinds := one(simKind{}, untilCancelled)
		s := serveAll(t, kinds[0])
		if _, err := k.Start(t.Context(), s.srv, nil, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if err := s.srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("Shutdown = %v after %v, want the end of its ctx", err, time.Since(begin))
		}
		if err := <-s.result; err != nil || time.Since(begin) < testDrain {
			t.Errorf("Serve = %v after %v, want nil after the drain", err, time.Since(begin))
		}
	})
}
