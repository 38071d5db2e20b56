package lrotest

import (
	"context"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

var _ longrunningpb.OperationsServer = (*Server)(nil)

// GetOperation is answered by the current step of the operation's script.
func (s *Server) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	if err := s.admit(ctx, GetOperation, req.GetName(), req); err != nil {
		return nil, err
	}
	s.mu.Lock()
	script, err := s.scriptLocked(req.GetName())
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	now := time.Now()
	script.advanceLocked(now)
	step, state := script.answerLocked(now)
	s.mu.Unlock()
	return step.perform(ctx, state)
}

// WaitOperation is answered by the first step that does not hold it back, or at
// the end of the time asked for; see [Running]. Without a time, the limit is
// ctx's deadline, shortly before which the call is answered.
func (s *Server) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest) (*longrunningpb.Operation, error) {
	if err := s.admit(ctx, WaitOperation, req.GetName(), req); err != nil {
		return nil, err
	}
	end, err := waitEnd(ctx, req)
	if err != nil {
		return nil, err
	}
	for {
		s.mu.Lock()
		script, err := s.scriptLocked(req.GetName())
		if err != nil {
			s.mu.Unlock()
			return nil, err
		}
		now := time.Now()
		script.advanceLocked(now)
		look, held := script.heldUntilLocked()
		if !held || !end.IsZero() && !now.Before(end) {
			step, state := script.answerLocked(now)
			s.mu.Unlock()
			return step.perform(ctx, state)
		}
		changed := script.changed
		s.mu.Unlock()
		if err := pause(ctx, changed, earlier(look, end)); err != nil {
			return nil, err
		}
	}
}

// maxWaitMargin is how long before its deadline a WaitOperation is answered at
// most, so that the answer still reaches the caller; of short ones it is 5 %.
const maxWaitMargin = 200 * time.Millisecond

// waitEnd is when a WaitOperation is answered at the latest; the zero Time for
// never.
func waitEnd(ctx context.Context, req *longrunningpb.WaitOperationRequest) (time.Time, error) {
	now := time.Now()
	var end time.Time
	if deadline, ok := ctx.Deadline(); ok {
		end = deadline.Add(-min(deadline.Sub(now)/20, maxWaitMargin))
	}
	t := req.GetTimeout()
	if t == nil {
		return end, nil
	}
	if t.CheckValid() != nil || t.AsDuration() < 0 {
		return time.Time{}, status.Errorf(codes.InvalidArgument, "timeout %v is negative or out of range", t)
	}
	return earlier(now.Add(t.AsDuration()), end), nil
}

// earlier returns the earlier of two times, of which the zero Time is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// pause waits until something changed or the time has come, never for the zero
// Time. It fails when ctx ends.
func pause(ctx context.Context, changed <-chan struct{}, until time.Time) error {
	var due <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		due = t.C
	}
	select {
	case <-changed:
		return nil
	case <-due:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

// perform answers a question with the step. state is what a step that is a
// state shows.
func (s Step) perform(ctx context.Context, state *longrunningpb.Operation) (*longrunningpb.Operation, error) {
	switch s.kind {
	case stepError:
		return nil, s.statusError()
	case stepHang:
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	case stepDrop:
		if drop, ok := ctx.Value(dropKey{}).(func()); ok {
			drop()
		}
		return nil, status.Error(codes.Unavailable, "connection dropped")
	}
	return state, nil
}

// dropKey is the context key of the func() that closes the connection by which
// a call came.
type dropKey struct{}

// CancelOperation makes an operation that is not done play what
// [Script.OnCancel] says. Again, and for one that is done, it does nothing.
func (s *Server) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest) (*emptypb.Empty, error) {
	if err := s.admit(ctx, CancelOperation, req.GetName(), req); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	script, err := s.scriptLocked(req.GetName())
	if err != nil {
		return nil, err
	}
	script.advanceLocked(time.Now())
	if !script.cancelling && !script.stateLocked().GetDone() {
		script.cancelling = true
		if len(script.cancel) > 0 {
			script.playLocked(script.cancel)
		}
	}
	return &emptypb.Empty{}, nil
}

// DeleteOperation deletes the operation: calls for it, including those that are
// being held, get NOT_FOUND. The name cannot be used again.
func (s *Server) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest) (*emptypb.Empty, error) {
	if err := s.admit(ctx, DeleteOperation, req.GetName(), req); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	script, err := s.scriptLocked(req.GetName())
	if err != nil {
		return nil, err
	}
	script.deleted = true
	script.wakeLocked()
	return &emptypb.Empty{}, nil
}
