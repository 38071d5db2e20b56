package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/api/iterator"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/lropb"
)

// clientScenarios are those of the generated client.
var clientScenarios = map[string]scenario{
	"start": func(ctx context.Context, s *session) error {
		started, err := s.simulate(ctx, s.parent, time.Minute, &lropb.SimulateRequest{})
		if err != nil {
			return err
		}
		op, err := s.client.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: started.GetName()})
		if err != nil {
			return err
		}
		return checkStarted(op, s.parent)
	},
	"success": func(ctx context.Context, s *session) error {
		op, err := s.finish(ctx, time.Second, &lropb.SimulateRequest{Echo: "hello"})
		if err != nil {
			return err
		}
		resp := new(lropb.SimulateResponse)
		if err := op.GetResponse().UnmarshalTo(resp); err != nil {
			return err
		}
		return checkEcho(resp)
	},
	"failure": func(ctx context.Context, s *session) error {
		failure, err := quotaError()
		if err != nil {
			return err
		}
		op, err := s.finish(ctx, time.Second, &lropb.SimulateRequest{Error: failure})
		if err != nil {
			return err
		}
		if !proto.Equal(op.GetError(), failure) {
			return fmt.Errorf("error is %v, want %v", op.GetError(), failure)
		}
		return op.GetError().GetDetails()[0].UnmarshalTo(new(errdetails.ErrorInfo))
	},
	"cancel": func(ctx context.Context, s *session) error {
		started, err := s.simulate(ctx, s.parent, time.Hour, &lropb.SimulateRequest{})
		if err != nil {
			return err
		}
		if err := s.client.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: started.GetName()}); err != nil {
			return err
		}
		op, err := s.poll(ctx, started.GetName())
		if err != nil {
			return err
		}
		if got := codes.Code(op.GetError().GetCode()); got != codes.Canceled {
			return fmt.Errorf("code is %v, want Canceled", got)
		}
		return nil
	},
	"delete": func(ctx context.Context, s *session) error {
		op, err := s.finish(ctx, 0, &lropb.SimulateRequest{})
		if err != nil {
			return err
		}
		if err := s.client.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: op.GetName()}); err != nil {
			return err
		}
		_, err = s.client.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: op.GetName()})
		return checkCode(err, codes.NotFound)
	},
	"list": clientList,
	"wait": clientWait,
	"unknown": func(ctx context.Context, s *session) error {
		_, err := s.client.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: below(s.parent, "operations/none")})
		return checkCode(err, codes.NotFound)
	},
}

// poll asks for an operation until it is done.
func (s *session) poll(ctx context.Context, name string) (*longrunningpb.Operation, error) {
	for {
		op, err := s.client.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
		if err != nil || op.GetDone() {
			return op, err
		}
		time.Sleep(pollEvery) // sleep: this is how one polls with this client
	}
}

// finish starts an operation and polls until it is done.
func (s *session) finish(ctx context.Context, takes time.Duration, req *lropb.SimulateRequest) (*longrunningpb.Operation, error) {
	started, err := s.simulate(ctx, s.parent, takes, req)
	if err != nil {
		return nil, err
	}
	return s.poll(ctx, started.GetName())
}

// clientList lists 60 operations that end and 2 that do not.
func clientList(ctx context.Context, s *session) error {
	done, running := make(map[string]bool), make(map[string]bool)
	for i := range 62 {
		into, takes := done, time.Duration(0)
		if i < 2 {
			into, takes = running, time.Hour
		}
		op, err := s.simulate(ctx, "projects/listed", takes, &lropb.SimulateRequest{})
		if err != nil {
			return err
		}
		into[op.GetName()] = true
	}
	for name := range done {
		if _, err := s.poll(ctx, name); err != nil {
			return err
		}
	}
	got, pages, err := s.list(ctx, "done = true")
	if err != nil {
		return err
	}
	if err := checkNames(got, done); err != nil {
		return err
	}
	if pages != 3 {
		return fmt.Errorf("60 operations came in %d pages of 25, want 3", pages)
	}
	got, _, err = s.list(ctx, "done = false")
	if err != nil {
		return err
	}
	return checkNames(got, running)
}

func (s *session) list(ctx context.Context, filter string) (names map[string]bool, pages int, err error) {
	names = make(map[string]bool)
	it := s.client.ListOperations(ctx, &longrunningpb.ListOperationsRequest{Name: s.listed, Filter: filter})
	pager := iterator.NewPager(it, 25, "")
	for {
		var page []*longrunningpb.Operation
		token, err := pager.NextPage(&page)
		if err != nil {
			return nil, 0, err
		}
		pages++
		for _, op := range page {
			names[op.GetName()] = true
		}
		if token == "" {
			return names, pages, nil
		}
	}
}

// clientWait waits for an operation that ends, and for one that does not.
func clientWait(ctx context.Context, s *session) error {
	short, err := s.simulate(ctx, s.parent, time.Second, &lropb.SimulateRequest{Echo: "hello"})
	if err != nil {
		return err
	}
	op, err := s.client.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: short.GetName(), Timeout: durationpb.New(20 * time.Second)})
	if err != nil {
		return err
	}
	if !op.GetDone() {
		return errors.New("is not done after the wait")
	}
	resp := new(lropb.SimulateResponse)
	if err := op.GetResponse().UnmarshalTo(resp); err != nil {
		return err
	}
	if err := checkEcho(resp); err != nil {
		return err
	}
	long, err := s.simulate(ctx, s.parent, time.Hour, &lropb.SimulateRequest{})
	if err != nil {
		return err
	}
	op, err = s.client.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: long.GetName(), Timeout: durationpb.New(200 * time.Millisecond)})
	if err != nil {
		return err
	}
	if op.GetDone() {
		return errors.New("is done after a wait of 200 ms, want running")
	}
	return nil
}
