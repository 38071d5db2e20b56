package cli_test

import (
	"context"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/cli/host"
	"github.com/go-lro/lro/lropb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// service is a server of "lro serve" in this process.
type service struct {
	t    testing.TB
	addr string
	conn *grpc.ClientConn
}

// serve runs a server until the test ends.
func serve(t testing.TB) *service {
	t.Helper()
	h, err := host.Open(t.Context(), host.Config{DB: filepath.Join(t.TempDir(), "test.db"), Drain: -1, Grace: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = h.Serve(ctx, listener) })
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		cancel()
		running.Wait()
		if err := h.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return &service{t, listener.Addr().String(), conn}
}

// env makes commands call the service.
func (s *service) env() []string {
	return []string{"LRO_ADDR=" + s.addr, "LRO_PLAINTEXT=1"}
}

// simulate starts an operation and returns its name.
func (s *service) simulate(request string) string {
	s.t.Helper()
	req := &lropb.SimulateRequest{}
	if err := protojson.Unmarshal([]byte(request), req); err != nil {
		s.t.Fatal(err)
	}
	return s.start("simulate", req)
}

func (s *service) start(kind string, req proto.Message) string {
	s.t.Helper()
	packed, err := anypb.New(req)
	if err != nil {
		s.t.Fatal(err)
	}
	op, err := lropb.NewStarterClient(s.conn).StartOperation(s.t.Context(), &lropb.StartOperationRequest{Kind: kind, Request: packed})
	if err != nil {
		s.t.Fatal(err)
	}
	return op.GetName()
}

// wait waits for an operation, however it ends.
func (s *service) wait(name string) {
	s.t.Helper()
	op, err := lro.Any().Resume(lro.NewClientConn(s.conn), name)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := op.Wait(s.t.Context()); err != nil && !op.Done() {
		s.t.Fatal(err)
	}
}

// get returns an operation as it is now.
func (s *service) get(name string) *longrunningpb.Operation {
	s.t.Helper()
	op, err := lro.NewClientConn(s.conn).Get(s.t.Context(), name)
	if err != nil {
		s.t.Fatal(err)
	}
	return op
}

// running returns the name of an operation that runs until it is cancelled,
// once it runs.
func (s *service) running() string {
	s.t.Helper()
	name := s.simulate(`{"duration": "3600s", "steps": 4}`)
	s.untilRunning(name)
	return name
}

func (s *service) untilRunning(name string) {
	s.t.Helper()
	method := lro.Method[*anypb.Any, *lropb.OperationMetadata]{Policy: &lro.Policy{MaxInterval: 10 * time.Millisecond}}
	op, err := method.Resume(lro.NewClientConn(s.conn), name)
	if err != nil {
		s.t.Fatal(err)
	}
	for snapshot, err := range op.Progress(s.t.Context()) {
		if err != nil {
			s.t.Fatal(err)
		}
		if m, _ := snapshot.Metadata(); m.GetProgress().GetTotal() > 0 {
			return
		}
	}
}

var operationID = regexp.MustCompile(`operations/o[0-9a-z]{15,}`)

// masked makes names of operations and the address the same in every run.
func (s *service) masked(text string) string {
	text = operationID.ReplaceAllString(text, "operations/ID")
	return strings.ReplaceAll(text, s.addr, "HOST:PORT")
}
