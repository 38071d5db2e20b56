package temporal

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/temporal/internal/testserver"
)

// TestServeStops: a program on Temporal stops serving when its listener fails and
// when its context ends, whether it only answers or also runs operations.
func TestServeStops(t *testing.T) {
	t.Parallel()
	l := newLive(t, testserver.Options{})
	kind := server.Kind[*structpb.Struct, *structpb.Struct, *lropb.OperationMetadata]{Name: "resize"}
	handler := func(_ context.Context, _ *server.Task[*lropb.OperationMetadata], image *structpb.Struct) (*structpb.Struct, error) {
		return image, nil
	}
	for role, registration := range map[string]server.Registration{"answers": kind.Declare(), "answers and works": kind.Handle(handler)} {
		srv, err := server.New(l.engs[0], server.Config{Drain: time.Second, Grace: time.Second}, registration)
		if err != nil {
			t.Fatal(err)
		}
		serve := func(ctx context.Context, listener net.Listener) error {
			g := grpc.NewServer()
			srv.Register(g)
			return srv.Serve(ctx, g, listener)
		}
		listen := func() net.Listener {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			return listener
		}

		broken := listen()
		broken.Close()
		// It would hang here if the listener's end did not stop the rest.
		if err := serve(t.Context(), broken); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: Serve of a listener that fails = %v, want its error", role, err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := serve(ctx, listen()); err != nil {
			t.Errorf("%s: Serve with a ctx that has ended = %v, want nil", role, err)
		}
	}
}
