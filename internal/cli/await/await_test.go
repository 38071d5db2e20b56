package await

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/internal/cli/dial"
	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/lrotest"
)

// run is one run of the command against a scripted service.
type run struct {
	out, err string
	status   int
	failure  error
	took     time.Duration
}

// recorder is a stream that many may write to.
type recorder struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// wait runs "lro wait" with args, which are flags and names.
func wait(ctx context.Context, srv *lrotest.Server, stdin string, args ...string) run {
	return command(ctx, "wait", srv, stdin, args...)
}

func command(ctx context.Context, verb string, srv *lrotest.Server, stdin string, args ...string) run {
	var out, stderr recorder
	streams := &term.IO{In: strings.NewReader(stdin), Out: &out, Err: &stderr}
	o := &Options{Lines: verb == "watch"}
	took, failure := execute(ctx, verb, o, srv, streams, args)
	return run{out.String(), stderr.String(), exit.Of(failure), failure, took}
}

func execute(ctx context.Context, verb string, o *Options, srv *lrotest.Server, streams *term.IO, args []string) (time.Duration, error) {
	begin := time.Now()
	cmd := &cobra.Command{
		Use: verb, SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, args []string) error { return o.Run(cmd.Context(), streams, args) },
	}
	o.AddTo(cmd, streams, 2*time.Second)
	o.Service = &dial.Service{OperationsClient: srv.Stub(), Target: "SERVICE"}
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	return time.Since(begin), err
}

// text is what the command ends with on standard error.
func (r run) text() string {
	if r.failure == nil || exit.IsSilent(r.failure) {
		return ""
	}
	return r.failure.Error()
}

// events are the lines of --output json.
func (r run) events(t *testing.T) []Event {
	t.Helper()
	var all []Event
	for line := range strings.Lines(r.out) {
		var e Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, e)
	}
	return all
}

func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func TestNeverReached(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		srv := &lrotest.Server{}
		srv.Add("operations/x", lrotest.PollError(codes.Unavailable, `connection error: desc = "transport: refused"`))
		r := wait(t.Context(), srv, "", "operations/x")
		if r.status != exit.Unknown || r.text() != `wait for operation "operations/x" at SERVICE: UNAVAILABLE: refused` {
			t.Errorf("wait for a service that is not there: status %d, %q", r.status, r.text())
		}
		if r.took < firstContact || r.took > firstContact+time.Second {
			t.Errorf("wait for a service that is not there took %v, want about %v", r.took, firstContact)
		}
		if want := "no answer at SERVICE: UNAVAILABLE: refused; trying again\n"; !strings.HasPrefix(r.err, want) || strings.Count(r.err, "refused") != 1 {
			t.Errorf("wait for a service that is not there said %q, want %q once", r.err, want)
		}
	})
	bubble(t, func(t *testing.T) {
		srv := &lrotest.Server{}
		srv.Add("operations/x", lrotest.Hang())
		r := wait(t.Context(), srv, "", "--output", "json", "operations/x")
		if r.status != exit.Unknown || r.text() != `wait for operation "operations/x" at SERVICE: no answer within 10s` {
			t.Errorf("wait for a service that hangs: status %d, %q", r.status, r.text())
		}
		events := r.events(t)
		if len(events) != 1 || events[0].Event != "stopped" || *events[0].Exit != exit.Unknown || events[0].Operation != nil {
			t.Errorf("wait for a service that hangs: events %s, want that it stopped", r.out)
		}
	})
}

func TestServiceGoesAway(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		srv := &lrotest.Server{}
		srv.Add("operations/x",
			lrotest.Running(nil).Times(2),
			lrotest.PollError(codes.Unavailable, "restarting").For(time.Hour),
			lrotest.Running(nil).For(time.Minute),
			lrotest.Succeeded(wrapperspb.String("late")))
		r := wait(t.Context(), srv, "", "operations/x")
		if r.status != exit.Done || !strings.Contains(r.out, `"value": "late"`) {
			t.Errorf("wait for a service that was away: status %d\n%s%s", r.status, r.out, r.err)
		}
		for _, want := range []string{"no answer at SERVICE: UNAVAILABLE: restarting; trying again\n", "SERVICE answers again\n"} {
			if strings.Count(r.err, want) != 1 {
				t.Errorf("wait for a service that was away said\n%s\nwant %q once", r.err, want)
			}
		}
	})
}

// TestTroubleIsNamed: what comes back is called what it is.
func TestTroubleIsNamed(t *testing.T) {
	t.Parallel()
	for code, want := range map[codes.Code]string{
		codes.Unavailable:       "no answer at SERVICE: UNAVAILABLE: why; trying again\nSERVICE answers again\n",
		codes.Internal:          "no state at SERVICE: INTERNAL: why; trying again\nSERVICE answers again\n",
		codes.ResourceExhausted: "no state at SERVICE: RESOURCE_EXHAUSTED: why; trying again\n2s  no state, trying again\nSERVICE answers again\n",
		codes.NotFound:          "",
	} {
		bubble(t, func(t *testing.T) {
			srv := &lrotest.Server{}
			srv.Add("operations/x", lrotest.PollError(code, "why").Times(2), lrotest.Succeeded(nil))
			if r := wait(t.Context(), srv, "", "operations/x"); r.status != exit.Done || r.err != want {
				t.Errorf("wait through %v: status %d, said %q, want %q", code, r.status, r.err, want)
			}
		})
	}
	bubble(t, func(t *testing.T) {
		srv := &lrotest.Server{}
		srv.Add("operations/x", lrotest.PollError(codes.PermissionDenied, "why"))
		if r := wait(t.Context(), srv, "", "operations/x"); r.status != exit.Unknown || r.err != "" {
			t.Errorf("wait for what is refused: status %d, said %q before its end, want nothing", r.status, r.err)
		}
	})
}

// TestDeadlineIsNoTrouble: a service that says just before --timeout that time is
// up, as it was told, has not gone away.
func TestDeadlineIsNoTrouble(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		begin := time.Now()
		srv := &lrotest.Server{OnCall: func(context.Context, lrotest.Call) error {
			if left := time.Minute - 10*time.Millisecond - time.Since(begin); left < 2*time.Second {
				time.Sleep(left) // sleep: in a bubble
				return status.Error(codes.DeadlineExceeded, "time is up")
			}
			return nil
		}}
		srv.Add("operations/x")
		if r := wait(t.Context(), srv, "", "--timeout", "1m", "operations/x"); r.status != exit.TimedOut || strings.Contains(r.err, "no answer") {
			t.Errorf("wait: status %d, said %q before its end, want %d and no trouble", r.status, r.err, exit.TimedOut)
		}
	})
}

// TestLongPollEndsWithError: a long poll that ends with an error at its timeout,
// by the service or by a proxy that cuts silent calls, is no outage while the
// service answers otherwise.
func TestLongPollEndsWithError(t *testing.T) {
	t.Parallel()
	for _, code := range []codes.Code{codes.DeadlineExceeded, codes.Unavailable, codes.Canceled} {
		for _, after := range []time.Duration{2 * time.Second, 1500 * time.Millisecond} {
			bubble(t, func(t *testing.T) {
				srv := &lrotest.Server{OnCall: func(_ context.Context, call lrotest.Call) error {
					if call.RPC != lrotest.WaitOperation {
						return nil
					}
					time.Sleep(after) // sleep: in a bubble
					return status.Error(code, "why")
				}}
				srv.Add("operations/x", lrotest.Running(nil).For(25*time.Second), lrotest.Succeeded(nil))
				r := wait(t.Context(), srv, "", "operations/x")
				if r.status != exit.Done || strings.Contains(r.err, "trying again") || len(srv.Calls(lrotest.WaitOperation)) == 0 {
					t.Errorf("wait through long polls that end with %v after %v: status %d, said %q", code, after, r.status, r.err)
				}
			})
		}
	}
}

// TestOutageBetweenLongPolls: a service that goes away is noticed by the poll
// after the long poll.
func TestOutageBetweenLongPolls(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		begin := time.Now()
		srv := &lrotest.Server{OnCall: func(_ context.Context, call lrotest.Call) error {
			if at := time.Since(begin); at > 10*time.Second && at < 20*time.Second {
				return status.Error(codes.Unavailable, "down")
			}
			return nil
		}}
		srv.Add("operations/x", lrotest.Running(nil).For(25*time.Second), lrotest.Succeeded(nil))
		r := wait(t.Context(), srv, "", "operations/x")
		if r.status != exit.Done || strings.Count(r.err, "no answer at SERVICE: UNAVAILABLE: down; trying again\n") != 1 {
			t.Errorf("wait through an outage: status %d, said %q, want it once", r.status, r.err)
		}
	})
}

// TestLastLine: where progress is printed as lines, the last one says that all
// operations have ended.
func TestLastLine(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		srv := &lrotest.Server{}
		srv.Add("operations/x", lrotest.Running(nil).For(30*time.Second), lrotest.Succeeded(nil))
		srv.Add("operations/y", lrotest.Running(nil).For(30*time.Second), lrotest.Succeeded(nil))
		r := wait(t.Context(), srv, "", "operations/x", "operations/y")
		lines := strings.Split(strings.TrimSpace(r.err), "\n")
		if last := lines[len(lines)-1]; r.status != exit.Done || !strings.HasPrefix(last, "100%  2/2 operations  ") {
			t.Errorf("wait for two operations: status %d, said %q; want a last line with all of them", r.status, r.err)
		}
	})
}

func TestGone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		srv := &lrotest.Server{}
		srv.Add("operations/x", lrotest.Running(nil).Times(3), lrotest.PollError(codes.NotFound, "what?"))
		r := wait(t.Context(), srv, "", "operations/x")
		if r.status != exit.Unknown || !strings.Contains(exit.HintOf(r.failure), "it was deleted, or has expired") {
			t.Errorf("wait for an operation that was deleted: status %d, %q, hint %q", r.status, r.text(), exit.HintOf(r.failure))
		}
	})
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	add := func(srv *lrotest.Server) {
		srv.Add("operations/ok", lrotest.Running(nil).For(time.Minute), lrotest.Succeeded(wrapperspb.String("fine")))
		srv.Add("operations/bare", lrotest.Succeeded(nil))
		srv.Add("operations/failed", lrotest.Failed(codes.DataLoss, "broken"))
		srv.Add("operations/zero", lrotest.Failed(codes.OK, "odd"))
		srv.Add("operations/cancelled", lrotest.Running(nil).For(30*time.Second), lrotest.Cancelled())
		srv.Add("operations/stuck")
	}
	tests := []struct {
		args   []string
		status int
		took   time.Duration // at least
	}{
		{[]string{"operations/ok"}, exit.Done, time.Minute},
		{[]string{"operations/bare"}, exit.Done, 0},
		{[]string{"operations/failed"}, exit.Failed, 0},
		{[]string{"operations/zero"}, exit.Failed, 0},
		{[]string{"operations/cancelled"}, exit.Cancelled, 30 * time.Second},
		{[]string{"operations/ok", "operations/ok"}, exit.Done, time.Minute},
		{[]string{"operations/ok", "operations/cancelled"}, exit.Cancelled, time.Minute},
		{[]string{"operations/cancelled", "operations/failed", "operations/ok"}, exit.Failed, time.Minute},
		{[]string{"operations/failed", "operations/nonsense", "operations/ok"}, exit.Unknown, time.Minute},
		{[]string{"--any", "operations/stuck", "operations/ok", "operations/cancelled"}, exit.Cancelled, 30 * time.Second},
		{[]string{"--any", "operations/nonsense", "operations/ok"}, exit.Done, time.Minute},
		{[]string{"--any", "operations/nonsense"}, exit.Unknown, 0},
		{[]string{"--timeout", "1h", "operations/ok", "operations/stuck", "operations/failed"}, exit.TimedOut, time.Hour},
		{[]string{"--timeout", "1h", "operations/nonsense", "operations/stuck"}, exit.TimedOut, time.Hour},
		{[]string{"--timeout", "1h", "--any", "operations/stuck"}, exit.TimedOut, time.Hour},
	}
	for _, tt := range tests {
		for _, format := range []string{"text", "json"} {
			for _, verb := range []string{"wait", "watch"} {
				t.Run(strings.Join(append([]string{verb, format}, tt.args...), " "), func(t *testing.T) {
					t.Parallel()
					bubble(t, func(t *testing.T) {
						srv := &lrotest.Server{}
						add(srv)
						r := command(t.Context(), verb, srv, "", append([]string{"--output", format}, tt.args...)...)
						if r.status != tt.status {
							t.Errorf("status %d, want %d\n%s%s", r.status, tt.status, r.out, r.err)
						}
						if r.took < tt.took || r.took > tt.took+5*time.Second {
							t.Errorf("took %v, want %v and not much more", r.took, tt.took)
						}
						if format == "json" {
							checkOutcomes(t, r, tt.args)
						}
					})
				})
			}
		}
	}
}

// checkOutcomes checks that every name has one last event, with --any at least
// one of them.
func checkOutcomes(t *testing.T, r run, args []string) {
	t.Helper()
	ends := map[string]int{}
	for _, e := range r.events(t) {
		name := e.Name
		if e.Operation != nil {
			name = e.Operation.Name
		}
		if e.Event == "progress" {
			if ends[name] > 0 {
				t.Errorf("%s made progress after its end:\n%s", name, r.out)
			}
			continue
		}
		ends[name]++
		if e.Exit == nil {
			t.Errorf("an end without an exit status:\n%s", r.out)
		}
	}
	if slices.Contains(args, "--any") {
		return
	}
	for _, name := range args {
		if strings.HasPrefix(name, "operations/") && ends[name] != 1 {
			t.Errorf("%s has %d ends, want 1:\n%s", name, ends[name], r.out)
		}
	}
}

// TestLastLook: an operation that ends just before the timeout is not reported
// as running, also by a service that has only GetOperation.
func TestLastLook(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		srv := &lrotest.Server{Without: []lrotest.RPC{lrotest.WaitOperation}}
		srv.Add("operations/x", lrotest.Running(nil).For(59900*time.Millisecond), lrotest.Succeeded(nil))
		r := wait(t.Context(), srv, "", "--timeout", "1m", "--interval", "30s", "operations/x")
		if r.status != exit.Done || r.took > time.Minute+time.Second {
			t.Errorf("status %d after %v, want that it has succeeded\n%s", r.status, r.took, r.err)
		}
	})
}

func TestProgressEvents(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		at := func(percent int32) lrotest.Step {
			return lrotest.Running(&lropb.OperationMetadata{ProgressPercent: percent}).For(time.Minute)
		}
		srv := &lrotest.Server{}
		srv.Add("operations/x", at(10), at(10), at(60), lrotest.Succeeded(nil))
		r := wait(t.Context(), srv, "", "--output", "json", "operations/x")
		var got []int
		for _, e := range r.events(t) {
			if e.Event == "progress" {
				got = append(got, *e.Operation.Progress.Percent)
			}
		}
		if want := []int{10, 60}; !slices.Equal(got, want) {
			t.Errorf("progress %v, want each change once: %v", got, want)
		}
		if n := len(srv.Calls(lrotest.GetOperation, lrotest.WaitOperation)); n < 90 || n > 100 {
			t.Errorf("%d calls in three minutes, want about one every two seconds", n)
		}
	})
}

// TestLinesDiffer: "lro watch" prints no line twice because metadata changed
// that the line does not have.
func TestLinesDiffer(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		at := func(percent int32, second int64) lrotest.Step {
			return lrotest.Running(&lropb.OperationMetadata{ProgressPercent: percent, UpdateTime: &timestamppb.Timestamp{Seconds: second}}).For(10 * time.Second)
		}
		srv := &lrotest.Server{}
		srv.Add("operations/x", at(10, 1), at(10, 2), at(20, 3), at(10, 4), lrotest.Succeeded(nil))
		r := command(t.Context(), "watch", srv, "", "operations/x")
		var got []string
		for line := range strings.Lines(r.out) {
			_, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  operations/x  ")
			got = append(got, text)
		}
		if want := []string{"RUNNING  10%", "RUNNING  20%", "RUNNING  10%", "SUCCEEDED"}; !slices.Equal(got, want) {
			t.Errorf("watch printed %q, want %q", got, want)
		}
	})
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		onCancel []lrotest.Step
		flag     bool
		status   int
		took     time.Duration
		calls    int
	}{
		{"leaves it", nil, false, exit.Interrupted, 0, 0},
		{"cancels", []lrotest.Step{lrotest.Cancelled()}, true, exit.Cancelled, 0, 1},
		{"cancels, slowly", []lrotest.Step{lrotest.Running(nil).For(20 * time.Second), lrotest.Cancelled()}, true, exit.Cancelled, 20 * time.Second, 1},
		{"loses the race", []lrotest.Step{lrotest.Succeeded(nil)}, true, exit.Done, 0, 1},
		{"is ignored", []lrotest.Step{}, true, exit.Interrupted, cancelGrace, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				srv := &lrotest.Server{}
				script := srv.Add("operations/x")
				script.OnCancel(tt.onCancel...)
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Minute, func() { cancel(exit.ErrInterrupted) })
				args := []string{"operations/x"}
				if tt.flag {
					args = append(args, "--cancel-on-interrupt")
				}
				r := wait(ctx, srv, "", args...)
				if r.status != tt.status {
					t.Errorf("status %d, want %d: %s\n%s", r.status, tt.status, r.text(), r.err)
				}
				if took := r.took - time.Minute; took < tt.took || took > tt.took+5*time.Second {
					t.Errorf("stopped %v after the signal, want %v", took, tt.took)
				}
				if n := len(script.Calls(lrotest.CancelOperation)); n != tt.calls {
					t.Errorf("%d calls of CancelOperation, want %d", n, tt.calls)
				}
				if tt.status == exit.Interrupted && exit.HintOf(r.failure) != "to resume waiting: lro wait operations/x" {
					t.Errorf("hint %q, want how to go on", exit.HintOf(r.failure))
				}
			})
		})
	}
}

func TestManyNames(t *testing.T) {
	t.Parallel()
	n := 100_000
	if raceEnabled {
		n = 3_000 // the detector makes each of them ten times as dear
	}
	bubble(t, func(t *testing.T) {
		srv := &lrotest.Server{}
		var names strings.Builder
		for i := range n {
			step := lrotest.Succeeded(nil)
			if i == n-1 {
				step = lrotest.Failed(codes.Internal, "the last")
			}
			fmt.Fprintln(&names, srv.Add("", step).Name())
		}
		r := wait(t.Context(), srv, names.String(), "-")
		if r.status != exit.Failed || strings.Count(r.out, "\n") != n {
			t.Errorf("wait for %d names: status %d with %d lines, want %d", n, r.status, strings.Count(r.out, "\n"), exit.Failed)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(exit.ErrInterrupted) })
		r = wait(ctx, srv, names.String(), "-")
		hint, left := exit.HintOf(r.failure), n-strings.Count(r.out, "\n")
		if want := "to resume waiting: lro wait -  # with the " + term.Count(int64(left)) + " names that are left, one a line"; hint != want {
			t.Errorf("hint %q, want %q", hint, want)
		}
	})
}

func TestHugeMetadata(t *testing.T) {
	t.Parallel()
	size := 10 << 20
	if raceEnabled {
		size = 1 << 20
	}
	big := &lropb.OperationMetadata{StatusMessage: strings.Repeat("x\x1b[2J", size/5), ProgressPercent: 50}
	foreign := &anypb.Any{TypeUrl: "type.googleapis.com/example.Big", Value: bytes.Repeat([]byte{0xff}, size)}
	for _, format := range []string{"text", "json"} {
		bubble(t, func(t *testing.T) {
			srv := &lrotest.Server{}
			srv.Add("operations/x", lrotest.Running(big).For(5*time.Second), lrotest.Succeeded(foreign).WithMetadata(big))
			r := wait(t.Context(), srv, "", "--output", format, "operations/x")
			if r.status != exit.Done || len(r.out) < size {
				t.Errorf("%s: status %d and %d bytes, want all", format, r.status, len(r.out))
			}
			if len(r.err) > 1<<10 {
				t.Errorf("%s: %d bytes about progress, want lines", format, len(r.err))
			}
			if strings.Contains(r.out+r.err, "\x1b") {
				t.Errorf("%s: a control character came through", format)
			}
		})
	}
}

// Where there is no progress to tell, a line of a log has the state.
func TestLineWithoutProgress(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		srv := &lrotest.Server{}
		srv.Add("operations/x", lrotest.Running(nil))
		r := wait(t.Context(), srv, "", "--timeout", "9s", "operations/x")
		if want := "2s  RUNNING\n"; !strings.HasPrefix(r.err, want) || strings.Count(r.err, "s  RUNNING\n") != strings.Count(r.err, "\n") {
			t.Errorf("wait without progress printed %q, want lines such as %q", r.err, want)
		}
	})
}

// A few names are repeated in the line that goes on, which then needs no input.
func TestResumeNamesFromInput(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{
		1: "to resume waiting: lro wait operations/1",
		5: "to resume waiting: lro wait operations/1 operations/2 operations/3 operations/4 operations/5",
		6: "to resume waiting: lro wait -  # with the 6 names that are left, one a line",
	} {
		bubble(t, func(t *testing.T) {
			srv := &lrotest.Server{}
			var names strings.Builder
			for range n {
				fmt.Fprintln(&names, srv.Add("", lrotest.Running(nil)).Name())
			}
			r := wait(t.Context(), srv, names.String(), "--timeout", "1s", "-")
			if got := exit.HintOf(r.failure); got != want {
				t.Errorf("hint for %d names %q, want %q", n, got, want)
			}
		})
	}
}

// brokenPipe fails like a pipe whose reader has gone.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, fmt.Errorf("write: %w", syscall.EPIPE) }

func TestBrokenPipe(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"wait", "watch"} {
		for _, format := range []string{"text", "json"} {
			bubble(t, func(t *testing.T) {
				srv := &lrotest.Server{}
				for range 100 {
					srv.Add("", lrotest.Succeeded(nil))
				}
				var names strings.Builder
				for i := range 100 {
					fmt.Fprintf(&names, "operations/%d\n", i+1)
				}
				streams := &term.IO{In: strings.NewReader(names.String()), Out: brokenPipe{}, Err: io.Discard}
				_, err := execute(t.Context(), verb, &Options{Lines: verb == "watch"}, srv, streams, []string{"--output", format, "-"})
				if !errors.Is(err, syscall.EPIPE) || !exit.IsSilent(err) {
					t.Errorf("%s %s into a broken pipe: %v, want it to end quietly", verb, format, err)
				}
			})
		}
	}
}
