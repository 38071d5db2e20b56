package lrotest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lrohttp"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/lrotest"
)

// Checksum is the method that the code under test waits for.
var Checksum = lro.Method[*lropb.ChecksumResponse, *lropb.OperationMetadata]{Name: "example.v1.Files.Checksum"}

// Digest is the code under test.
func Digest(ctx context.Context, client *lro.Client, name string) (string, error) {
	op, err := Checksum.Resume(client, name)
	if err != nil {
		return "", err
	}
	resp, err := op.Wait(ctx)
	return resp.GetDigest(), err
}

// An operation that runs for a while and succeeds. In a bubble of
// testing/synctest the while may be hours.
func Example() {
	var srv lrotest.Server
	script := srv.Add("operations/checksum",
		lrotest.Running(&lropb.OperationMetadata{ProgressPercent: 40}).For(20*time.Millisecond),
		lrotest.Succeeded(&lropb.ChecksumResponse{Digest: "c0ffee"}),
	)
	client := lro.NewClient(srv.Stub())

	fmt.Println(Digest(context.Background(), client, "operations/checksum"))
	fmt.Println("not played:", script.Unused())
	// Output:
	// c0ffee <nil>
	// not played: []
}

// An operation that fails, with a detail that says why.
func ExampleFailed() {
	var srv lrotest.Server
	srv.Add("operations/checksum", lrotest.Failed(codes.ResourceExhausted, "no space left",
		&errdetails.ErrorInfo{Reason: "DISK_FULL", Domain: "files.example.com"}))

	_, err := Digest(context.Background(), lro.NewClient(srv.Stub()), "operations/checksum")
	failed, ok := errors.AsType[*lro.OperationError](err)
	fmt.Println(ok, failed.Code(), failed.Message())
	info, _ := lro.Detail[*errdetails.ErrorInfo](err)
	fmt.Println(info.GetReason())
	// Output:
	// true ResourceExhausted no space left
	// DISK_FULL
}

// A network that fails in several ways before the answer comes through.
func ExamplePollError() {
	var srv lrotest.Server
	script := srv.Add("operations/checksum",
		lrotest.PollError(codes.Unavailable, "try again").Times(2),
		lrotest.Drop(),
		lrotest.Succeeded(&lropb.ChecksumResponse{Digest: "c0ffee"}),
	)
	client := lro.NewClient(srv.Stub(), lro.WithPolicy(lro.Policy{FirstPoll: time.Millisecond}))

	fmt.Println(Digest(context.Background(), client, "operations/checksum"))
	fmt.Println("not played:", script.Unused())
	// Output:
	// c0ffee <nil>
	// not played: []
}

// A service that stops answering, and code that has a deadline.
func ExampleHang() {
	var srv lrotest.Server
	srv.Add("operations/checksum", lrotest.Hang())

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err := Digest(ctx, lro.NewClient(srv.Stub()), "operations/checksum")
	_, stopped := errors.AsType[*lro.WaitError](err)
	fmt.Println(stopped, errors.Is(err, context.DeadlineExceeded))
	// Output: true true
}

// Code that gives up must cancel what it started.
func ExampleScript_OnCancel() {
	var srv lrotest.Server
	script := srv.Add("operations/checksum").OnCancel(
		lrotest.Running(&lropb.OperationMetadata{RequestedCancellation: true}).For(10*time.Millisecond),
		lrotest.Cancelled(),
	)
	op, err := Checksum.Resume(lro.NewClient(srv.Stub()), script.Name())
	if err != nil {
		fmt.Println(err)
		return
	}

	_, err = op.CancelAndWait(context.Background())
	fmt.Println(err)
	fmt.Println("cancel requests:", len(script.Calls(lrotest.CancelOperation)))
	// Output:
	// operation "operations/checksum" was cancelled: operation was cancelled
	// cancel requests: 1
}

// Each Running that has no time answers one question.
func ExampleRunning() {
	op := lrotest.Operation(Checksum,
		lrotest.Running(&lropb.OperationMetadata{ProgressPercent: 10}).Times(2),
		lrotest.Running(&lropb.OperationMetadata{ProgressPercent: 60}),
		lrotest.Succeeded(&lropb.ChecksumResponse{Digest: "c0ffee"}).
			WithMetadata(&lropb.OperationMetadata{ProgressPercent: 100}),
	)
	for !op.Done() {
		s, err := op.Poll(context.Background())
		md, _ := s.Metadata()
		fmt.Println(md.GetProgressPercent(), s.Done(), err)
	}
	// Output:
	// 10 false <nil>
	// 10 false <nil>
	// 60 false <nil>
	// 100 true <nil>
}

// A fake of the service whose method starts the operations returns what Proto
// does. It may implement the client interface generated for the service, or the
// server interface, to be registered beside the operations by Dial.
func ExampleScript_Proto() {
	var srv lrotest.Server
	start := func(_ context.Context, requestID string, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
		return srv.Add("", lrotest.Succeeded(&lropb.ChecksumResponse{Digest: "c0ffee"})).Proto(), nil
	}

	op, err := Checksum.Start(context.Background(), lro.NewClient(srv.Stub()), start)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := op.Wait(context.Background())
	fmt.Println(op.Name(), resp.GetDigest(), err)
	// Output: operations/1 c0ffee <nil>
}

// Script.Play puts the test in charge of when things happen.
func ExampleScript_Play() {
	var srv lrotest.Server
	script := srv.Add("operations/checksum") // runs until told otherwise
	client := lro.NewClient(srv.Stub())
	op, err := Checksum.Resume(client, script.Name())
	if err != nil {
		fmt.Println(err)
		return
	}
	end := op.Await(context.Background())
	script.Play(lrotest.Succeeded(&lropb.ChecksumResponse{Digest: "c0ffee"}))
	outcome := <-end
	fmt.Println(outcome.Result.GetDigest(), outcome.Err)
	// Output: c0ffee <nil>
}

// An OnCall function has a say before the script: here a service that wants to
// be asked rarely, and that fails to cancel.
func ExampleServer() {
	srv := lrotest.Server{
		Without: []lrotest.RPC{lrotest.WaitOperation},
		OnCall: func(ctx context.Context, c lrotest.Call) error {
			if c.RPC == lrotest.CancelOperation {
				return status.Error(codes.PermissionDenied, "not yours")
			}
			return grpc.SetHeader(ctx, metadata.Pairs("retry-after", "60"))
		},
	}
	srv.Add("operations/checksum")
	client := lro.NewClient(srv.Stub())

	var header metadata.MD
	_, err := srv.Stub().GetOperation(context.Background(),
		&longrunningpb.GetOperationRequest{Name: "operations/checksum"}, grpc.Header(&header))
	fmt.Println(header["retry-after"], err)
	fmt.Println(client.Cancel(context.Background(), "operations/checksum"))
	// Output:
	// [60] <nil>
	// cancel operation "operations/checksum": rpc error: code = PermissionDenied desc = not yours
}

// The same script over gRPC: for code that brings its own stubs and options.
func ExampleServer_Dial() {
	var srv lrotest.Server
	srv.Add("operations/checksum", lrotest.Drop(), lrotest.Succeeded(&lropb.ChecksumResponse{Digest: "c0ffee"}))
	conn := srv.Dial()
	defer conn.Close()

	fmt.Println(Digest(context.Background(), lro.NewClientConn(conn), "operations/checksum"))
	// Output: c0ffee <nil>
}

// Code that takes an operation needs no server to be tested.
func ExampleOperation() {
	running := lrotest.Operation(Checksum, lrotest.Running(&lropb.OperationMetadata{ProgressPercent: 40}))
	succeeded := lrotest.Operation(Checksum, lrotest.Succeeded(&lropb.ChecksumResponse{Digest: "c0ffee"}))
	cancelled := lrotest.Operation(Checksum, lrotest.Cancelled())

	md, _ := running.Metadata()
	fmt.Println(running.Done(), md.GetProgressPercent())
	resp, err := succeeded.Result()
	fmt.Println(succeeded.Done(), resp.GetDigest(), err)
	fmt.Println(cancelled.Done(), cancelled.Snapshot().Cancelled())
	// Output:
	// false 40
	// true c0ffee <nil>
	// true true
}

// The calls of the code under test are recorded.
func ExampleServer_Calls() {
	var srv lrotest.Server
	srv.Add("operations/checksum", lrotest.Running(nil), lrotest.Succeeded(&lropb.ChecksumResponse{}))
	client := lro.NewClient(srv.Stub(), lro.WithLongPolls(0))

	_, err := Digest(context.Background(), client, "operations/checksum")
	fmt.Println(err)
	for _, call := range srv.Calls() {
		fmt.Println(call.RPC, call.Name, call.Metadata["x-goog-request-params"])
	}
	fmt.Println("deletes:", len(srv.Calls(lrotest.DeleteOperation)))
	// Output:
	// <nil>
	// GetOperation operations/checksum [name=operations%2Fchecksum]
	// GetOperation operations/checksum [name=operations%2Fchecksum]
	// deletes: 0
}

// The same script over HTTP/JSON.
func ExampleNewHTTPServer() {
	var srv lrotest.Server
	srv.Add("operations/checksum", lrotest.Drop(), lrotest.Succeeded(&lropb.ChecksumResponse{Digest: "c0ffee"}))
	handler, err := lrohttp.NewHandler(&srv)
	if err != nil {
		fmt.Println(err)
		return
	}
	web := lrotest.NewHTTPServer(handler)
	defer web.Close()
	service, err := lrohttp.NewClient(web.URL, lrohttp.WithHTTPClient(web.Client()))
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(Digest(context.Background(), lro.NewClient(service), "operations/checksum"))
	// Output: c0ffee <nil>
}
