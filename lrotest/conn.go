package lrotest

import (
	"context"
	"fmt"
	"net"
	"sync"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Conn is a gRPC connection in memory, to a gRPC server of its own. It is a
// grpc.ClientConnInterface, from which stubs of services are made, and clients:
//
//	conn := srv.Dial()
//	defer conn.Close()
//	client := lro.NewClientConn(conn)
//
// It is safe for concurrent use.
type Conn struct {
	conn *grpc.ClientConn
	stop func() error
}

var _ grpc.ClientConnInterface = (*Conn)(nil)

// Dial serves s over gRPC in memory, beside what the functions register, such
// as a fake of the service that starts operations:
//
//	conn := srv.Dial(func(r grpc.ServiceRegistrar) {
//		librarypb.RegisterLibraryServer(r, library)
//	})
//
// It works inside a bubble of testing/synctest, which the connection must not
// leave. The caller must close it.
func (s *Server) Dial(register ...func(grpc.ServiceRegistrar)) *Conn {
	lis := listen()
	srv := grpc.NewServer(
		grpc.WaitForHandlers(true),
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			return handle(context.WithValue(ctx, dropKey{}, lis.cut), req)
		}),
	)
	longrunningpb.RegisterOperationsServer(srv, s)
	for _, f := range register {
		f(srv)
	}
	conn, err := grpc.NewClient("passthrough:///lrotest",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
	)
	if err != nil {
		panic(fmt.Sprintf("lrotest: Server.Dial: %v", err)) // the target is a constant
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		srv.Serve(lis) // ends with Stop, and with no other error: lis is in memory
	})
	return &Conn{conn: conn, stop: sync.OnceValue(func() error {
		err := conn.Close()
		srv.Stop()
		serving.Wait()
		return err
	})}
}

// Invoke implements [grpc.ClientConnInterface].
func (c *Conn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return c.conn.Invoke(ctx, method, args, reply, opts...)
}

// NewStream implements [grpc.ClientConnInterface].
func (c *Conn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return c.conn.NewStream(ctx, desc, method, opts...)
}

// ClientConn returns the connection itself, for code that takes no less, such as
// option.WithGRPCConn of google.golang.org/api. Close c instead of it.
func (c *Conn) ClientConn() *grpc.ClientConn { return c.conn }

// Close closes the connection and stops its server. Calls under way end. It
// returns when all goroutines of the server have, registered handlers included.
// Closing again does nothing.
func (c *Conn) Close() error { return c.stop() }
