package lrovanguard

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"connectrpc.com/connect"
	"connectrpc.com/vanguard"
	"google.golang.org/grpc"

	"github.com/go-lro/lro/lrohttp"
	"github.com/go-lro/lro/lropb"
)

const (
	defaultDomain     = "github.com/go-lro/lro"
	defaultMaxMessage = 4 << 20
)

// Config configures a handler. The zero value is usable.
type Config struct {
	// Authenticate is called for each call of every protocol before its message is
	// read. It gets the ctx of the call, which has the request's headers as
	// incoming metadata and the remote address and TLS state in the peer, and the
	// full name of the method, such as
	// "/google.longrunning.Operations/GetOperation". It returns the ctx of the
	// call. An error refuses the call; it should have the code UNAUTHENTICATED and
	// an ErrorInfo. Authenticate must be safe for concurrent use.
	//
	// Nil, the default, accepts every call. Interceptors of the grpc.Server always
	// run, also for Operations over REST, but after the message was read. The
	// function of guard.Authentication is not an interceptor and does not run
	// here: set it here too.
	Authenticate func(ctx context.Context, method string) (context.Context, error)

	// ErrorDomain is the domain in the ErrorInfo of errors that the handler makes
	// itself (AIP-193): the name of the service, such as "library.googleapis.com".
	// Default "github.com/go-lro/lro".
	ErrorDomain string

	// MaxMessage limits a message that is transcoded, in bytes: a request, or an
	// answer. Default 4 MiB.
	MaxMessage uint32

	// Operations are more options of the handler that serves
	// google.longrunning.Operations over REST, such as lrohttp.WithRules.
	Operations []lrohttp.HandlerOption

	// Transcoder are more options of vanguard, such as vanguard.WithRules for the
	// program's own services; rules for google.longrunning.Operations and
	// lro.v1.Starter belong into Operations. An option that replaces the codec
	// "json" or the unknown handler disables what this package does with them.
	Transcoder []vanguard.TranscoderOption
}

// Protocols returns what an http.Server of a handler must speak: HTTP/1.1, and
// HTTP/2 with TLS and without, as gRPC clients do.
func Protocols() *http.Protocols {
	p := &http.Protocols{}
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// NewHandler returns a handler that serves all services registered with server, to
// which none may be added after that. server need not serve anything else, and is
// not stopped by the handler.
//
// A service whose descriptor is not linked into the program is served over gRPC
// only. NewHandler fails if server is nil, if annotations are invalid, such as
// two methods with one path, or not supported by vanguard, such as "**" before
// another segment, and if options are invalid.
//
// A WaitOperation may take as long as its timeout, so the WriteTimeout of the
// http.Server must be longer, or 0.
//
// The handler never changes and is safe for concurrent use.
func NewHandler(server *grpc.Server, c Config) (http.Handler, error) {
	if server == nil {
		return nil, errors.New("new handler: server is nil")
	}
	if c.ErrorDomain == "" {
		c.ErrorDomain = defaultDomain
	}
	if c.MaxMessage == 0 {
		c.MaxMessage = defaultMaxMessage
	}
	operations, err := newOperations(server, c)
	if err != nil {
		return nil, fmt.Errorf("new handler: %w", err)
	}
	h := &handler{
		methods: map[string]bool{}, operations: operations,
		rpc:    &guarded{server, c.Authenticate, map[string]bool{}, connect.NewErrorWriter()},
		domain: c.ErrorDomain,
	}
	for name, info := range server.GetServiceInfo() {
		for _, m := range info.Methods {
			path := "/" + name + "/" + m.Name
			h.methods[path] = true
			h.rpc.clientStreams[path] = m.IsClientStream
		}
	}
	options := []vanguard.TranscoderOption{
		vanguard.WithDefaultServiceOptions(
			vanguard.WithTargetCodecs(vanguard.CodecProto),
			vanguard.WithTargetProtocols(vanguard.ProtocolGRPC),
			vanguard.WithMaxMessageBufferBytes(c.MaxMessage),
		),
		vanguard.WithCodec(func(types vanguard.TypeResolver) vanguard.Codec { return newCodec(types, c.ErrorDomain) }),
		vanguard.WithUnknownHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if rest, ok := w.(*restWriter); ok {
				w = rest.ResponseWriter // its errors are what they should be
			}
			operations.ServeHTTP(w, r)
		})),
	}
	services, err := servicesOf(server, h.rpc)
	if err != nil {
		return nil, fmt.Errorf("new handler: %w", err)
	}
	h.transcoder, err = vanguard.NewTranscoder(services, append(options, c.Transcoder...)...)
	if err != nil {
		return nil, fmt.Errorf("new handler: %w", err)
	}
	return h, nil
}

// newOperations returns the handler of Operations over REST, and of Starter where
// server has it. It calls them through server, so that interceptors run.
func newOperations(server *grpc.Server, c Config) (http.Handler, error) {
	conn := inProcess{server}
	options := []lrohttp.HandlerOption{
		lrohttp.WithAuthentication(c.Authenticate),
		lrohttp.WithErrorDomain(c.ErrorDomain),
		lrohttp.WithMaxBody(int64(c.MaxMessage)),
	}
	if _, ok := server.GetServiceInfo()[lropb.Starter_ServiceDesc.ServiceName]; ok {
		options = append(options, lrohttp.WithStarter(starter{client: lropb.NewStarterClient(conn)}))
	}
	return lrohttp.NewHandler(operations{client: longrunningpb.NewOperationsClient(conn)}, append(options, c.Operations...)...)
}

// handler sorts requests by protocol.
type handler struct {
	methods    map[string]bool // paths of all methods
	rpc        *guarded
	transcoder http.Handler
	operations http.Handler // answers requests that vanguard has no path for
	domain     string
}

// ServeHTTP answers a request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	isGRPC := strings.HasPrefix(media, "application/grpc")
	switch {
	case isGRPC && !strings.HasPrefix(media, "application/grpc-web"):
		h.rpc.ServeHTTP(w, r)
	case isGRPC, strings.HasPrefix(media, "application/connect+"), r.Header.Get("Connect-Protocol-Version") == "1", r.URL.Query().Get("connect") == "v1":
		h.transcoder.ServeHTTP(w, transcoded(r, &exchange{}))
	case r.Method == http.MethodPost && h.methods[r.URL.Path]:
		r.Header.Set("Connect-Protocol-Version", "1") // by which vanguard tells Connect from REST
		h.transcoder.ServeHTTP(w, transcoded(r, &exchange{}))
	default:
		if err == nil && media == "application/json" {
			r.Header.Set("Content-Type", media) // vanguard compares the text
		}
		h.serveREST(w, r)
	}
}
