package dial

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/reflect"
	"github.com/go-lro/lro/lrohttp"
	"github.com/go-lro/lro/lropb"
)

// Service is a service that was reached. All but its operations may be nil.
type Service struct {
	longrunningpb.OperationsClient
	// Starter starts operations, where the service offers that.
	Starter lropb.StarterClient
	// Conn is the connection, nil over HTTP/JSON.
	Conn *grpc.ClientConn
	// Reflection asks the service for message types, nil over HTTP/JSON.
	Reflection *reflect.Client
	// Target is how people call it.
	Target string
	// Plaintext says that it is reached over gRPC without TLS.
	Plaintext bool
	// Compute says that it is Compute Engine, whose operations are of its own kind.
	Compute bool
	// Doctor keeps hints from sending people to lro doctor: they are there.
	Doctor bool

	nowhere  *nowhere // nil over gRPC, and for Compute
	waitsFor func(name string) bool
	close    func()
}

// userAgent identifies the command to services.
const userAgent = "lro-command"

// Open prepares to call the service. It makes no call itself. types are those
// that JSON is read with.
func (f *Flags) Open(ctx context.Context, types lrohttp.Resolver) (*Service, error) {
	full, err := f.complete()
	if err != nil {
		return nil, exit.AsUsage(err)
	}
	headers, err := full.headers()
	if err != nil {
		return nil, exit.AsUsage(err)
	}
	token, err := full.token(ctx)
	if err != nil {
		return nil, exit.AsUsage(err)
	}
	open := full.openGRPC
	if _, ok := computeVersion(full.URL); ok {
		open = full.openCompute
	} else if full.URL != "" {
		open = func(headers []header, token tokenSource) (*Service, error) {
			return full.openHTTP(headers, token, types)
		}
	}
	s, err := open(headers, token)
	if err != nil {
		return nil, exit.AsUsage(err)
	}
	return s, nil
}

func (f Flags) openGRPC(headers []header, token tokenSource) (*Service, error) {
	transport := insecure.NewCredentials()
	if !f.Plaintext {
		c, err := f.tlsConfig()
		if err != nil {
			return nil, err
		}
		transport = credentials.NewTLS(c)
	}
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(f.maxMessage())),
		f.silence.overGRPC(),
		grpc.WithUserAgent(userAgent),
		grpc.WithDisableServiceConfig(), // saves a question to the DNS
	}
	gate := &reflect.Gate{}
	opts = append(opts, grpc.WithUnaryInterceptor(gate.Unary))
	if len(headers) > 0 || token != nil {
		opts = append(opts, grpc.WithPerRPCCredentials(perCall{headers, token}))
	}
	conn, err := grpc.NewClient(f.Addr, opts...)
	if err != nil {
		return nil, wrongAddress(fmt.Errorf("--addr %q: %w", f.Addr, err))
	}
	return &Service{
		OperationsClient: longrunningpb.NewOperationsClient(conn),
		Starter:          lropb.NewStarterClient(conn),
		Conn:             conn,
		Reflection:       reflect.New(conn, gate),
		Target:           f.target(),
		Plaintext:        f.Plaintext,
		close:            func() { conn.Close() },
	}, nil
}

// Close releases the connection.
func (s *Service) Close() {
	if s.close != nil {
		s.close()
	}
}

// perCall sends headers and credentials with each call, streams included.
type perCall struct {
	headers []header
	token   tokenSource
}

// GetRequestMetadata implements [credentials.PerRPCCredentials].
func (p perCall) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	md := make(map[string]string, len(p.headers)+1)
	for _, h := range p.headers {
		if first, ok := md[h.name]; ok {
			md[h.name] = first + ", " + h.value
			continue
		}
		md[h.name] = h.value
	}
	if p.token == nil {
		return md, nil
	}
	value, err := p.token(ctx)
	if err != nil {
		return nil, err
	}
	md["authorization"] = value
	return md, nil
}

// RequireTransportSecurity implements [credentials.PerRPCCredentials]. Flags
// has seen to it that credentials leave this machine encrypted only.
func (p perCall) RequireTransportSecurity() bool { return false }
