package lroext

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/computeop"
	"github.com/go-lro/lro/lrotest"
)

// An operation of every scope is waited for by its selfLink, whose host and
// version do not matter.
func TestWait(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]string{
		zonal:                                   "https://www.googleapis.com/compute/v1/" + zonal,
		"projects/p/regions/r/operations/x":     "https://compute.googleapis.com/compute/beta/projects/p/regions/r/operations/x",
		"projects/p/global/operations/x":        "https://evil.example/compute/alpha/projects/p/global/operations/x",
		"projects/e.com:p/zones/z/operations/x": "https://www.googleapis.com/compute/v1/projects/e.com%3Ap/zones/z/operations/x",
		org:                                     org,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var srv lrotest.Server
				srv.Add(name, lrotest.Running(running(40)).For(time.Minute), lrotest.Succeeded(&computeop.Operation{TargetLink: new("t")}))
				client, _ := serve(t, &srv)
				op := resume(t, client, link)
				if op.Name() != name {
					t.Errorf("name %q, want %q", op.Name(), name)
				}
				done, err := op.Wait(t.Context())
				if err != nil || done.GetTargetLink() != "t" || done.GetStatus() != computeop.Operation_DONE {
					t.Errorf("Wait = %v, %v, want the done operation", done, err)
				}
				if again, err := Resume[*computeop.Operation](client, op.Token()); err != nil || again.Name() != name {
					t.Errorf("Resume by token: %v, %v", again, err)
				}
			})
		})
	}
}

// Compute's Wait has no timeout of its own: the call ends after the requested
// timeout. It is the long poll of every scope but that of organizations, whose lack
// of it does not switch off the others' long polls.
func TestLongPoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		steps := []lrotest.Step{lrotest.Running(running(1)).For(100 * time.Second), lrotest.Succeeded(nil)}
		byOrg, byZone := srv.Add(org, steps...), srv.Add(zonal, steps...)
		client, _ := serve(t, &srv, plain)
		if _, err := resume(t, client, org).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(byOrg.Calls(lrotest.WaitOperation)); n != 0 {
			t.Errorf("%d calls of Wait for an organization's operation, want none", n)
		}
		byZone.Play(steps...)
		begin := time.Now()
		if _, err := resume(t, client, zonal).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if late := time.Since(begin) - 100*time.Second; late > 100*time.Millisecond {
			t.Errorf("end found %v late, want at once", late)
		}
		waits := byZone.Calls(lrotest.WaitOperation)
		if len(waits) != 4 {
			t.Errorf("%d calls of Wait, want one for each 30 s", len(waits))
		}
		for i := range len(waits) - 1 {
			if d := waits[i+1].Time.Sub(waits[i].Time); d < 30*time.Second || d > 31*time.Second {
				t.Errorf("calls of Wait %v apart, want 30 s", d)
			}
		}
	})
}

// A wrapper that hides which operations can be waited for costs them no call
// more than the schedule, and the others no long poll.
func TestLongPollWrapped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		steps := []lrotest.Step{lrotest.Running(running(1)).For(100 * time.Second), lrotest.Succeeded(nil)}
		byOrg, byZone := srv.Add(org, steps...), srv.Add(zonal, steps...)
		web := lrotest.NewHTTPServer(lrotest.NewComputeHandler(&srv))
		defer web.Close()
		service, err := NewHTTPService[*computeop.Operation](web.URL+"/compute/v1", web.Client())
		if err != nil {
			t.Fatal(err)
		}
		client := lro.NewClient(struct{ longrunningpb.OperationsClient }{lro.Stub{Service: service}}, plain)
		if _, err := resume(t, client, org).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(byOrg.Calls()); n > 40 {
			t.Errorf("%d calls, want about as many as by polling", n)
		}
		byZone.Play(steps...)
		if _, err := resume(t, client, zonal).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(byZone.Calls(lrotest.WaitOperation)); n < 4 {
			t.Errorf("%d calls of Wait, want long polls", n)
		}
	})
}

// A scope whose Wait the server does not have is polled, the others are not.
func TestWaitRefusedInOneScope(t *testing.T) {
	t.Parallel()
	for _, code := range []codes.Code{codes.Unimplemented, codes.NotFound, codes.PermissionDenied} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const regional = "projects/p/regions/r/operations/x"
				srv := &lrotest.Server{}
				srv.OnCall = func(_ context.Context, c lrotest.Call) error {
					if c.RPC == lrotest.WaitOperation && c.Name == regional {
						return status.Error(code, "no")
					}
					return nil
				}
				steps := []lrotest.Step{lrotest.Running(running(1)).For(100 * time.Second), lrotest.Succeeded(nil)}
				byRegion, byZone := srv.Add(regional, steps...), srv.Add(zonal, steps...)
				client, _ := serve(t, srv, plain)
				for range 4 { // more than the client's own doubts need
					byRegion.Play(steps...)
					if _, err := resume(t, client, regional).Wait(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if n := len(byRegion.Calls(lrotest.WaitOperation)); n != 1 {
					t.Errorf("%d calls of the Wait that is refused, want 1", n)
				}
				byZone.Play(steps...)
				if _, err := resume(t, client, zonal).Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				if n := len(byZone.Calls(lrotest.WaitOperation)); n < 3 {
					t.Errorf("%d calls of the other scope's Wait, want long polls", n)
				}
			})
		})
	}
}

// Callers that watch see the progress while Wait would still hold its answer.
func TestProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		srv.Add(zonal, lrotest.Running(running(10)).For(30*time.Second), lrotest.Running(running(60)).For(30*time.Second), lrotest.Succeeded(nil))
		client, _ := serve(t, &srv)
		var seen []int32
		for s, err := range resume(t, client, zonal).Progress(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			m, ok := s.Metadata()
			if !ok {
				t.Fatal(s.MetadataErr())
			}
			seen = append(seen, m.GetProgress())
		}
		if want := []int32{10, 60, 60}; !slices.Equal(seen, want) {
			t.Errorf("progress %v, want %v", seen, want)
		}
	})
}

// A poll that fails is never the failure of the operation, whatever its HTTP
// status, and Retry-After is followed.
func TestPollErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		srv.Add(zonal, lrotest.PollError(codes.Unavailable, "away").Times(2), lrotest.PollError(codes.ResourceExhausted, "quota"),
			lrotest.Drop(), lrotest.PollError(codes.Internal, "oops"), lrotest.Succeeded(nil))
		client, _ := serve(t, &srv)
		if _, err := resume(t, client, zonal).Wait(t.Context()); err != nil {
			t.Errorf("Wait: %v", err)
		}

		srv.Add("projects/p/global/operations/secret", lrotest.PollError(codes.PermissionDenied, "not yours"))
		_, err := resume(t, client, "projects/p/global/operations/secret").Wait(t.Context())
		if _, failed := errors.AsType[*lro.OperationError](err); failed || status.Code(err) != codes.PermissionDenied {
			t.Errorf("Wait: %v, want a *WaitError of code PERMISSION_DENIED", err)
		}
		if _, err = resume(t, client, "projects/p/global/operations/none").Wait(t.Context()); !errors.Is(err, lro.ErrNotFound) {
			t.Errorf("Wait: %v, want ErrNotFound", err)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		web := lrotest.NewHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if calls++; calls == 1 {
				w.Header().Set("Retry-After", "60")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			_, _ = w.Write([]byte(`{"name": "x", "status": "DONE"}`))
		}))
		defer web.Close()
		begin := time.Now()
		if _, err := resume(t, clientOf(t, web.URL, web.Client()), zonal).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < time.Minute {
			t.Errorf("polled again after %v, want 1m", took)
		}
	})
}
