package guard

import (
	"context"
	"math"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

// ServerOptions returns the options of a gRPC server that set its limits and its
// credentials, which are part of them: connections are watched behind their
// handshake. Nil credentials are those of plain text.
func (g *Guard) ServerOptions(creds credentials.TransportCredentials) []grpc.ServerOption {
	if creds == nil {
		creds = insecure.NewCredentials()
	}
	l := g.limits
	return []grpc.ServerOption{
		grpc.Creds(watched{creds, g}),
		grpc.MaxConcurrentStreams(uint32(min(l.Streams, math.MaxInt32))),
		grpc.MaxRecvMsgSize(l.MessageSize),
		grpc.MaxHeaderListSize(uint32(min(l.HeaderSize, math.MaxInt32))),
		grpc.ConnectionTimeout(l.HeaderTime),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: l.IdleTime, Time: silence, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: l.PingInterval, PermitWithoutStream: true}),
	}
}

// Authentication returns the option of a gRPC server that authenticates each
// call before its message is received. The function gets a ctx with the call's
// metadata and peer, and the full name of its method; it returns the ctx of the
// call. The caller gets its error, which should be a gRPC status; one without a
// status is UNKNOWN. It must not block, since it delays the other calls of the
// connection.
//
// It is grpc-go's InTapHandle, of which a server can have one. grpc-go does not
// call it for requests that arrive through grpc.Server.ServeHTTP: a program
// that uses ServeHTTP must authenticate before that, for example in a
// middleware.
func Authentication(authenticate func(ctx context.Context, method string) (context.Context, error)) grpc.ServerOption {
	return grpc.InTapHandle(func(ctx context.Context, call *tap.Info) (context.Context, error) {
		admitted, err := authenticate(ctx, call.FullMethodName)
		if err == nil {
			return admitted, nil
		}
		st, ok := status.FromError(err)
		if !ok {
			st = status.FromContextError(err)
		}
		return ctx, st.Err()
	})
}

// watched are credentials whose connections are watched for incomplete messages.
type watched struct {
	credentials.TransportCredentials
	guard *Guard
}

// ServerHandshake implements [credentials.TransportCredentials].
func (w watched) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := w.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	return w.guard.watch(conn), info, nil
}

// Clone implements [credentials.TransportCredentials].
func (w watched) Clone() credentials.TransportCredentials {
	return watched{w.TransportCredentials.Clone(), w.guard}
}
