package lro

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// page is what stands between client and service answers by itself.
type page struct {
	name        string
	code        int
	contentType string
	body        string
	want        codes.Code // of a poll
}

const nginxPage = "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"

var pages = []page{
	{"nginx", 404, "text/html", nginxPage, codes.Unknown},
	{"traefik", 404, "text/plain; charset=utf-8", "404 page not found\n", codes.Unknown},
	{"default backend", 404, "text/plain; charset=utf-8", "default backend - 404", codes.Unknown},
	{"empty", 404, "", "", codes.Unknown},
	{"forbidden", 403, "text/html", "<html>403 Forbidden</html>", codes.Unknown},
	{"unauthorized", 401, "text/html", "<html>401 Authorization Required</html>", codes.Unknown},
	{"sign-in", 200, "text/html", "<html>Sign in</html>", codes.Unknown},
	{"JSON", 404, "application/json", `{"message":"no Route matched with those values"}`, codes.Unknown},
	{"bad gateway", 502, "text/html", "<html>502 Bad Gateway</html>", codes.Unavailable},
}

// serveBehind serves operations over gRPC, behind something that answers the
// first so many requests with a page.
func serveBehind(t *testing.T, p page, times int, f *fakeService) *grpc.ClientConn {
	t.Helper()
	server := grpc.NewServer()
	longrunningpb.RegisterOperationsServer(server, operationsServer{f: f})
	var n atomic.Int64
	return serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if int(n.Add(1)) > times {
			server.ServeHTTP(w, r)
			return
		}
		w.Header()["Content-Type"] = nil
		if p.contentType != "" {
			w.Header().Set("Content-Type", p.contentType)
		}
		w.WriteHeader(p.code)
		_, _ = io.WriteString(w, p.body)
	}))
}

// serveGRPC serves f by grpc-go's own transport.
func serveGRPC(t *testing.T, f *fakeService) *grpc.ClientConn {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	longrunningpb.RegisterOperationsServer(server, operationsServer{f: f})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return conn
}

func serveHTTP(t *testing.T, h http.Handler, opts ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, Protocols: &http.Protocols{}, ReadHeaderTimeout: time.Minute}
	server.Protocols.SetUnencryptedHTTP2(true)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	conn, err := grpc.NewClient(listener.Addr().String(), append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		_ = server.Close()
		<-served
	})
	return conn
}

// operationsServer is a fakeService as a server.
type operationsServer struct {
	longrunningpb.UnimplementedOperationsServer
	f *fakeService
}

func (s operationsServer) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	return s.f.GetOperation(ctx, req)
}

func (s operationsServer) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
	return s.f.WaitOperation(ctx, req)
}

var fast = Policy{FirstPoll: time.Millisecond, MaxInterval: 5 * time.Millisecond}

func TestPageIsNoAnswer(t *testing.T) {
	t.Parallel()
	for _, p := range pages {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			f := &fakeService{get: func(context.Context, int) (*longrunningpb.Operation, error) { return succeeded("done"), nil }}
			f.wait = func(context.Context, int, time.Duration) (*longrunningpb.Operation, error) {
				return succeeded("done"), nil
			}
			client := NewClientConn(serveBehind(t, p, 4, f), WithPolicy(fast))
			op, err := Strings.Wrap(client, running(""))
			if err != nil {
				t.Fatal(err)
			}
			_, err = op.Poll(t.Context())
			if got := status.Code(err); got != p.want || errors.Is(err, ErrGone) || errors.Is(err, ErrNotFound) {
				t.Errorf("Poll: %v, want %v", err, p.want)
			}
			if text := err.Error(); p.want == codes.Unknown && (!strings.Contains(text, "not the service's") || !strings.Contains(text, firstWords(p.body))) {
				t.Errorf("Poll: %v, want what came", err)
			}
			got, err := op.Wait(t.Context())
			wantValue(t, got, err, "done")
			if !client.longPollUsable() {
				t.Error("a page made the client give WaitOperation up")
			}
		})
	}
}

func firstWords(text string) string {
	text = strings.TrimLeft(text, `{"<`)
	return text[:min(len(text), 4)]
}

// A page that stays ends the wait, and says what it is.
func TestPageThatStays(t *testing.T) {
	t.Parallel()
	policy := fast
	policy.SoftErrorTime = -1
	op := resume(t, longrunningpb.NewOperationsClient(serveBehind(t, pages[2], 1000, nil)), WithPolicy(policy))
	_, err := op.Wait(t.Context())
	stopped, ok := errors.AsType[*WaitError](err)
	if !ok || stopped.Polls < 6 || errors.Is(err, ErrNotFound) || status.Code(err) != codes.Unknown || !strings.Contains(err.Error(), "default backend - 404") {
		t.Errorf("Wait: %v, want a *WaitError that quotes the page after 6 polls", err)
	}
}

// The service's own refusals are believed: over gRPC, and in process whatever
// they say.
func TestServiceIsBelieved(t *testing.T) {
	t.Parallel()
	for _, code := range []codes.Code{codes.NotFound, codes.PermissionDenied, codes.Unauthenticated, codes.Unimplemented} {
		f := &fakeService{get: func(context.Context, int) (*longrunningpb.Operation, error) {
			return nil, status.Error(code, "unexpected HTTP status code received from server: 404")
		}}
		policy := fast
		policy.NotFoundGrace = -1
		// grpc-go's own transport sends the status without a header, its handler of
		// net/http with one.
		for _, conn := range []*grpc.ClientConn{serveGRPC(t, f), serveBehind(t, page{}, 0, f)} {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			_, err := resume(t, longrunningpb.NewOperationsClient(conn), WithPolicy(policy)).Wait(ctx)
			cancel()
			stopped, ok := errors.AsType[*WaitError](err)
			if !ok || stopped.Polls != 1 || status.Code(err) != code {
				t.Errorf("Wait over gRPC: %v, want %v after 1 poll", err, code)
			}
		}
		f.get = func(context.Context, int) (*longrunningpb.Operation, error) { return nil, status.Error(code, "no") }
		_, err := resume(t, f.pollOnly(), WithPolicy(policy)).Wait(t.Context())
		if stopped, ok := errors.AsType[*WaitError](err); !ok || stopped.Polls != 1 || status.Code(err) != code {
			t.Errorf("Wait in process: %v, want %v after 1 poll", err, code)
		}
	}
}

// tokens are credentials that cannot be had at first.
type tokens struct{ calls, fail atomic.Int64 }

func (c *tokens) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	if c.calls.Add(1) <= c.fail.Load() {
		return nil, errors.New("token file is empty")
	}
	return map[string]string{"authorization": "Bearer token"}, nil
}

func (c *tokens) RequireTransportSecurity() bool { return false }

// Credentials that cannot be had for a moment are an outage, not a refusal.
func TestFailedCredentials(t *testing.T) {
	t.Parallel()
	for _, each := range []string{"of the connection", "of the call"} {
		t.Run(each, func(t *testing.T) {
			t.Parallel()
			f := &fakeService{get: func(context.Context, int) (*longrunningpb.Operation, error) { return succeeded("done"), nil }}
			server := grpc.NewServer()
			longrunningpb.RegisterOperationsServer(server, operationsServer{f: f})
			creds := &tokens{}
			creds.fail.Store(4)
			opts := []ClientOption{WithPolicy(fast)}
			var dial []grpc.DialOption
			if each == "of the call" {
				opts = append(opts, WithCallOptions(grpc.PerRPCCredentials(creds)))
			} else {
				dial = append(dial, grpc.WithPerRPCCredentials(creds))
			}
			op := resume(t, longrunningpb.NewOperationsClient(serveHTTP(t, server, dial...)), opts...)
			_, err := op.Poll(t.Context())
			if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "could not get credentials") || !strings.Contains(err.Error(), "token file is empty") {
				t.Errorf("Poll: %v, want UNAVAILABLE and why", err)
			}
			got, err := op.Wait(t.Context())
			wantValue(t, got, err, "done")
		})
	}
}

// An answer larger than the limit stays larger: one poll is enough.
func TestTooLargeAnswer(t *testing.T) {
	t.Parallel()
	f := &fakeService{get: func(context.Context, int) (*longrunningpb.Operation, error) {
		return running(strings.Repeat("x", 10_000)), nil
	}}
	conn := serveBehind(t, page{}, 0, f)
	op := resume(t, longrunningpb.NewOperationsClient(conn), WithPolicy(fast), WithCallOptions(grpc.MaxCallRecvMsgSize(1000)))
	_, err := op.Wait(t.Context())
	stopped, ok := errors.AsType[*WaitError](err)
	if !ok || stopped.Polls != 1 || status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "grpc.MaxCallRecvMsgSize") {
		t.Errorf("Wait: %v, want RESOURCE_EXHAUSTED after 1 poll that names the option", err)
	}
}

// What is quoted of a page is cut between characters: a status must be UTF-8.
func TestClippedIsUTF8(t *testing.T) {
	t.Parallel()
	for n := range 4 {
		if got := clipped(strings.Repeat("x", n) + strings.Repeat("é", maxQuoted)); !utf8.ValidString(got) {
			t.Errorf("clipped after %d bytes is not UTF-8", n)
		}
	}
}
