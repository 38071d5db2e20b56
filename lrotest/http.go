package lrotest

import (
	"context"
	"net"
	"net/http"
	"sync"

	"google.golang.org/grpc/test/bufconn"
)

// HTTPServer serves an http.Handler in memory, as httptest.Server does over
// TCP. Unlike that one it works inside a bubble of testing/synctest, which it
// must not leave.
type HTTPServer struct {
	// URL is the base of all addresses, without a slash at the end. The server
	// answers for every other host as well.
	URL string

	client http.Client
	stop   func()
}

// NewHTTPServer serves h, for example what lrohttp.NewHandler makes of a
// [Server]. The caller must close it.
func NewHTTPServer(h http.Handler) *HTTPServer {
	lis := bufconn.Listen(bufferSize)
	var serving, open sync.WaitGroup // open counts the connections
	srv := &http.Server{
		Handler: h,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, dropKey{}, func() { c.Close() })
		},
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				open.Add(1)
			case http.StateClosed, http.StateHijacked:
				open.Done()
			}
		},
	}
	serving.Go(func() {
		srv.Serve(lis) // ends with Close, and with no other error: lis is in memory
	})
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return lis.DialContext(ctx) },
		// A request that fails on a connection used before is sent again by
		// net/http; a script would see more questions than were asked.
		DisableKeepAlives: true,
	}
	return &HTTPServer{
		URL:    "http://lrotest",
		client: http.Client{Transport: transport},
		stop: sync.OnceFunc(func() {
			srv.Close()
			serving.Wait()
			open.Wait()
		}),
	}
}

// Client returns the client that reaches the server. Each of its requests has a
// connection of its own.
func (s *HTTPServer) Client() *http.Client { return &s.client }

// Close stops the server. Requests under way end without an answer. It returns
// when all goroutines of the server have, handlers included. Closing again does
// nothing.
func (s *HTTPServer) Close() { s.stop() }
