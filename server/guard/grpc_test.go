package guard_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro/server/guard"
)

const check = "/grpc.health.v1.Health/Check"

func dial(t *testing.T, l *pipes, options ...grpc.DialOption) healthpb.HealthClient {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:x", append(options, grpc.WithContextDialer(l.dial), grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return healthpb.NewHealthClient(conn)
}

// TestHalfSentMessages begins messages of 4 MiB on many streams and finishes none.
// A server with the limit closes that connection, and serves others meanwhile.
func TestHalfSentMessages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		limit  int64
		closed bool
	}{{1 << 20, true}, {64 << 20, false}} {
		synctest.Test(t, func(t *testing.T) {
			l := serve(t, newGuard(t, guard.Limits{InFlight: tt.limit}).ServerOptions(nil)...)
			other := dial(t, l)
			a := attack(t, l)
			const streams, each = 16, 128 << 10
			var err error
			for range streams {
				var stream uint32
				if stream, err = a.open(check); err != nil {
					break
				}
				if err = a.send(stream, 4<<20, each); err != nil {
					break
				}
			}
			if sent := int64(a.next / 2 * each); (err != nil) != tt.closed || tt.closed && sent > tt.limit+2*each {
				t.Errorf("limit %d: after %d bytes: %v, closed must be %t", tt.limit, sent, err, tt.closed)
			}
			if _, err := other.Check(t.Context(), &healthpb.HealthCheckRequest{Service: strings.Repeat("x", 100<<10)}); err != nil {
				t.Errorf("limit %d: another client: %v", tt.limit, err)
			}
			a.close()
		})
	}
}

// TestSlowMessages: a message has BodyTime to arrive, however long its call and
// the connection last.
func TestSlowMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := serve(t, newGuard(t, guard.Limits{}).ServerOptions(nil)...)
		a := attack(t, l)
		stream, err := a.open(check)
		a.must(t, err)
		begin := time.Now()
		a.must(t, a.send(stream, 1000, 20))
		if err := a.ended(); err != nil || time.Since(begin) != guard.DefaultBodyTime {
			t.Errorf("a message that never ends: %v after %s, want the connection closed after %s", err, time.Since(begin), guard.DefaultBodyTime)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err = dial(t, l).Check(ctx, &healthpb.HealthCheckRequest{Service: "hang"})
		if status.Code(err) != codes.DeadlineExceeded || time.Since(begin) < time.Hour {
			t.Errorf("a call that takes an hour: %v after %s", err, time.Since(begin))
		}
	})
}

// TestFinishedMessages: messages that arrive slowly but in time, with padding and
// in single bytes, hold nothing at the end, also while their streams are open.
func TestFinishedMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := serve(t, newGuard(t, guard.Limits{InFlight: 64 << 10}).ServerOptions(nil)...)
		a := attack(t, l)
		request, err := proto.Marshal(&healthpb.HealthCheckRequest{Service: strings.Repeat("x", 40_000)})
		a.must(t, err)
		message := append([]byte{0, 0, 0, byte(len(request) >> 8), byte(len(request))}, request...)
		for i := range 10 {
			stream, err := a.open("/grpc.health.v1.Health/Watch")
			a.must(t, err)
			a.must(t, a.framer.WriteDataPadded(stream, false, message[:1], make([]byte, 200)))
			time.Sleep(guard.DefaultBodyTime / 2)
			for _, b := range message[1:10] {
				a.must(t, a.framer.WriteData(stream, false, []byte{b}))
			}
			a.must(t, a.framer.WriteDataPadded(stream, false, message[10:16000], make([]byte, 7)))
			a.must(t, a.framer.WriteData(stream, false, message[16000:32000]))
			a.must(t, a.framer.WriteData(stream, false, message[32000:]))
			time.Sleep(2 * guard.DefaultBodyTime)
			if i%2 == 0 {
				a.must(t, a.framer.WriteRSTStream(stream, http2.ErrCodeCancel))
			}
		}
		stream, err := a.open("/nonsense")
		if err != nil || a.wait(func() bool { return a.status[stream] != "" }) != nil {
			t.Errorf("after messages that were finished: %v", err)
		}
	})
}

// TestRefusedMessages: what is sent on a stream that the server has answered
// counts for nothing.
func TestRefusedMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		options := newGuard(t, guard.Limits{InFlight: 64 << 10}).ServerOptions(nil)
		l := serve(t, append(options, guard.Authentication(func(context.Context, string) (context.Context, error) {
			return nil, status.Error(codes.Unauthenticated, "no")
		}))...)
		a := attack(t, l)
		for range 10 {
			stream, err := a.open(check)
			a.must(t, err)
			if err := a.wait(func() bool { return a.status[stream] == "16" }); err != nil {
				t.Fatalf("before any message: %v", err)
			}
			a.must(t, a.send(stream, 1<<20, 32<<10))
		}
		time.Sleep(2 * guard.DefaultBodyTime)
		if stream, err := a.open(check); err != nil || a.wait(func() bool { return a.status[stream] == "16" }) != nil {
			t.Errorf("after messages of refused calls: %v", err)
		}
	})
}

// TestStreams opens more streams than a connection may have.
func TestStreams(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := serve(t, newGuard(t, guard.Limits{}).ServerOptions(nil)...)
		a := attack(t, l)
		const more = 50
		for range guard.DefaultStreams + more {
			if _, err := a.open("/grpc.health.v1.Health/Watch"); err != nil {
				t.Fatal(err)
			}
		}
		if err := a.wait(func() bool { return a.resets[http2.ErrCodeRefusedStream] == more }); err != nil {
			t.Errorf("%d streams: %v refused, then %v, want %d", a.next/2, a.resets, err, more)
		}
	})
}

// TestIdle: connections that do nothing are closed, before and after their
// handshake.
func TestIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := serve(t, newGuard(t, guard.Limits{}).ServerOptions(nil)...)
		begin := time.Now()
		conn, err := l.dial(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for err == nil {
			_, err = conn.Read(make([]byte, 1<<10))
		}
		if got := time.Since(begin); got != guard.DefaultHeaderTime {
			t.Errorf("a connection without a preface was closed after %s", got)
		}
		begin = time.Now()
		a := attack(t, l)
		if err := a.ended(); err != nil || time.Since(begin) > 2*guard.DefaultIdleTime {
			t.Errorf("an idle connection was closed after %s, %v", time.Since(begin), err)
		}
	})
}

// TestPings: a client may send keepalive pings every 10 s, whether a call is
// under way or not.
func TestPings(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		options func(*testing.T) []grpc.ServerOption
		code    codes.Code
	}{
		"guarded": {func(t *testing.T) []grpc.ServerOption {
			return newGuard(t, guard.Limits{}).ServerOptions(nil)
		}, codes.DeadlineExceeded},
		"grpc-go's defaults": {func(*testing.T) []grpc.ServerOption { return nil }, codes.Unavailable},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := serve(t, tt.options(t)...)
			client := dial(t, l, grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}))
			if _, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			time.Sleep(guard.DefaultIdleTime / 3)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			_, err := client.Check(ctx, &healthpb.HealthCheckRequest{Service: "hang"})
			if status.Code(err) != tt.code {
				t.Errorf("%s: a call of 10 minutes with pings: %v, want %v", name, err, tt.code)
			}
		})
	}
}

// TestAuthentication: the function decides before a message is received, and its
// status and details reach the caller.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	type key struct{}
	refused, err := status.New(codes.Unauthenticated, "who are you?").WithDetails(&errdetails.ErrorInfo{Reason: "TOKEN_UNKNOWN", Domain: "library.example"})
	if err != nil {
		t.Fatal(err)
	}
	authenticate := func(ctx context.Context, method string) (context.Context, error) {
		if _, ok := peer.FromContext(ctx); !ok || !strings.HasPrefix(method, "/grpc.health.v1.Health/") {
			return nil, fmt.Errorf("no peer, or method %q", method)
		}
		switch metadata.ValueFromIncomingContext(ctx, "authorization")[0] {
		case "Bearer alice":
			return context.WithValue(ctx, key{}, "alice"), nil
		case "broken":
			return nil, errors.New("broken")
		}
		return nil, refused.Err()
	}
	called := false
	intercept := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if called = true; ctx.Value(key{}) != "alice" {
			t.Errorf("the ctx of the call has %v", ctx.Value(key{}))
		}
		return next(ctx, req)
	}
	synctest.Test(t, func(t *testing.T) {
		options := append(newGuard(t, guard.Limits{}).ServerOptions(nil), guard.Authentication(authenticate), grpc.UnaryInterceptor(intercept))
		client := dial(t, serve(t, options...))
		for authorization, want := range map[string]codes.Code{"Bearer alice": codes.OK, "Bearer eve": codes.Unauthenticated, "broken": codes.Unknown} {
			called = false
			ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", authorization)
			_, err := client.Check(ctx, &healthpb.HealthCheckRequest{Service: strings.Repeat("x", 1<<20)})
			if status.Code(err) != want || called != (want == codes.OK) {
				t.Errorf("%q: %v, called %t, want %v", authorization, err, called, want)
			}
			if want != codes.Unauthenticated {
				continue
			}
			if details := status.Convert(err).Details(); len(details) != 1 || details[0].(*errdetails.ErrorInfo).GetReason() != "TOKEN_UNKNOWN" {
				t.Errorf("%q: details are %v", authorization, details)
			}
		}
	})
}

// TestLimitsOfMessages: the size of messages and headers, by grpc-go's own means.
func TestLimitsOfMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := dial(t, serve(t, newGuard(t, guard.Limits{MessageSize: 1000}).ServerOptions(nil)...))
		_, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: strings.Repeat("x", 1000)})
		if status.Code(err) != codes.ResourceExhausted {
			t.Errorf("a message that is too large: %v", err)
		}
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x", strings.Repeat("x", guard.DefaultHeaderSize))
		if _, err := client.Check(ctx, &healthpb.HealthCheckRequest{}); err == nil {
			t.Error("headers that are too large were accepted")
		}
	})
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, l := range []guard.Limits{
		{Streams: -1}, {MessageSize: -1}, {HeaderSize: -1}, {HeaderTime: -1}, {BodyTime: -1}, {IdleTime: -1}, {InFlight: -1}, {PingInterval: -1},
	} {
		if _, err := guard.New(l); err == nil {
			t.Errorf("New(%+v) succeeded", l)
		}
	}
}
