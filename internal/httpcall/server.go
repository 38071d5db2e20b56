package httpcall

import (
	"context"
	"net"
	"net/http"
	"sync"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// Incoming returns the ctx of a call, with metadata and peer as gRPC has them.
func Incoming(r *http.Request) context.Context {
	md := Metadata(r.Header)
	md.Set(":authority", r.Host)
	ctx := metadata.NewIncomingContext(r.Context(), md)
	p := &peer.Peer{Addr: address(r.RemoteAddr)}
	if local, ok := ctx.Value(http.LocalAddrContextKey).(net.Addr); ok {
		p.LocalAddr = local
	}
	if r.TLS != nil {
		p.AuthInfo = credentials.TLSInfo{
			State:          *r.TLS,
			CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		}
	}
	return peer.NewContext(ctx, p)
}

// address is a remote address as net/http has it.
type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }

// Stream collects the headers and trailers that a method sets by grpc.SetHeader
// and the like. It is a grpc.ServerTransportStream, and safe for concurrent use.
type Stream struct {
	method string

	mu              sync.Mutex
	header, trailer metadata.MD
}

// NewStream returns a Stream of a call of a method, such as
// "/google.longrunning.Operations/GetOperation".
func NewStream(method string) *Stream { return &Stream{method: method} }

// Method returns the name of the method.
func (s *Stream) Method() string { return s.method }

// SetHeader adds headers.
func (s *Stream) SetHeader(md metadata.MD) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.header = metadata.Join(s.header, md)
	return nil
}

// SendHeader adds headers too: they are sent with the answer.
func (s *Stream) SendHeader(md metadata.MD) error { return s.SetHeader(md) }

// SetTrailer adds trailers.
func (s *Stream) SetTrailer(md metadata.MD) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trailer = metadata.Join(s.trailer, md)
	return nil
}

// Header returns the headers that were set.
func (s *Stream) Header() metadata.MD {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.header.Copy()
}

// Trailer returns the trailers that were set.
func (s *Stream) Trailer() metadata.MD {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trailer.Copy()
}
