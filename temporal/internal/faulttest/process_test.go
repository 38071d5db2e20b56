package faulttest

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/child"
	"github.com/go-lro/lro/lropb"
)

// simulate is what a start of the kind simulate returns.
var simulate = lro.Method[*lropb.SimulateResponse, *lropb.OperationMetadata]{}

// server is a process that answers callers.
type server struct {
	*child.Process

	t          *testing.T
	starter    lropb.StarterClient
	operations longrunningpb.OperationsClient
	client     *lro.Client
}

// try starts an operation that takes d, with ten steps a second, and returns its
// name. It is the same operation for the same echo.
func (s *server) try(ctx context.Context, echo string, d time.Duration) (string, error) {
	req, err := anypb.New(&lropb.SimulateRequest{
		Duration: durationpb.New(d), Steps: max(1, int32(d/(100*time.Millisecond))), Echo: echo,
	})
	if err != nil {
		return "", err
	}
	op, err := s.starter.StartOperation(ctx, &lropb.StartOperationRequest{Kind: "simulate", Request: req, RequestId: echo})
	return op.GetName(), err
}

// start is try that succeeds.
func (s *server) start(echo string, d time.Duration) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	name, err := s.try(ctx, echo, d)
	if err != nil {
		s.t.Fatalf("start operation %q: %v", echo, err)
	}
	return name
}

// metadata returns what an operation shows.
func (s *server) metadata(name string) *lropb.OperationMetadata {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	op, err := s.operations.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
	if err != nil {
		s.t.Fatalf("GetOperation(%q): %v", name, err)
	}
	m := new(lropb.OperationMetadata)
	if err := op.GetMetadata().UnmarshalTo(m); err != nil {
		s.t.Fatalf("metadata of %q: %v", name, err)
	}
	return m
}

// wait waits for the end of an operation as a client does.
func (s *server) wait(name string) (*lropb.SimulateResponse, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	op, err := simulate.Resume(s.client, name)
	if err != nil {
		return nil, err
	}
	return op.Wait(ctx)
}

// succeeds fails the test unless the operation succeeds, with its own echo.
func (s *server) succeeds(name, echo string) *lropb.SimulateResponse {
	s.t.Helper()
	resp, err := s.wait(name)
	if err != nil {
		s.t.Errorf("operation %q (%s): %v", echo, name, err)
	} else if resp.GetEcho() != echo {
		s.t.Errorf("operation %q (%s) has the response %v", echo, name, resp)
	}
	return resp
}

// worker is a process that runs operations.
type worker struct {
	t *testing.T
	*child.Process
	metrics string // URL
}

// leaseLosses is how many attempts of the worker ended after they had lost their
// operation.
func (w *worker) leaseLosses() int {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.metrics, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, `lro_lease_losses_total{kind="simulate"} `); ok {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				w.t.Fatal(err)
			}
			return n
		}
	}
	return 0
}

// leave asks the worker to stop, and waits until it has.
func (w *worker) leave() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	_ = w.Stop(ctx) // its status says that it was interrupted
	if ctx.Err() != nil {
		w.t.Errorf("worker %d did not stop within %v", w.PID(), limit)
	}
}
