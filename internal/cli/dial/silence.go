package dial

import (
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// silence says when a connection counts as dead though nothing closed it, as
// behind a NAT or VPN that forgot it: ping is how long a call hears nothing
// before the connection is tested, answer how long the test may take.
//
// A gRPC server may want longer pauses between pings; grpc-go's default is one
// in 5 minutes. It then closes the connection with too_many_pings, and gRPC
// doubles its pause each time by itself (grpc/proposal A8). That is no outage:
// a call that it interrupts is repeated.
type silence struct{ ping, answer time.Duration }

// defaultSilence finds a dead connection within 30 s, the length of a long poll.
// Servers of lro take a ping every 10 s.
var defaultSilence = silence{ping: 20 * time.Second, answer: 10 * time.Second}

func (s silence) overGRPC() grpc.DialOption {
	return grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: s.ping, Timeout: s.answer})
}

// overHTTP does the same for HTTP/2. HTTP/1.1 has no pings; there a call that
// ends by its time limit closes the connection.
func (s silence) overHTTP(t *http.Transport) {
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: s.ping, PingTimeout: s.answer}
}
