package scripted

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// StartMethod starts an operation: of a [wrapperspb.StringValue] as in [Spec],
// it returns a [longrunningpb.Operation].
const StartMethod = "/bench.Scripted/Start"

// MallocsMethod returns how many allocations the service's process has made so
// far: of an [emptypb.Empty], a [wrapperspb.UInt64Value].
const MallocsMethod = "/bench.Scripted/Mallocs"

// MetadataSize is how long the value of the metadata of a running operation is.
const MetadataSize = 64

// Service is google.longrunning.Operations by a script. Make it with [New].
type Service struct {
	longrunningpb.UnimplementedOperationsServer
	faults   Faults
	metadata *anypb.Any
	listener *listener
	labels   sync.Map // string to *label
}

type label struct {
	counts
	begin atomic.Int64 // when the first operation was started, 0 before
}

type counts struct{ gets, waits, starts atomic.Int64 }

// Counts are the calls that came for a label.
type Counts struct {
	Gets   int64 `json:"gets"`
	Waits  int64 `json:"waits"`
	Starts int64 `json:"starts"`
}

// Polls is the number of calls that asked for the state of an operation.
func (c Counts) Polls() int64 { return c.Gets + c.Waits }

// New returns a service that is not served yet.
func New(f Faults) *Service {
	md, err := anypb.New(wrapperspb.Bytes(make([]byte, MetadataSize)))
	if err != nil {
		panic(fmt.Sprintf("make metadata: %v", err)) // of a constant
	}
	return &Service{faults: f, metadata: md}
}

// Serve serves on l until ctx ends.
func (s *Service) Serve(ctx context.Context, l net.Listener) error {
	s.listener = &listener{Listener: l, conns: make(map[string]net.Conn)}
	server := grpc.NewServer()
	longrunningpb.RegisterOperationsServer(server, s)
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "bench.Scripted",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Start", Handler: s.start}, {MethodName: "Mallocs", Handler: mallocs}},
	}, s)
	stop := context.AfterFunc(ctx, server.Stop)
	defer stop()
	if err := server.Serve(s.listener); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// Counts returns the calls that came for a label so far.
func (s *Service) Counts(name string) Counts {
	l := s.label(name)
	return Counts{Gets: l.gets.Load(), Waits: l.waits.Load(), Starts: l.starts.Load()}
}

func (s *Service) label(name string) *label {
	if l, ok := s.labels.Load(name); ok {
		return l.(*label)
	}
	l, _ := s.labels.LoadOrStore(name, &label{})
	return l.(*label)
}

func (s *Service) start(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var request wrapperspb.StringValue
	if err := decode(&request); err != nil {
		return nil, err
	}
	now := Now()
	op, err := start(request.GetValue(), now)
	if err != nil {
		return nil, grpcstatus.Error(codes.InvalidArgument, err.Error())
	}
	l := s.label(op.Label)
	l.starts.Add(1)
	l.begin.CompareAndSwap(0, int64(now))
	return s.state(op, op.Name(), now)
}

func mallocs(any, context.Context, func(any) error, grpc.UnaryServerInterceptor) (any, error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return wrapperspb.UInt64(m.Mallocs), nil
}

// GetOperation returns the operation as it is now.
func (s *Service) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	op, err := ParseName(req.GetName())
	if err != nil {
		return nil, grpcstatus.Error(codes.NotFound, err.Error())
	}
	l := s.label(op.Label)
	l.gets.Add(1)
	if err := s.suffer(ctx, l); err != nil {
		return nil, err
	}
	return s.state(op, req.GetName(), Now())
}

// WaitOperation returns the operation when it has ended, or as it is when the
// timeout of the request or the deadline of the call is near.
func (s *Service) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
	op, err := ParseName(req.GetName())
	if err != nil {
		return nil, grpcstatus.Error(codes.NotFound, err.Error())
	}
	l := s.label(op.Label)
	l.waits.Add(1)
	if !op.Waits {
		return nil, grpcstatus.Error(codes.Unimplemented, "WaitOperation is not served for this operation")
	}
	if err := s.suffer(ctx, l); err != nil {
		return nil, err
	}
	limit := op.End - Now()
	if t := req.GetTimeout(); t != nil {
		limit = min(limit, t.AsDuration())
	}
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)*9/10)
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, grpcstatus.FromContextError(ctx.Err()).Err()
	}
	return s.state(op, req.GetName(), Now())
}

func (s *Service) state(op Operation, name string, now time.Duration) (*longrunningpb.Operation, error) {
	state := &longrunningpb.Operation{Name: name, Metadata: s.metadata}
	if now < op.End {
		return state, nil
	}
	state.Done = true
	if op.Fails {
		state.Result = &longrunningpb.Operation_Error{Error: &status.Status{Code: int32(codes.FailedPrecondition), Message: Failure(name)}}
		return state, nil
	}
	response, err := anypb.New(wrapperspb.String(name))
	if err != nil {
		return nil, fmt.Errorf("make response: %w", err)
	}
	state.Result = &longrunningpb.Operation_Response{Response: response}
	return state, nil
}

// suffer has a poll meet its fate. It returns nil if that is an answer.
func (s *Service) suffer(ctx context.Context, l *label) error {
	begin := time.Duration(l.begin.Load())
	since := Now() - begin - s.faults.After
	if begin == 0 || since < 0 {
		return nil
	}
	if since < s.faults.Outage {
		return grpcstatus.Error(codes.Unavailable, "scripted outage")
	}
	switch s.faults.draw() {
	case cut:
		if p, ok := peer.FromContext(ctx); ok {
			s.listener.cut(p.Addr.String())
		}
		return errCut
	case lost:
		<-ctx.Done()
		return grpcstatus.FromContextError(ctx.Err()).Err()
	case internal:
		return grpcstatus.Error(codes.Internal, "scripted error of a proxy")
	default:
		return nil
	}
}

// listener remembers the connections that it accepted, to cut them.
type listener struct {
	net.Listener
	mu    sync.Mutex
	conns map[string]net.Conn // by remote address
}

type trackedConn struct {
	net.Conn
	closed func()
}

func (c trackedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	address := conn.RemoteAddr().String()
	l.mu.Lock()
	l.conns[address] = conn
	l.mu.Unlock()
	return trackedConn{conn, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.conns[address] == conn {
			delete(l.conns, address)
		}
	}}, nil
}

// cut resets a connection, so that what was written but not sent is lost too.
func (l *listener) cut(address string) {
	l.mu.Lock()
	conn := l.conns[address]
	l.mu.Unlock()
	if conn == nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails only on a connection that is closed already
	}
	if err := conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		panic(fmt.Sprintf("cut connection: %v", err))
	}
}
