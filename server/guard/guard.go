package guard

import (
	"errors"
	"fmt"
	"time"
)

// Limits bound the resources that clients can use. The zero value of a field is
// its default; negative values are refused by [New].
type Limits struct {
	// Streams is how many calls may be under way on one HTTP/2 connection. The
	// client delays further ones. Default 250.
	Streams int
	// MessageSize is the largest request message over gRPC, in bytes, after
	// decompression. Larger ones are RESOURCE_EXHAUSTED. Default 4 MiB. The size
	// of HTTP bodies is up to their handlers.
	MessageSize int
	// HeaderSize is how many bytes the headers of a request may have. Default
	// 64 KiB.
	HeaderSize int
	// HeaderTime is how long a connection may take for its TLS and HTTP/2
	// handshake, and an HTTP/1.1 request for its headers. Default 10 s.
	HeaderTime time.Duration
	// BodyTime is how long a request message over gRPC, or the body of an HTTP
	// request, may take from its first byte to its last. The connection is closed
	// then. How long the call takes afterwards is not limited. Default 1 minute.
	BodyTime time.Duration
	// IdleTime is how long a connection without a call is kept. Default 5
	// minutes.
	IdleTime time.Duration
	// InFlight is how many bytes of incomplete messages and bodies the server
	// holds, over all connections. When there are more, the connection that has
	// most of them is closed. Default 64 MiB.
	InFlight int64
	// PingInterval is the shortest interval of keepalive pings that gRPC clients
	// may send, also while no call is under way; those that send more often are
	// disconnected. Default 5 s. grpc-go's own default is 5 minutes, which
	// disconnects clients that watch over a silent connection.
	PingInterval time.Duration
}

// Defaults of [Limits].
const (
	DefaultStreams      = 250
	DefaultMessageSize  = 4 << 20
	DefaultHeaderSize   = 64 << 10
	DefaultHeaderTime   = 10 * time.Second
	DefaultBodyTime     = time.Minute
	DefaultIdleTime     = 5 * time.Minute
	DefaultInFlight     = 64 << 20
	DefaultPingInterval = 5 * time.Second
)

const (
	// silence is how long a gRPC connection may be silent before the server
	// sends a ping, and pingTimeout how long the answer may take: a client that
	// vanished without a word holds its calls no longer.
	silence     = time.Minute
	pingTimeout = 20 * time.Second
)

// Guard applies limits. It may be used for several servers, which then share
// [Limits].InFlight. It is safe for concurrent use.
type Guard struct {
	limits   Limits
	inFlight budget
}

// New returns a guard with the limits. It fails if one is negative.
func New(l Limits) (*Guard, error) {
	err := errors.Join(
		setDefault("streams", &l.Streams, DefaultStreams),
		setDefault("message size", &l.MessageSize, DefaultMessageSize),
		setDefault("header size", &l.HeaderSize, DefaultHeaderSize),
		setDefault("header time", &l.HeaderTime, DefaultHeaderTime),
		setDefault("body time", &l.BodyTime, DefaultBodyTime),
		setDefault("idle time", &l.IdleTime, DefaultIdleTime),
		setDefault("bytes in flight", &l.InFlight, DefaultInFlight),
		setDefault("ping interval", &l.PingInterval, DefaultPingInterval),
	)
	if err != nil {
		return nil, fmt.Errorf("new guard: %w", err)
	}
	return &Guard{limits: l, inFlight: budget{limit: l.InFlight, holders: map[*holder]struct{}{}}}, nil
}

func setDefault[N ~int | ~int64](name string, value *N, otherwise N) error {
	if *value < 0 {
		return fmt.Errorf("%s of %v is negative", name, *value)
	}
	if *value == 0 {
		*value = otherwise
	}
	return nil
}
