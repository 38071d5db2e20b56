package faulttest

import (
	"context"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/internal/cutproxy"
	"github.com/go-lro/lro/temporal/internal/testserver"
)

// TestCutConnection cuts a worker off from Temporal, past its lease, and lets it
// come back: another worker has taken its operation, and it runs others again.
func TestCutConnection(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3*time.Second, testserver.Options{})
	s := c.server()
	between, err := cutproxy.Start(c.temporal.HostPort())
	must(t, err)
	t.Cleanup(between.Close)
	first := c.workerAt(between.Address())
	name := s.start("cut", 8*time.Second)
	eventually(t, "the operation has run for a second", func() bool { return s.metadata(name).GetProgress().GetDone() >= 10 })
	between.Cut()
	second := c.worker()
	eventually(t, "another worker runs the operation", func() bool { return s.metadata(name).GetAttempt() > 1 })
	eventually(t, "the first worker knows that it has lost its lease", func() bool { return first.leaseLosses() == 1 })
	between.Restore()
	// Temporal may give the operation to a poll of the first worker that it does
	// not know to be cut off, and again when the lease of that has ended.
	resp := s.succeeds(name, "cut")
	t.Logf("the operation took %d attempts", resp.GetAttempts())
	if resp.GetAttempts() < 2 {
		t.Errorf("response = %v, want that of a later attempt than the first", resp)
	}
	second.leave()
	s.succeeds(s.start("after", time.Second), "after")
}

// refusedTakes is how long the operation takes whose start is refused.
const refusedTakes = time.Second

// TestTemporalAway has a Temporal service that is down, and one that does not
// answer: callers learn that it is unavailable and when to ask again, and those
// who wait get their result when it is back.
func TestTemporalAway(t *testing.T) {
	t.Parallel()
	testserver.Required(t)
	ways := map[string]struct {
		leave, back func(t *testing.T, s *testserver.Server)
	}{
		"down": {
			func(_ *testing.T, s *testserver.Server) { s.Kill() },
			func(t *testing.T, s *testserver.Server) { s.Restart(t) },
		},
		"silent": {
			func(t *testing.T, s *testserver.Server) { must(t, s.Pause()) },
			func(t *testing.T, s *testserver.Server) { must(t, s.Resume()) },
		},
	}
	for way, temporal := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, 10*time.Second, testserver.Options{OnDisk: true})
			s := c.server()
			c.worker()
			name := s.start("away", 8*time.Second)
			eventually(t, "the operation runs", func() bool { return s.metadata(name).GetProgress().GetDone() >= 5 })
			waited := make(chan error, 1)
			go func() { // ends with its own limit at the latest
				_, err := s.wait(name)
				waited <- err
			}()

			temporal.leave(t, c.temporal)
			unavailable(t, "StartOperation", func(ctx context.Context) error {
				_, err := s.try(ctx, "refused", refusedTakes)
				return err
			})
			unavailable(t, "GetOperation", func(ctx context.Context) error {
				_, err := s.operations.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
				return err
			})
			select {
			case err := <-waited:
				t.Errorf("Wait() while Temporal was away = %v, want it to go on", err)
			default:
			}
			temporal.back(t, c.temporal)
			if err := <-waited; err != nil {
				t.Errorf("Wait() when Temporal was back = %v, want nil", err)
			}
			s.succeeds(name, "away")
			// It may have been started although that was not acknowledged.
			s.succeeds(startInTheEnd(t, s, "refused", refusedTakes), "refused")
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// unavailable fails the test unless call is answered with UNAVAILABLE and when
// to try again.
func unavailable(t *testing.T, what string, call func(ctx context.Context) error) {
	t.Helper()
	eventually(t, what+" is refused", func() bool { // what is under way may still be answered
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		begin := time.Now()
		err := call(ctx)
		if err == nil {
			return false
		}
		st := status.Convert(err)
		if st.Code() != codes.Unavailable {
			t.Fatalf("%s: %v, want %v", what, err, codes.Unavailable)
		}
		for _, detail := range st.Details() {
			if info, ok := detail.(*errdetails.RetryInfo); ok {
				t.Logf("%s: %v after %v, to be repeated after %v", what, st.Code(), time.Since(begin).Round(time.Millisecond), info.GetRetryDelay().AsDuration())
				return true
			}
		}
		t.Fatalf("%s: %v with details %v, want RetryInfo", what, err, st.Details())
		return false
	})
}
