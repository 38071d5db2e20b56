package docs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/api/iterator"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/lrogax"
	"github.com/go-lro/lro/lrotest"
)

// The functions of this file are the code of migrating.md, each once before and
// once after. TestMigration runs them against the same script.

func operationNamed(name string) *longrunningpb.Operation {
	return &longrunningpb.Operation{Name: name}
}

var ExportBooks = lrogax.MethodOf((*ExportBooksOperation)(nil))

// migration is one thing that code does with an operation, in both ways. Each
// shows or returns what it has seen.
type migration struct {
	before func(ctx context.Context, library *LibraryClient, req *librarypb.ExportBooksRequest, show func(...any)) (string, error)
	after  func(ctx context.Context, library *LibraryClient, client *lro.Client, req *librarypb.ExportBooksRequest, show func(...any)) (string, error)
}

func beforeWait(ctx context.Context, library *LibraryClient, req *librarypb.ExportBooksRequest, show func(...any)) (string, error) {
	op, err := library.ExportBooks(ctx, req)
	if err != nil {
		return "", err
	}
	archive, err := op.Wait(ctx)
	return archive.GetFile(), err
}

func afterWait(ctx context.Context, library *LibraryClient, client *lro.Client, req *librarypb.ExportBooksRequest, show func(...any)) (string, error) {
	op, err := library.ExportBooks(ctx, req)
	if err != nil {
		return "", err
	}
	archive, err := lrogax.Wait(ctx, client, op)
	return archive.GetFile(), err
}

// afterOperation keeps the operation, whose methods do more than wait.
func afterOperation(ctx context.Context, library *LibraryClient, client *lro.Client, req *librarypb.ExportBooksRequest, show func(...any)) (string, error) {
	started, err := library.ExportBooks(ctx, req)
	if err != nil {
		return "", err
	}
	op, err := lrogax.Operation(client, started)
	if err != nil {
		return "", err
	}
	archive, err := op.Wait(ctx)
	return archive.GetFile(), err
}

func beforeResume(ctx context.Context, library *LibraryClient, req *librarypb.ExportBooksRequest, show func(...any)) (string, error) {
	op := library.ExportBooksOperation("publishers/acme/operations/1")
	archive, err := op.Wait(ctx)
	return archive.GetFile(), err
}

func afterResume(ctx context.Context, library *LibraryClient, client *lro.Client, req *librarypb.ExportBooksRequest, show func(...any)) (string, error) {
	op, err := ExportBooks.Resume(client, "publishers/acme/operations/1") // or a token
	if err != nil {
		return "", err
	}
	archive, err := op.Wait(ctx)
	return archive.GetFile(), err
}

func beforePoll(ctx context.Context, library *LibraryClient, req *librarypb.ExportBooksRequest, show func(...any)) (string, error) {
	op := library.ExportBooksOperation("publishers/acme/operations/1")
	for {
		archive, err := op.Poll(ctx)
		if err != nil {
			return "", err // the operation's error, or the poll's: check op.Done()
		}
		if md, err := op.Metadata(); err == nil && md != nil {
			show(md.GetProgressPercent(), "%")
		}
		if op.Done() {
			return archive.GetFile(), nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(5 * time.Second):
		}
	}
}

func afterPoll(ctx context.Context, library *LibraryClient, client *lro.Client, req *librarypb.ExportBooksRequest, show func(...any)) (string, error) {
	op, err := ExportBooks.Resume(client, "publishers/acme/operations/1")
	if err != nil {
		return "", err
	}
	for state, err := range op.Progress(ctx) {
		if err != nil {
			return "", err // ctx ended, or polling failed
		}
		if md, ok := state.Metadata(); ok {
			show(md.GetProgressPercent(), "%")
		}
	}
	archive, err := op.Result() // the operation's error, if it failed
	return archive.GetFile(), err
}

func beforeErrors(ctx context.Context, library *LibraryClient, req *librarypb.ExportBooksRequest, show func(...any)) (string, error) {
	op := library.ExportBooksOperation("publishers/acme/operations/2")
	_, err := op.Wait(ctx)
	if err != nil && op.Done() {
		if failed, ok := errors.AsType[*apierror.APIError](err); ok {
			return fmt.Sprint(status.Code(err), " ", failed.Reason()), nil
		}
	}
	return "", err
}

func afterErrors(ctx context.Context, library *LibraryClient, client *lro.Client, req *librarypb.ExportBooksRequest, show func(...any)) (string, error) {
	op, err := ExportBooks.Resume(client, "publishers/acme/operations/2")
	if err != nil {
		return "", err
	}
	_, err = op.Wait(ctx)
	if failed, ok := errors.AsType[*lro.OperationError](err); ok {
		info, _ := lro.Detail[*errdetails.ErrorInfo](failed)
		return fmt.Sprint(failed.Code(), " ", info.GetReason()), nil
	}
	return "", err
}

func beforeCancel(ctx context.Context, library *LibraryClient, req *librarypb.ExportBooksRequest, show func(...any)) (string, error) {
	op := library.ExportBooksOperation("publishers/acme/operations/3")
	// Generated operations cannot be cancelled: call the service by name.
	err := library.LROClient.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: op.Name()})
	if err != nil {
		return "", err
	}
	_, err = op.Wait(ctx)
	return status.Code(err).String(), nil
}

func afterCancel(ctx context.Context, library *LibraryClient, client *lro.Client, req *librarypb.ExportBooksRequest, show func(...any)) (string, error) {
	op, err := ExportBooks.Resume(client, "publishers/acme/operations/3")
	if err != nil {
		return "", err
	}
	_, err = op.CancelAndWait(ctx)
	return status.Code(err).String(), nil
}

func beforeList(ctx context.Context, library *LibraryClient, req *librarypb.ExportBooksRequest, show func(...any)) (string, error) {
	it := library.LROClient.ListOperations(ctx, &longrunningpb.ListOperationsRequest{Name: "publishers/acme"})
	for {
		op, err := it.Next()
		if err == iterator.Done {
			break
		}
		if err != nil {
			return "", err
		}
		show(op.GetName())
	}
	return "all", nil
}

func afterList(ctx context.Context, library *LibraryClient, client *lro.Client, req *librarypb.ExportBooksRequest, show func(...any)) (string, error) {
	for op, err := range client.List(ctx, &longrunningpb.ListOperationsRequest{Name: "publishers/acme"}) {
		if err != nil {
			return "", err
		}
		show(op.GetName())
	}
	return "all", nil
}

func beforeUntyped(ctx context.Context, library *LibraryClient, req *librarypb.ExportBooksRequest, show func(...any)) (string, error) {
	op := longrunning.InternalNewOperation(library.LROClient, operationNamed("publishers/acme/operations/1"))
	archive := &librarypb.ExportBooksResponse{}
	if err := op.WaitWithInterval(ctx, archive, 10*time.Second); err != nil {
		return "", err
	}
	md := &librarypb.ExportBooksMetadata{}
	if err := op.Metadata(md); err != nil && !errors.Is(err, longrunning.ErrNoMetadata) {
		return "", err
	}
	return fmt.Sprint(archive.GetFile(), " ", md.GetProgressPercent()), nil
}

func afterUntyped(ctx context.Context, library *LibraryClient, client *lro.Client, req *librarypb.ExportBooksRequest, show func(...any)) (string, error) {
	method := ExportBooks
	method.Policy = &lro.Policy{MaxInterval: 10 * time.Second}
	op, err := method.Resume(client, "publishers/acme/operations/1")
	if err != nil {
		return "", err
	}
	archive, err := op.Wait(ctx)
	if err != nil {
		return "", err
	}
	md, _ := op.Metadata()
	return fmt.Sprint(archive.GetFile(), " ", md.GetProgressPercent()), nil
}

var migrations = map[string]migration{
	"wait":      {beforeWait, afterWait},
	"operation": {beforeWait, afterOperation},
	"resume":    {beforeResume, afterResume},
	"poll":      {beforePoll, afterPoll},
	"errors":    {beforeErrors, afterErrors},
	"cancel":    {beforeCancel, afterCancel},
	"list":      {beforeList, afterList},
	"untyped":   {beforeUntyped, afterUntyped},
}

// acme is a library whose exports a server of lrotest plays.
type acme struct {
	librarypb.UnimplementedLibraryServer
}

func (acme) ExportBooks(_ context.Context, req *librarypb.ExportBooksRequest) (*longrunningpb.Operation, error) {
	return operationNamed(req.GetParent() + "/operations/1"), nil
}

// TestMigration: what comes after does what was before.
func TestMigration(t *testing.T) {
	t.Parallel()
	for name, m := range migrations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				req := &librarypb.ExportBooksRequest{Parent: "publishers/acme"}
				want, wantErr := play(t, func(library *LibraryClient, show func(...any)) (string, error) {
					return m.before(t.Context(), library, req, show)
				})
				got, err := play(t, func(library *LibraryClient, show func(...any)) (string, error) {
					client := lro.NewClient(lrogax.Service(library))
					return m.after(t.Context(), library, client, req, show)
				})
				if got != want || err != nil || wantErr != nil || want == "" {
					t.Errorf("after = %q, %v, before = %q, %v", got, err, want, wantErr)
				}
			})
		})
	}
}

// play runs code against a fresh library, and returns what it showed and
// returned.
func play(t *testing.T, code func(library *LibraryClient, show func(...any)) (string, error)) (string, error) {
	t.Helper()
	// Without WaitOperation and with time between, both see the same states.
	srv := lrotest.Server{Without: []lrotest.RPC{lrotest.WaitOperation}}
	srv.Add("publishers/acme/operations/1",
		lrotest.Running(&librarypb.ExportBooksMetadata{ProgressPercent: 10}).For(time.Minute),
		lrotest.Succeeded(&librarypb.ExportBooksResponse{File: "acme.tar"}).
			WithMetadata(&librarypb.ExportBooksMetadata{ProgressPercent: 100}))
	srv.Add("publishers/acme/operations/2",
		lrotest.Running(nil).For(time.Minute),
		lrotest.Failed(codes.ResourceExhausted, "no space left", &errdetails.ErrorInfo{Reason: "DISK_FULL", Domain: "example.com"}))
	srv.Add("publishers/acme/operations/3")
	conn := srv.Dial(func(r grpc.ServiceRegistrar) { librarypb.RegisterLibraryServer(r, acme{}) })
	defer conn.Close()
	library, err := NewLibraryClient(t.Context(), conn.ClientConn())
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	result, err := code(library, func(a ...any) { seen = append(seen, fmt.Sprint(a...)) })
	seen = slices.Compact(append(seen, result)) // before, a state is seen again and again
	return strings.Join(seen, " "), err
}
