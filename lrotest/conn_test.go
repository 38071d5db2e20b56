package lrotest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lrohttp"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/lrotest"
)

// starter is a fake of a service that starts operations.
type starter struct {
	lropb.UnimplementedStarterServer
	operations *lrotest.Server
}

func (s *starter) StartOperation(context.Context, *lropb.StartOperationRequest) (*longrunningpb.Operation, error) {
	return s.operations.Add("", lrotest.Running(nil).For(time.Hour), lrotest.Succeeded(value("r"))).Proto(), nil
}

func TestDialRegisters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		conn := srv.Dial(func(r grpc.ServiceRegistrar) { lropb.RegisterStarterServer(r, &starter{operations: &srv}) })
		defer conn.Close()
		started, err := lropb.NewStarterClient(conn).StartOperation(t.Context(), &lropb.StartOperationRequest{})
		if err != nil {
			t.Fatalf("StartOperation: %v", err)
		}
		op, err := lro.Any().Wrap(lro.NewClientConn(conn), started)
		if err != nil {
			t.Fatal(err)
		}
		got, err := op.Wait(t.Context())
		if err != nil || text(got) != "r" {
			t.Errorf("Wait: got (%v, %v), want r", got, err)
		}
	})
}

// A drop takes everything down that shares the connection, and the next call
// gets a new one.
func TestDropClosesGRPCConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		srv.Add("operations/other")
		srv.Add(name, lrotest.Drop(), lrotest.Succeeded(value("r")))
		conn := srv.Dial()
		defer conn.Close()
		stub := longrunningpb.NewOperationsClient(conn)
		other := make(chan error, 1)
		go func() {
			_, err := stub.WaitOperation(t.Context(), &longrunningpb.WaitOperationRequest{Name: "operations/other"})
			other <- err
		}()
		synctest.Wait()
		if got := get(t, stub); got != "error Unavailable" {
			t.Errorf("GetOperation, Drop: %q, want Unavailable", got)
		}
		if err := <-other; status.Code(err) != codes.Unavailable {
			t.Errorf("WaitOperation on the same connection: %v, want Unavailable", err)
		}
		if got := get(t, stub); got != "succeeded r" {
			t.Errorf("GetOperation after Drop: %q, want succeeded", got)
		}
	})
}

// A drop over HTTP leaves the client without an answer, and net/http does not
// ask again by itself.
func TestDropClosesHTTPConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		script := srv.Add("operations/x", lrotest.Succeeded(nil), lrotest.Drop(), lrotest.Succeeded(nil))
		web, _ := newWeb(t, &srv)
		for i, wantErr := range []error{nil, io.EOF, nil} {
			resp, err := web.Client().Get(web.URL + "/v1/operations/x")
			if !errors.Is(err, wantErr) {
				t.Errorf("request %d: error %v, want %v", i+1, err, wantErr)
			}
			if err == nil {
				io.Copy(io.Discard, resp.Body) // all of it, so that a connection could be used again
				resp.Body.Close()
			}
		}
		if n := len(script.Calls()); n != 3 {
			t.Errorf("%d calls reached the server, want 3", n)
		}
	})
}

func newWeb(t *testing.T, srv *lrotest.Server) (*lrotest.HTTPServer, *lrohttp.Client) {
	t.Helper()
	handler, err := lrohttp.NewHandler(srv)
	if err != nil {
		t.Fatal(err)
	}
	web := lrotest.NewHTTPServer(handler)
	t.Cleanup(web.Close)
	client, err := lrohttp.NewClient(web.URL, lrohttp.WithHTTPClient(web.Client()))
	if err != nil {
		t.Fatal(err)
	}
	return web, client
}

// A closable connects a client stub to a server until it is closed.
type closable struct {
	name    string
	connect func(t *testing.T, srv *lrotest.Server) (longrunningpb.OperationsClient, func() error)
}

var closables = []closable{
	{"gRPC", func(_ *testing.T, srv *lrotest.Server) (longrunningpb.OperationsClient, func() error) {
		conn := srv.Dial()
		return longrunningpb.NewOperationsClient(conn), conn.Close
	}},
	{"HTTP", func(t *testing.T, srv *lrotest.Server) (longrunningpb.OperationsClient, func() error) {
		web, client := newWeb(t, srv)
		return client, func() error { web.Close(); return nil }
	}},
}

// Close ends calls that would last for ever, and may be called again.
func TestCloseEndsCalls(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, c closable) {
		arrived := make(chan struct{}, 2)
		srv := lrotest.Server{OnCall: func(context.Context, lrotest.Call) error { arrived <- struct{}{}; return nil }}
		srv.Add(name, lrotest.Hang().Times(2))
		stub, closeIt := c.connect(t, &srv)
		answers := make(chan string, 2)
		go func() { answers <- get(t, stub) }()
		go func() { answers <- wait(context.Background(), stub, 0) }()
		for range 2 {
			<-arrived
		}
		for range 2 {
			if err := closeIt(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		for range 2 {
			if got := <-answers; got != "error Canceled" && got != "error Unavailable" {
				t.Errorf("call under way at Close: %q, want Canceled or Unavailable", got)
			}
		}
		if got := get(t, stub); got != "error Canceled" && got != "error Unavailable" {
			t.Errorf("call after Close: %q, want Canceled or Unavailable", got)
		}
	}
	for _, c := range closables {
		t.Run("bubble/"+c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { check(t, c) })
		})
		t.Run("real/"+c.name, func(t *testing.T) {
			t.Parallel()
			check(t, c)
		})
	}
}

// Close returns when the handlers have.
func TestCloseWaitsForHandlers(t *testing.T) {
	t.Parallel()
	for _, c := range closables {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				arrived := make(chan struct{})
				returned := false // read without a lock: the race detector looks on
				srv := lrotest.Server{OnCall: func(ctx context.Context, _ lrotest.Call) error {
					close(arrived)
					<-ctx.Done()
					time.Sleep(time.Hour)
					returned = true
					return nil
				}}
				stub, closeIt := c.connect(t, &srv)
				go get(t, stub)
				<-arrived
				if err := closeIt(); err != nil {
					t.Errorf("Close: %v", err)
				}
				if !returned {
					t.Error("Close returned before a handler")
				}
			})
		})
	}
}

// Close comes at any moment, also while connections are being made.
func TestCloseAtAnyMoment(t *testing.T) {
	t.Parallel()
	for i := range 50 {
		var srv lrotest.Server
		srv.Add(name)
		web := lrotest.NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
		conn := srv.Dial()
		begun, ended := make(chan struct{}, 2), make(chan struct{}, 2)
		go func() {
			begun <- struct{}{}
			if resp, err := web.Client().Get(web.URL); err == nil {
				resp.Body.Close()
			}
			ended <- struct{}{}
		}()
		go func() {
			begun <- struct{}{}
			get(t, longrunningpb.NewOperationsClient(conn))
			ended <- struct{}{}
		}()
		for range i % 3 {
			<-begun
		}
		web.Close()
		conn.Close()
		for range 2 {
			<-ended
		}
	}
}

// The server does not care for the host, as a proxy would not.
func TestHTTPServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		web := lrotest.NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, r.Method+" "+r.Host+r.URL.String()+" ")
			if _, err := io.Copy(w, r.Body); err != nil {
				t.Errorf("read body: %v", err)
			}
		}))
		defer web.Close()
		for url, want := range map[string]string{
			web.URL + "/a?b=c":             "POST lrotest/a?b=c text",
			"http://library.example.com/a": "POST library.example.com/a text",
		} {
			resp, err := web.Client().Post(url, "text/plain", strings.NewReader("text"))
			if err != nil {
				t.Errorf("POST %s: %v", url, err)
				continue
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if string(got) != want || err != nil {
				t.Errorf("POST %s: got (%q, %v), want %q", url, got, err, want)
			}
		}
	})
}
