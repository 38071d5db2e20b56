package lrotest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Server is a google.longrunning.Operations service whose operations play
// scripts. The zero value is a server without operations, ready for use. It is
// safe for concurrent use, but its fields must not be changed once it is used.
//
// A Server starts no goroutines and need not be closed. Call it through
// [Server.Stub], over gRPC through [Server.Dial], or over HTTP through
// [NewHTTPServer]. It is a longrunningpb.OperationsServer, to be registered on
// a server of your own.
type Server struct {
	// Without are the methods that the service does not have: they answer
	// UNIMPLEMENTED. Default none. Few services of Google Cloud have
	// WaitOperation.
	Without []RPC

	// OnCall, where set, is called with each call after it was recorded. An error
	// that it returns is the answer, and no step of a script is used up. It may
	// wait to make the service slow, should return when ctx ends, and may set
	// headers and trailers by grpc.SetHeader and grpc.SetTrailer. Concurrent calls
	// call it concurrently.
	OnCall func(ctx context.Context, c Call) error

	// Filter, where set, reports whether an operation matches the filter of a
	// ListOperations request. Where it is not, a request with a filter is
	// INVALID_ARGUMENT.
	Filter func(filter string, op *longrunningpb.Operation) bool

	mu      sync.Mutex // never held across a wait
	scripts map[string]*Script
	added   int
	calls   []Call
}

// Add puts an operation with this name on the server. The script begins now.
// Without steps the operation runs until it is cancelled, or until the test
// calls [Script.Play]. The empty name stands for a fresh one. Add panics when
// there is an operation with the name.
func (s *Server) Add(name string, steps ...Step) *Script {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name == "" {
		name = s.freshNameLocked()
	}
	if s.scripts[name] != nil {
		panic(fmt.Sprintf("lrotest: Server.Add: there is an operation %q already", name))
	}
	if s.scripts == nil {
		s.scripts = make(map[string]*Script)
	}
	s.added++
	script := &Script{server: s, name: name, number: s.added, cancel: []Step{Cancelled()}}
	script.playLocked(steps)
	s.scripts[name] = script
	return script
}

func (s *Server) freshNameLocked() string {
	for i := s.added + 1; ; i++ {
		if name := fmt.Sprintf("operations/%d", i); s.scripts[name] == nil {
			return name
		}
	}
}

// Calls returns the calls that reached the server, in the order of their
// arrival: all, or those of the given methods. Those that failed are among
// them. So are those that have not been answered yet.
func (s *Server) Calls(methods ...RPC) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(methods) == 0 {
		return slices.Clone(s.calls)
	}
	var calls []Call
	for _, c := range s.calls {
		if slices.Contains(methods, c.RPC) {
			calls = append(calls, c)
		}
	}
	return calls
}

// admit records a call, and returns the error with which it is refused.
func (s *Server) admit(ctx context.Context, rpc RPC, name string, req proto.Message) error {
	md, _ := metadata.FromIncomingContext(ctx)
	c := Call{RPC: rpc, Name: name, Request: proto.Clone(req), Metadata: md, Time: time.Now()}
	s.mu.Lock()
	s.calls = append(s.calls, c)
	s.mu.Unlock()
	if slices.Contains(s.Without, rpc) {
		return status.Errorf(codes.Unimplemented, "the service has no %v", rpc)
	}
	if s.OnCall != nil {
		return s.OnCall(ctx, c)
	}
	return nil
}

// scriptLocked finds the script of an operation that is not deleted.
func (s *Server) scriptLocked(name string) (*Script, error) {
	script := s.scripts[name]
	if script == nil || script.deleted {
		return nil, status.Errorf(codes.NotFound, "operation %q not found", name)
	}
	return script, nil
}
