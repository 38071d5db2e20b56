package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/longrunning"
	autogen "cloud.google.com/go/longrunning/autogen"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/lropb"
)

// pollEvery replaces an interval of seconds, so that the matrix is quick.
const pollEvery = 100 * time.Millisecond

// futureScenarios are those of longrunning.Operation.
func futureScenarios(libraryConn *grpc.ClientConn) map[string]scenario {
	return map[string]scenario{
		"start": func(ctx context.Context, s *session) error {
			started, err := s.simulate(ctx, s.parent, time.Minute, &lropb.SimulateRequest{})
			if err != nil {
				return err
			}
			op := longrunning.InternalNewOperation(s.client, started)
			if op.Name() != started.GetName() || op.Done() {
				return fmt.Errorf("future is %q, done %t, want that of %v", op.Name(), op.Done(), started)
			}
			return checkStarted(started, s.parent)
		},
		"success": func(ctx context.Context, s *session) error {
			started, err := s.simulate(ctx, s.parent, time.Second, &lropb.SimulateRequest{Echo: "hello"})
			if err != nil {
				return err
			}
			resp := new(lropb.SimulateResponse)
			if err := longrunning.InternalNewOperation(s.client, started).WaitWithInterval(ctx, resp, pollEvery); err != nil {
				return err
			}
			return checkEcho(resp)
		},
		"metadata": futureMetadata,
		"failure": func(ctx context.Context, s *session) error {
			failure, err := quotaError()
			if err != nil {
				return err
			}
			started, err := s.simulate(ctx, s.parent, time.Second, &lropb.SimulateRequest{Error: failure})
			if err != nil {
				return err
			}
			return checkQuota(longrunning.InternalNewOperation(s.client, started).WaitWithInterval(ctx, nil, pollEvery))
		},
		"cancel": func(ctx context.Context, s *session) error {
			started, err := s.simulate(ctx, s.parent, time.Hour, &lropb.SimulateRequest{})
			if err != nil {
				return err
			}
			op := longrunning.InternalNewOperation(s.client, started)
			if err := op.Cancel(ctx); err != nil {
				return err
			}
			return checkCode(op.WaitWithInterval(ctx, nil, pollEvery), codes.Canceled)
		},
		"delete": func(ctx context.Context, s *session) error {
			started, err := s.simulate(ctx, s.parent, 0, &lropb.SimulateRequest{})
			if err != nil {
				return err
			}
			op := longrunning.InternalNewOperation(s.client, started)
			if err := op.WaitWithInterval(ctx, nil, pollEvery); err != nil {
				return err
			}
			if err := op.Delete(ctx); err != nil {
				return err
			}
			again := longrunning.InternalNewOperation(s.client, &longrunningpb.Operation{Name: op.Name()})
			return checkCode(again.Poll(ctx, nil), codes.NotFound)
		},
		"unknown": func(ctx context.Context, s *session) error {
			none := below(s.parent, "operations/none")
			op := longrunning.InternalNewOperation(s.client, &longrunningpb.Operation{Name: none})
			return checkCode(op.Poll(ctx, nil), codes.NotFound)
		},
		"library": func(ctx context.Context, s *session) error {
			client, err := autogen.NewOperationsClient(ctx, option.WithGRPCConn(libraryConn))
			if err != nil {
				return err
			}
			return export(ctx, s, client)
		},
	}
}

// below returns name under parent.
func below(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "/" + name
}

// futureMetadata polls until it has seen the operation work and end.
func futureMetadata(ctx context.Context, s *session) error {
	started, err := s.simulate(ctx, s.parent, 4*time.Second, &lropb.SimulateRequest{Steps: 40})
	if err != nil {
		return err
	}
	op := longrunning.InternalNewOperation(s.client, started)
	working := false
	md := new(lropb.OperationMetadata)
	for !op.Done() {
		if err := op.Poll(ctx, nil); err != nil {
			return err
		}
		if err := op.Metadata(md); err != nil {
			return err
		}
		percent := md.GetProgressPercent()
		working = working || md.GetState() == lropb.OperationMetadata_RUNNING && 0 < percent && percent < 100
		time.Sleep(pollEvery) // sleep: the future has no other way to show metadata
	}
	if !working {
		return errors.New("saw no metadata on the way")
	}
	if md.GetState() != lropb.OperationMetadata_SUCCEEDED || md.GetProgressPercent() != 100 {
		return fmt.Errorf("last metadata are %v, want success", md)
	}
	return nil
}

// export waits for an operation of examples/library.
func export(ctx context.Context, s *session, client *autogen.OperationsClient) error {
	started, err := s.library.ExportBooks(ctx, &librarypb.ExportBooksRequest{Parent: "publishers/acme"})
	if err != nil {
		return err
	}
	op := longrunning.InternalNewOperation(client, started)
	resp, md := new(librarypb.ExportBooksResponse), new(librarypb.ExportBooksMetadata)
	if err := op.WaitWithInterval(ctx, resp, pollEvery); err != nil {
		return err
	}
	if err := op.Metadata(md); err != nil {
		return err
	}
	if resp.GetBooks() != 500 || md.GetBooksTotal() != 500 || md.GetParent() != "publishers/acme" {
		return fmt.Errorf("response is %v, metadata are %v, want 500 books", resp, md)
	}
	return nil
}
