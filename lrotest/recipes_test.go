package lrotest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lrohttp"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/lrotest"
)

// These are the recipes of doc.go; TestDocIsTested compares them.

func TestDigest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		script := srv.Add("operations/checksum",
			lrotest.Running(&lropb.OperationMetadata{ProgressPercent: 40}).For(time.Hour),
			lrotest.Succeeded(&lropb.ChecksumResponse{Digest: "c0ffee"}),
		)
		client := lro.NewClient(srv.Stub())

		got, err := Digest(t.Context(), client, script.Name())
		if got != "c0ffee" || err != nil {
			t.Errorf("Digest: got (%q, %v), want c0ffee", got, err)
		}
		if left := script.Unused(); len(left) > 0 {
			t.Errorf("steps not played: %v", left)
		}
	})
}

func TestDigest_diskFull(t *testing.T) {
	var srv lrotest.Server
	srv.Add("operations/checksum", lrotest.Failed(codes.ResourceExhausted, "no space left",
		&errdetails.ErrorInfo{Reason: "DISK_FULL", Domain: "files.example.com"}))

	_, err := Digest(t.Context(), lro.NewClient(srv.Stub()), "operations/checksum")
	failed, ok := errors.AsType[*lro.OperationError](err)
	if !ok || failed.Code() != codes.ResourceExhausted {
		t.Fatalf("Digest: %v, want an OperationError of code ResourceExhausted", err)
	}
	if info, _ := lro.Detail[*errdetails.ErrorInfo](err); info.GetReason() != "DISK_FULL" {
		t.Errorf("reason %q, want DISK_FULL", info.GetReason())
	}
}

func TestDigest_flakyNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		script := srv.Add("operations/checksum",
			lrotest.Running(nil).For(10*time.Minute),
			lrotest.PollError(codes.Unavailable, "try again").For(time.Minute),
			lrotest.Drop(),
			lrotest.Hang().Times(2),
			lrotest.Succeeded(&lropb.ChecksumResponse{Digest: "c0ffee"}),
		)

		got, err := Digest(t.Context(), lro.NewClient(srv.Stub()), script.Name())
		if got != "c0ffee" || err != nil {
			t.Errorf("Digest: got (%q, %v), want c0ffee", got, err)
		}
		if left := script.Unused(); len(left) > 0 {
			t.Errorf("steps not played: %v", left)
		}
	})
}

func TestDigest_deadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		srv.Add("operations/checksum", lrotest.Hang())

		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := Digest(ctx, lro.NewClient(srv.Stub()), "operations/checksum")
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Digest: %v, want DeadlineExceeded", err)
		}
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("Digest took %v, want 1m", took)
		}
	})
}

// Verify is code under test that cancels what it has no time for.
func Verify(ctx context.Context, client *lro.Client, name string) error {
	op, err := Checksum.Resume(client, name)
	if err != nil {
		return err
	}
	_, err = op.Wait(ctx, lro.CancelOnEnd(10*time.Second))
	return err
}

func TestVerify_cancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		script := srv.Add("operations/checksum").OnCancel(
			lrotest.Running(&lropb.OperationMetadata{RequestedCancellation: true}).For(5*time.Second),
			lrotest.Cancelled(),
		)

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := Verify(ctx, lro.NewClient(srv.Stub()), script.Name())
		failed, ok := errors.AsType[*lro.OperationError](err)
		if !ok || !failed.Cancelled() {
			t.Errorf("Verify: %v, want that the operation was cancelled", err)
		}
		if n := len(script.Calls(lrotest.CancelOperation)); n != 1 {
			t.Errorf("Verify made %d cancel requests, want 1", n)
		}
	})
}

// Percents is code under test that follows the progress.
func Percents(ctx context.Context, client *lro.Client, name string) ([]int32, error) {
	op, err := Checksum.Resume(client, name)
	if err != nil {
		return nil, err
	}
	var seen []int32
	for s, err := range op.Progress(ctx) {
		if err != nil {
			return seen, err
		}
		md, _ := s.Metadata()
		seen = append(seen, md.GetProgressPercent())
	}
	return seen, nil
}

func TestPercents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		srv.Add("operations/checksum",
			lrotest.Running(&lropb.OperationMetadata{ProgressPercent: 10}).For(time.Minute),
			lrotest.Running(&lropb.OperationMetadata{ProgressPercent: 60}).For(time.Minute),
			lrotest.Succeeded(&lropb.ChecksumResponse{}).
				WithMetadata(&lropb.OperationMetadata{ProgressPercent: 100}),
		)

		got, err := Percents(t.Context(), lro.NewClient(srv.Stub()), "operations/checksum")
		if want := []int32{10, 60, 100}; !slices.Equal(got, want) || err != nil {
			t.Errorf("Percents: got (%v, %v), want %v", got, err, want)
		}
	})
}

// Summary is code under test that takes an operation.
func Summary(op *lro.Operation[*lropb.ChecksumResponse, *lropb.OperationMetadata]) string {
	switch resp, err := op.Result(); {
	case err == nil:
		return "digest " + resp.GetDigest()
	case op.Snapshot().Cancelled():
		return "cancelled"
	case op.Done():
		return "failed"
	}
	return "running"
}

func TestSummary(t *testing.T) {
	for _, tt := range []struct {
		state lrotest.Step
		want  string
	}{
		{lrotest.Running(nil), "running"},
		{lrotest.Succeeded(&lropb.ChecksumResponse{Digest: "c0ffee"}), "digest c0ffee"},
		{lrotest.Failed(codes.Internal, "broken"), "failed"},
		{lrotest.Cancelled(), "cancelled"},
	} {
		if got := Summary(lrotest.Operation(Checksum, tt.state)); got != tt.want {
			t.Errorf("Summary of %v: got %q, want %q", tt.state, got, tt.want)
		}
	}
}

func TestDigest_overGRPC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		srv.Add("operations/checksum",
			lrotest.Running(nil).For(time.Hour),
			lrotest.Succeeded(&lropb.ChecksumResponse{Digest: "c0ffee"}),
		)
		conn := srv.Dial()
		defer conn.Close()
		client := lro.NewClientConn(conn)

		if got, err := Digest(t.Context(), client, "operations/checksum"); got != "c0ffee" || err != nil {
			t.Errorf("Digest: got (%q, %v), want c0ffee", got, err)
		}
	})
}

func TestDigest_overHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		srv.Add("operations/checksum",
			lrotest.Running(nil).For(time.Hour),
			lrotest.Succeeded(&lropb.ChecksumResponse{Digest: "c0ffee"}),
		)
		handler, err := lrohttp.NewHandler(&srv)
		if err != nil {
			t.Fatal(err)
		}
		web := lrotest.NewHTTPServer(handler)
		defer web.Close()
		service, err := lrohttp.NewClient(web.URL, lrohttp.WithHTTPClient(web.Client()))
		if err != nil {
			t.Fatal(err)
		}
		client := lro.NewClient(service)

		if got, err := Digest(t.Context(), client, "operations/checksum"); got != "c0ffee" || err != nil {
			t.Errorf("Digest: got (%q, %v), want c0ffee", got, err)
		}
	})
}
