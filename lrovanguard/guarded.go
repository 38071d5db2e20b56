package lrovanguard

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"connectrpc.com/connect"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/internal/httpcall"
	"github.com/go-lro/lro/lroconnect"
)

// guarded is a gRPC server as an http.Handler, which authenticates every call. It
// gets gRPC requests of clients, and those that vanguard makes of other requests.
type guarded struct {
	server        http.Handler
	authenticate  func(context.Context, string) (context.Context, error) // may be nil
	clientStreams map[string]bool                                        // by the path of the method
	errors        *connect.ErrorWriter
}

// ServeHTTP answers a gRPC request.
func (g *guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if g.authenticate != nil {
		ctx, err := g.authenticate(httpcall.Incoming(r), r.URL.Path)
		if err != nil {
			g.refuse(w, r, err)
			return
		}
		r = r.WithContext(ctx)
	}
	if e, ok := r.Context().Value(exchangeKey{}).(*exchange); ok && !g.clientStreams[r.URL.Path] {
		// vanguard decodes what is read here, and answers at once if that fails.
		// grpc-go reads beside the call, so both would answer at the same time.
		e.decoding = true
		message, err := io.ReadAll(r.Body)
		e.decoding = false
		if err == nil && len(message) == 0 {
			err = io.ErrUnexpectedEOF // even an empty message has a prefix
		}
		if err != nil {
			g.refuse(w, r, status.Errorf(codes.InvalidArgument, "read body: %v", err))
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(message))
	}
	g.server.ServeHTTP(w, r)
}

func (g *guarded) refuse(w http.ResponseWriter, r *http.Request, err error) {
	// The only error is a client that has gone.
	_ = g.errors.Write(w, r, lroconnect.Error(err))
}

// exchange is what is known of a request that is transcoded.
type exchange struct {
	decoding bool // its message is being read and decoded
}

type exchangeKey struct{}

// transcoded returns r as a request that will be transcoded; e is set on the way.
func transcoded(r *http.Request, e *exchange) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), exchangeKey{}, e))
}
