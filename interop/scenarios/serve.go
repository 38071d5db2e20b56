package scenarios

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Played is a scripted server that runs.
type Played struct {
	GRPC string // address of google.longrunning.Operations
	URL  string // of the same over HTTP/JSON, without a path

	play    *play
	grpc    *grpc.Server
	http    *http.Server
	serving sync.WaitGroup
}

// Serve plays the scenario's server on two free ports of 127.0.0.1. The caller
// must close it.
func Serve(s *Scenario) (*Played, error) {
	p, err := newPlay(s)
	if err != nil {
		return nil, fmt.Errorf("serve scenario %q: %w", s.Name, err)
	}
	forGRPC, err := listen()
	if err != nil {
		return nil, fmt.Errorf("serve scenario %q: %w", s.Name, err)
	}
	forHTTP, err := listen()
	if err != nil {
		_ = forGRPC.Close()
		return nil, fmt.Errorf("serve scenario %q: %w", s.Name, err)
	}
	played := &Played{
		GRPC: forGRPC.Addr().String(), URL: "http://" + forHTTP.Addr().String(),
		play: p, grpc: grpc.NewServer(), http: &http.Server{Handler: httpService{p}, ReadHeaderTimeout: time.Minute},
	}
	longrunningpb.RegisterOperationsServer(played.grpc, grpcService{play: p, drop: forGRPC.drop})
	played.serving.Go(func() { _ = played.grpc.Serve(forGRPC) })
	played.serving.Go(func() { _ = played.http.Serve(forHTTP) })
	return played, nil
}

// Calls returns what the server was asked, for [Record]'s field calls.
func (p *Played) Calls() map[string]any { return p.play.seen() }

// Close stops the server and ends all calls.
func (p *Played) Close() {
	p.grpc.Stop()
	_ = p.http.Close()
	p.serving.Wait()
}

// listener knows its connections, to drop them.
type listener struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

func listen() (*listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &listener{Listener: l}, nil
}

func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.conns = append(l.conns, conn)
	}
	return conn, err
}

// drop closes all connections.
func (l *listener) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.conns {
		_ = conn.Close()
	}
	l.conns = nil
}

// grpcService plays over gRPC.
type grpcService struct {
	longrunningpb.UnimplementedOperationsServer
	play *play
	drop func()
}

// admit counts a call, and refuses it where the service has no such method or
// operation.
func (s grpcService) admit(ctx context.Context, method, name string) error {
	md, _ := metadata.FromIncomingContext(ctx)
	s.play.count(method, "", md.Get)
	if !s.play.has(method) {
		return status.Errorf(codes.Unimplemented, "method %s is not here", method)
	}
	if name != s.play.name {
		return status.Errorf(codes.NotFound, "no operation %q", name)
	}
	return nil
}

func (s grpcService) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	if err := s.admit(ctx, "get", req.GetName()); err != nil {
		return nil, err
	}
	return s.answer(ctx)
}

func (s grpcService) answer(ctx context.Context) (*longrunningpb.Operation, error) {
	a := s.play.next(ctx)
	if a.Drop {
		s.drop()
		return nil, status.Error(codes.Unavailable, "dropped")
	}
	if a.err != nil {
		return nil, status.FromProto(a.err).Err()
	}
	if a.op == nil {
		return nil, status.Error(codes.Unavailable, "no answer")
	}
	return a.op, nil
}

func (s grpcService) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
	if err := s.admit(ctx, "wait", req.GetName()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, req.GetTimeout().AsDuration())
	defer cancel()
	for ctx.Err() == nil && s.play.held() {
		sleep(ctx, 5*time.Millisecond)
	}
	return s.answer(context.WithoutCancel(ctx))
}

func (s grpcService) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest) (*emptypb.Empty, error) {
	if err := s.admit(ctx, "cancel", req.GetName()); err != nil {
		return nil, err
	}
	st, err := s.play.cancel()
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, status.FromProto(st).Err()
}

func (s grpcService) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, s.admit(ctx, "delete", req.GetName())
}

func (s grpcService) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	s.play.count("list", "", md.Get)
	return s.play.page(req.GetPageToken())
}

// defaultMethods are those of a service that does not say; few have
// WaitOperation.
var defaultMethods = []string{"get", "cancel", "delete", "list"}

func (p *play) has(method string) bool {
	methods := p.scenario.Server.Methods
	if methods == nil {
		methods = defaultMethods
	}
	return slices.Contains(methods, method)
}
