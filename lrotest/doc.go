// Package lrotest is a scripted service of long-running operations, for tests
// of code that waits for them. It simulates what real services do and tests
// seldom cover: an operation that fails with details after an hour, a network
// that fails for a minute, a call that is never answered, a cancellation that
// takes a while, an answer without a result.
//
// A [Server] has operations, each with a [Script], a list of steps:
//
//   - [Running], [Succeeded], [Failed] and [Cancelled] answer with a state,
//   - [PollError], [Hang] and [Drop] answer without a state.
//
// A step answers one poll, or as many as [Step.Times] says, or all for the time
// of [Step.For]. The last step never ends.
//
// # A test
//
// Say that the code under test waits for a checksum:
//
//	var Checksum = lro.Method[*lropb.ChecksumResponse, *lropb.OperationMetadata]{Name: "example.v1.Files.Checksum"}
//
//	func Digest(ctx context.Context, client *lro.Client, name string) (string, error) {
//		op, err := Checksum.Resume(client, name)
//		if err != nil {
//			return "", err
//		}
//		resp, err := op.Wait(ctx)
//		return resp.GetDigest(), err
//	}
//
// Its test scripts an operation that takes an hour, and takes milliseconds,
// because it runs in a bubble of testing/synctest, where time advances as soon
// as every goroutine waits:
//
//	func TestDigest(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			var srv lrotest.Server
//			script := srv.Add("operations/checksum",
//				lrotest.Running(&lropb.OperationMetadata{ProgressPercent: 40}).For(time.Hour),
//				lrotest.Succeeded(&lropb.ChecksumResponse{Digest: "c0ffee"}),
//			)
//			client := lro.NewClient(srv.Stub())
//
//			got, err := Digest(t.Context(), client, script.Name())
//			if got != "c0ffee" || err != nil {
//				t.Errorf("Digest: got (%q, %v), want c0ffee", got, err)
//			}
//			if left := script.Unused(); len(left) > 0 {
//				t.Errorf("steps not played: %v", left)
//			}
//		})
//	}
//
// [Server.Stub] calls the server directly. [Script.Unused] returns the steps
// that were not played, and [Script.Calls] and [Server.Calls] the calls of the
// code.
//
// The clock of a script starts when it is added. Everything must be made inside the
// bubble, the server included. Without a bubble everything works in real time.
//
// # A failure
//
// Details arrive as the service sends them:
//
//	func TestDigest_diskFull(t *testing.T) {
//		var srv lrotest.Server
//		srv.Add("operations/checksum", lrotest.Failed(codes.ResourceExhausted, "no space left",
//			&errdetails.ErrorInfo{Reason: "DISK_FULL", Domain: "files.example.com"}))
//
//		_, err := Digest(t.Context(), lro.NewClient(srv.Stub()), "operations/checksum")
//		failed, ok := errors.AsType[*lro.OperationError](err)
//		if !ok || failed.Code() != codes.ResourceExhausted {
//			t.Fatalf("Digest: %v, want an OperationError of code ResourceExhausted", err)
//		}
//		if info, _ := lro.Detail[*errdetails.ErrorInfo](err); info.GetReason() != "DISK_FULL" {
//			t.Errorf("reason %q, want DISK_FULL", info.GetReason())
//		}
//	}
//
// Succeeded(nil) is the success without a response that some services send, and
// an *anypb.Any is sent as it is, for a response of the wrong type.
//
// # A flaky network
//
// Errors say nothing about the operation, which continues after them:
//
//	script := srv.Add("operations/checksum",
//		lrotest.Running(nil).For(10*time.Minute),
//		lrotest.PollError(codes.Unavailable, "try again").For(time.Minute),
//		lrotest.Drop(),
//		lrotest.Hang().Times(2),
//		lrotest.Succeeded(&lropb.ChecksumResponse{Digest: "c0ffee"}),
//	)
//
// A WaitOperation that is held back while the operation runs fails as soon as a
// PollError is the current step, or a Drop. What belongs to a method or a header
// rather than to the state of an operation is a matter for Server.OnCall, and
// the methods that a service lacks for Server.Without.
//
// # A hang
//
// A service that takes a call and never answers shows whether a deadline holds:
//
//	func TestDigest_deadline(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			var srv lrotest.Server
//			srv.Add("operations/checksum", lrotest.Hang())
//
//			begin := time.Now()
//			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
//			defer cancel()
//			_, err := Digest(ctx, lro.NewClient(srv.Stub()), "operations/checksum")
//			if !errors.Is(err, context.DeadlineExceeded) {
//				t.Errorf("Digest: %v, want DeadlineExceeded", err)
//			}
//			if took := time.Since(begin); took != time.Minute {
//				t.Errorf("Digest took %v, want 1m", took)
//			}
//		})
//	}
//
// # A cancellation
//
// CancelOperation ends an operation at once as Cancelled. With
// [Script.OnCancel] it can take time, finish first, or ignore the request:
//
//	func Verify(ctx context.Context, client *lro.Client, name string) error {
//		op, err := Checksum.Resume(client, name)
//		if err != nil {
//			return err
//		}
//		_, err = op.Wait(ctx, lro.CancelOnEnd(10*time.Second))
//		return err
//	}
//
//	func TestVerify_cancels(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			var srv lrotest.Server
//			script := srv.Add("operations/checksum").OnCancel(
//				lrotest.Running(&lropb.OperationMetadata{RequestedCancellation: true}).For(5*time.Second),
//				lrotest.Cancelled(),
//			)
//
//			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
//			defer cancel()
//			err := Verify(ctx, lro.NewClient(srv.Stub()), script.Name())
//			failed, ok := errors.AsType[*lro.OperationError](err)
//			if !ok || !failed.Cancelled() {
//				t.Errorf("Verify: %v, want that the operation was cancelled", err)
//			}
//			if n := len(script.Calls(lrotest.CancelOperation)); n != 1 {
//				t.Errorf("Verify made %d cancel requests, want 1", n)
//			}
//		})
//	}
//
// # Progress
//
// Steps that last a time show code that follows the progress one state after
// the other; here Percents collects the percentages of
// [lro.Operation.Progress]. If states follow each other without time between
// them, such code may see only the last.
//
//	var srv lrotest.Server
//	srv.Add("operations/checksum",
//		lrotest.Running(&lropb.OperationMetadata{ProgressPercent: 10}).For(time.Minute),
//		lrotest.Running(&lropb.OperationMetadata{ProgressPercent: 60}).For(time.Minute),
//		lrotest.Succeeded(&lropb.ChecksumResponse{}).
//			WithMetadata(&lropb.OperationMetadata{ProgressPercent: 100}),
//	)
//
//	got, err := Percents(t.Context(), lro.NewClient(srv.Stub()), "operations/checksum")
//	if want := []int32{10, 60, 100}; !slices.Equal(got, want) || err != nil {
//		t.Errorf("Percents: got (%v, %v), want %v", got, err, want)
//	}
//
// # Only an operation
//
// Code that takes an operation gets one in any state from [Operation]:
//
//	func TestSummary(t *testing.T) {
//		for _, tt := range []struct {
//			state lrotest.Step
//			want  string
//		}{
//			{lrotest.Running(nil), "running"},
//			{lrotest.Succeeded(&lropb.ChecksumResponse{Digest: "c0ffee"}), "digest c0ffee"},
//			{lrotest.Failed(codes.Internal, "broken"), "failed"},
//			{lrotest.Cancelled(), "cancelled"},
//		} {
//			if got := Summary(lrotest.Operation(Checksum, tt.state)); got != tt.want {
//				t.Errorf("Summary of %v: got %q, want %q", tt.state, got, tt.want)
//			}
//		}
//	}
//
// # Starting operations
//
// A fake of the method that starts operations adds one to a server and returns its
// [Script.Proto]. The empty name makes a fresh one:
//
//	start := func(_ context.Context, requestID string, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
//		return srv.Add("", lrotest.Succeeded(&lropb.ChecksumResponse{Digest: "c0ffee"})).Proto(), nil
//	}
//
// # Over gRPC and HTTP
//
// Code that brings its own connection or stubs gets a gRPC connection in memory
// from [Server.Dial], on which fakes of other services can stand beside the
// operations:
//
//	conn := srv.Dial()
//	defer conn.Close()
//	client := lro.NewClientConn(conn)
//
// [NewHTTPServer] serves any http.Handler in memory. With that of package lrohttp
// it speaks the protocol's HTTP/JSON:
//
//	handler, err := lrohttp.NewHandler(&srv)
//	if err != nil {
//		t.Fatal(err)
//	}
//	web := lrotest.NewHTTPServer(handler)
//	defer web.Close()
//	service, err := lrohttp.NewClient(web.URL, lrohttp.WithHTTPClient(web.Client()))
//	if err != nil {
//		t.Fatal(err)
//	}
//	client := lro.NewClient(service)
//
// With that of [NewComputeHandler] it is Compute Engine, whose own clients it
// serves.
//
// Both work in a bubble, and Drop really closes their connections. They must be
// closed, or the bubble never ends.
//
// # What a script says, exactly
//
// The current step answers GetOperation at once. It also answers WaitOperation
// at once, except if it is a Running with a time, or the last step: these hold
// the call until a later step answers it, or until its timeout or deadline. So
// a Running that answers a number of polls is the early return that AIP-151
// allows.
//
// A step for a number of polls ends with its last answer, and a step with a
// time ends then, even if nothing polled. The next step begins at that moment.
// The last step never ends; For and Times have no effect on it.
//
// Other states may follow a done one: scripts do not have to make sense. A done
// state has the metadata of the state before it, unless [Step.WithMetadata]
// sets another.
//
// Calls for names that were not added, and after DeleteOperation, are answered
// NOT_FOUND. CancelOperation succeeds also for a done operation. ListOperations
// shows operations in the order in which they were added. None of the three, and
// neither Proto nor Unused, uses up a step.
package lrotest
