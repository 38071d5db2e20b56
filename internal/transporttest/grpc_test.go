package transporttest

import (
	"context"
	"net"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// TestGRPC runs the cases over what they are written for. What holds here is
// what the other transports are held to.
func TestGRPC(t *testing.T) {
	t.Parallel()
	Run(t, func(t *testing.T, srv longrunningpb.OperationsServer) lro.Service {
		listener := Listen(t)
		server := grpc.NewServer()
		longrunningpb.RegisterOperationsServer(server, srv)
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		t.Cleanup(func() {
			server.Stop()
			if err := <-served; err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
		conn, err := grpc.NewClient("passthrough:///test",
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.Dial(ctx, "", "") }))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return longrunningpb.NewOperationsClient(conn)
	})
}
