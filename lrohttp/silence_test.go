package lrohttp

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/internal/transporttest"
	"github.com/go-lro/lro/lrotest"
)

// TestSilentConnection: without an http.Client of the program, a call on an
// HTTP/2 connection that swallows what is sent fails within 30 s, and the next
// has another connection. A call that takes longer is left alone while the other
// side answers pings.
func TestSilentConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := &lrotest.Server{}
		srv.Add("operations/x", lrotest.Running(nil))
		handler, err := NewHandler(srv)
		if err != nil {
			t.Fatal(err)
		}
		listener := transporttest.Listen(t)
		web := &http.Server{Handler: handler, Protocols: &http.Protocols{}}
		web.Protocols.SetUnencryptedHTTP2(true)
		served := make(chan error, 1)
		go func() { served <- web.Serve(listener) }()

		client, err := NewClient("http://test")
		if err != nil {
			t.Fatal(err)
		}
		transport := client.http.Transport.(*http.Transport)
		transport.Protocols = web.Protocols
		var conns []*mute
		transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := listener.Dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			conns = append(conns, &mute{Conn: c})
			return conns[len(conns)-1], nil
		}

		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		wait := &longrunningpb.WaitOperationRequest{Name: "operations/x"}
		begin := time.Now()
		if _, err := client.WaitOperation(ctx, wait); time.Since(begin) < 9*time.Minute || len(conns) != 1 {
			t.Errorf("WaitOperation for 10 minutes = %v after %v on connection %d", err, time.Since(begin), len(conns))
		}
		conns[0].silent.Store(true)
		begin = time.Now()
		if _, err := client.WaitOperation(t.Context(), wait); status.Code(err) != codes.Unavailable || time.Since(begin) > pingAfter+pingTimeout {
			t.Errorf("WaitOperation on a silent connection = %v after %v, want UNAVAILABLE within 30s", err, time.Since(begin))
		}
		if _, err := client.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: "operations/x"}); err != nil || time.Since(begin) > pingAfter+pingTimeout {
			t.Errorf("GetOperation after it = %v, %v after silence began, want an answer at once", err, time.Since(begin))
		}
		transport.CloseIdleConnections()
		web.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
	})
}

// mute is a connection that swallows what is written once it is silent.
type mute struct {
	net.Conn
	silent atomic.Bool
}

func (m *mute) Write(p []byte) (int, error) {
	if m.silent.Load() {
		return len(p), nil
	}
	return m.Conn.Write(p)
}
