package dial

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/cli/certs"
	"github.com/go-lro/lro/internal/cli/payload"
	"github.com/go-lro/lro/internal/transporttest"
	"github.com/go-lro/lro/lrohttp"
	"github.com/go-lro/lro/lrotest"
)

// TestSilentConnection: a connection that swallows what is sent, over real
// sockets, is given up while a call waits on it, and the next call has another.
func TestSilentConnection(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		serve   func(*testing.T, *lrotest.Server) (addr string, flags func(proxy string) []string)
		silence silence
	}{
		// gRPC for Go pings every 10 s at most.
		{"gRPC", serveGRPC, silence{10 * time.Second, 100 * time.Millisecond}},
		{"HTTP/2", serveHTTP2, silence{100 * time.Millisecond, 100 * time.Millisecond}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.name == "gRPC" && testing.Short() {
				t.Skip("takes 10 s")
			}
			srv := &lrotest.Server{}
			srv.Add("operations/x", lrotest.Running(nil))
			addr, args := tt.serve(t, srv)
			proxy := transporttest.Swallow(t, addr)
			f := flags(t, nil, args(proxy.Addr)...)
			f.silence = tt.silence
			s, err := f.Open(t.Context(), payload.Local{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			get := &longrunningpb.GetOperationRequest{Name: "operations/x"}
			if _, err := s.GetOperation(t.Context(), get); err != nil {
				t.Fatal(err)
			}
			proxy.Silence()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			wait := &longrunningpb.WaitOperationRequest{Name: "operations/x", Timeout: durationpb.New(time.Hour)}
			if _, err := s.WaitOperation(ctx, wait); status.Code(err) != codes.Unavailable {
				t.Errorf("WaitOperation on a silent connection = %v, want UNAVAILABLE long before a minute", err)
			}
			if _, err := s.GetOperation(ctx, get); err != nil || proxy.Conns() != 2 {
				t.Errorf("GetOperation after it = %v on connection %d, want a second connection", err, proxy.Conns())
			}
		})
	}
}

func serveGRPC(t *testing.T, srv *lrotest.Server) (string, func(string) []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	longrunningpb.RegisterOperationsServer(g, srv)
	var serving sync.WaitGroup
	serving.Go(func() { _ = g.Serve(listener) })
	t.Cleanup(func() {
		g.Stop()
		serving.Wait()
	})
	return listener.Addr().String(), func(proxy string) []string { return []string{"--addr", proxy, "--plaintext"} }
}

func serveHTTP2(t *testing.T, srv *lrotest.Server) (string, func(string) []string) {
	handler, err := lrohttp.NewHandler(srv)
	if err != nil {
		t.Fatal(err)
	}
	files, err := certs.Make(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(files.ServerCert, files.ServerKey)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("the call came over %s", r.Proto)
		}
		handler.ServeHTTP(w, r)
	}))
	web.TLS, web.EnableHTTP2 = &tls.Config{Certificates: []tls.Certificate{pair}}, true
	web.StartTLS()
	t.Cleanup(web.Close)
	return web.Listener.Addr().String(), func(proxy string) []string { return []string{"--url", "https://" + proxy, "--ca", files.CA} }
}

// TestTooManyPings: a server of grpc-go with its defaults, which allow one ping
// in 5 minutes, closes the connection of a silent call. Waiting gets over that,
// and the pings become rarer, so that it happens a few times only.
func TestTooManyPings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := &lrotest.Server{}
		srv.Add("operations/x", lrotest.Running(nil).For(6*time.Hour), lrotest.Succeeded(&emptypb.Empty{}))
		conns := &connCount{}
		g := grpc.NewServer(grpc.StatsHandler(conns))
		longrunningpb.RegisterOperationsServer(g, srv)
		listener := transporttest.Listen(t)
		var serving sync.WaitGroup
		serving.Go(func() { _ = g.Serve(listener) })
		conn, err := grpc.NewClient("passthrough:///test", defaultSilence.overGRPC(),
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.Dial(ctx, "", "") }))
		if err != nil {
			t.Fatal(err)
		}
		failed := 0
		observer := &lro.Observer{PollEnd: func(_ context.Context, e lro.PollEnd) {
			if e.Err != nil && e.LongPoll {
				failed++
			} else if e.Err != nil {
				t.Errorf("GetOperation: %v", e.Err)
			}
		}}
		client := lro.NewClientConn(conn, lro.WithObserver(observer), lro.WithPolicy(lro.Policy{LongPoll: time.Hour}))
		op, err := lro.Any().Resume(client, "operations/x")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Wait(t.Context()); err != nil {
			t.Errorf("Wait = %v", err)
		}
		// 20, 40, 80 and 160 s are too often, 320 s is not.
		if got := conns.n.Load(); got != 5 || failed != 4 {
			t.Errorf("%d connections, %d failed long polls, want 5 and 4", got, failed)
		}
		conn.Close()
		g.Stop()
		serving.Wait()
	})
}

// connCount counts the connections of a server.
type connCount struct{ n atomic.Int32 }

func (c *connCount) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (c *connCount) HandleRPC(context.Context, stats.RPCStats)                         {}
func (c *connCount) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (c *connCount) HandleConn(_ context.Context, s stats.ConnStats) {
	if _, ok := s.(*stats.ConnBegin); ok {
		c.n.Add(1)
	}
}
