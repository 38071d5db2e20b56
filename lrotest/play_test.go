package lrotest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/lrotest"
)

// text is the value of a packed StringValue, or the type of what is none.
func text(packed *anypb.Any) string {
	var v wrapperspb.StringValue
	if packed.UnmarshalTo(&v) != nil {
		return packed.GetTypeUrl()
	}
	return v.GetValue()
}

// Steps that GetOperation meets, one question after the other.
func TestGet(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	foreign := &anypb.Any{TypeUrl: "type.example.com/example.Foreign", Value: []byte{8, 1}}
	type ask struct {
		at   time.Duration // since the script began
		want string
	}
	tests := []struct {
		name  string
		steps []lrotest.Step
		asks  []ask
	}{
		{"no steps", nil, []ask{{0, "running"}, {day, "running"}}},
		{"zero step", []lrotest.Step{{}, lrotest.Succeeded(nil)}, []ask{{0, "running"}, {0, "done"}}},
		{
			"one answer each",
			[]lrotest.Step{lrotest.Running(value("a")), lrotest.Running(value("b")), lrotest.Succeeded(value("r"))},
			[]ask{{0, "running with a"}, {day, "running with b"}, {day, "succeeded r with b"}, {2 * day, "succeeded r with b"}},
		},
		{
			"times",
			[]lrotest.Step{lrotest.Running(nil).Times(2), lrotest.PollError(codes.Internal, "").Times(2), lrotest.Succeeded(value("r"))},
			[]ask{{0, "running"}, {0, "running"}, {0, "error Internal"}, {0, "error Internal"}, {0, "succeeded r"}},
		},
		{
			"for",
			[]lrotest.Step{lrotest.Running(value("a")).For(90 * time.Second), lrotest.Succeeded(value("r"))},
			[]ask{{0, "running with a"}, {89 * time.Second, "running with a"}, {90 * time.Second, "succeeded r with a"}},
		},
		{
			"times without a poll",
			[]lrotest.Step{
				lrotest.Running(value("a")).For(time.Second), lrotest.Running(value("b")).For(time.Second),
				lrotest.Running(nil).For(0), lrotest.Running(value("c")).For(time.Minute), lrotest.Succeeded(value("r")),
			},
			[]ask{{3 * time.Second, "running with c"}, {62 * time.Second, "succeeded r with c"}},
		},
		{
			"a time begins with the last answer before it",
			[]lrotest.Step{lrotest.Running(value("a")), lrotest.Running(value("b")).For(time.Minute), lrotest.Succeeded(value("r"))},
			[]ask{{time.Hour, "running with a"}, {time.Hour + 59*time.Second, "running with b"}, {time.Hour + time.Minute, "succeeded r with b"}},
		},
		{
			"the later of For and Times",
			[]lrotest.Step{lrotest.Running(value("a")).For(time.Hour).Times(1), lrotest.Running(value("b")).Times(5).For(time.Hour), lrotest.Succeeded(nil)},
			[]ask{{0, "running with a"}, {0, "running with b"}, {time.Hour, "done with b"}},
		},
		{"the last step stays", []lrotest.Step{lrotest.PollError(codes.NotFound, "").For(time.Second)}, []ask{{0, "error NotFound"}, {day, "error NotFound"}}},
		{"failed", []lrotest.Step{lrotest.Failed(codes.DataLoss, "gone", value("d1"), value("d2"))}, []ask{{0, "failed DataLoss gone d1 d2"}}},
		{"failed with code 0", []lrotest.Step{lrotest.Failed(codes.OK, "odd")}, []ask{{0, "failed OK odd"}}},
		{"cancelled", []lrotest.Step{lrotest.Cancelled()}, []ask{{0, "failed Canceled operation was cancelled"}}},
		{"foreign types", []lrotest.Step{lrotest.Running(foreign), lrotest.Succeeded(foreign)}, []ask{
			{0, "running with " + foreign.GetTypeUrl()}, {0, "succeeded " + foreign.GetTypeUrl() + " with " + foreign.GetTypeUrl()},
		}},
		{
			"metadata",
			[]lrotest.Step{
				lrotest.Running(value("a")), lrotest.PollError(codes.Aborted, "").WithMetadata(value("x")), lrotest.Failed(codes.Aborted, "f"),
				lrotest.Succeeded(nil).WithMetadata(value("b")), lrotest.Succeeded(nil), lrotest.Running(nil), lrotest.Succeeded(nil),
				lrotest.Step{}.WithMetadata(value("c")), lrotest.Succeeded(nil).WithMetadata(nil), lrotest.Succeeded(value("r")),
			},
			[]ask{
				{0, "running with a"}, {0, "error Aborted"}, {0, "failed Aborted f with a"},
				{0, "done with b"}, {0, "done with b"}, {0, "running"}, {0, "done"},
				{0, "running with c"}, {0, "done"}, {0, "succeeded r"},
			},
		},
		{"drop", []lrotest.Step{lrotest.Drop().Times(2), lrotest.Succeeded(value("r"))}, []ask{{0, "error Unavailable"}, {0, "error Unavailable"}, {0, "succeeded r"}}},
		{"drop for a time", []lrotest.Step{lrotest.Drop().For(time.Hour), lrotest.Succeeded(value("r"))}, []ask{
			{0, "error Unavailable"}, {59 * time.Minute, "error Unavailable"}, {time.Hour, "succeeded r"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubbles(t, func(t *testing.T, tr transport) {
				var srv lrotest.Server
				begin := time.Now()
				script := srv.Add(name, tt.steps...)
				stub := tr.connect(t, &srv)
				for i, ask := range tt.asks {
					time.Sleep(time.Until(begin.Add(ask.at))) // sleep: in a bubble
					if got := get(t, stub); got != ask.want {
						t.Errorf("question %d, after %v: got %q, want %q", i+1, ask.at, got, ask.want)
					}
				}
				if left := script.Unused(); len(left) > 0 {
					t.Errorf("Unused after all questions: %v, want none", left)
				}
			})
		})
	}
}

// Steps that WaitOperation meets.
func TestWait(t *testing.T) {
	t.Parallel()
	type ask struct {
		timeout  time.Duration // 0: none
		deadline time.Duration // of ctx, from the question on; 0: none
		want     string
		took     time.Duration
	}
	tests := []struct {
		name  string
		steps []lrotest.Step
		asks  []ask
	}{
		{
			"held back until the end",
			[]lrotest.Step{lrotest.Running(value("a")).For(time.Minute), lrotest.Running(value("b")).For(time.Minute), lrotest.Succeeded(value("r"))},
			[]ask{
				{timeout: 30 * time.Second, want: "running with a", took: 30 * time.Second},
				{timeout: 30 * time.Second, want: "running with b", took: 30 * time.Second},
				{timeout: time.Hour, want: "succeeded r with b", took: time.Minute},
				{timeout: time.Hour, want: "succeeded r with b"},
			},
		},
		{
			"early return",
			[]lrotest.Step{lrotest.Running(value("a")), lrotest.Running(value("b")), lrotest.Succeeded(value("r"))},
			[]ask{
				{timeout: time.Hour, want: "running with a"}, {timeout: time.Hour, want: "running with b"},
				{timeout: time.Hour, want: "succeeded r with b"},
			},
		},
		{
			"early return after a while",
			[]lrotest.Step{lrotest.Running(nil).For(time.Minute), lrotest.Running(value("a")), lrotest.Succeeded(value("r"))},
			[]ask{{timeout: time.Hour, want: "running with a", took: time.Minute}, {timeout: time.Hour, want: "succeeded r with a"}},
		},
		{"the last step", []lrotest.Step{lrotest.Running(value("a"))}, []ask{
			{timeout: time.Hour, want: "running with a", took: time.Hour},
			{timeout: time.Hour, want: "running with a", took: time.Hour},
		}},
		{
			"error meanwhile",
			[]lrotest.Step{lrotest.Running(nil).For(time.Minute), lrotest.PollError(codes.Internal, ""), lrotest.Succeeded(value("r"))},
			[]ask{{timeout: time.Hour, want: "error Internal", took: time.Minute}, {timeout: time.Hour, want: "succeeded r"}},
		},
		{
			"drop meanwhile",
			[]lrotest.Step{lrotest.Running(nil).For(time.Minute), lrotest.Drop(), lrotest.Succeeded(value("r"))},
			[]ask{{timeout: time.Hour, want: "error Unavailable", took: time.Minute}, {timeout: time.Hour, want: "succeeded r"}},
		},
		{
			"hang meanwhile",
			[]lrotest.Step{lrotest.Running(nil).For(time.Minute), lrotest.Hang(), lrotest.Succeeded(value("r"))},
			[]ask{
				{timeout: 10 * time.Minute, deadline: time.Hour, want: "error DeadlineExceeded", took: time.Hour},
				{timeout: time.Hour, want: "succeeded r"},
			},
		},
		{
			"hang for a time",
			[]lrotest.Step{lrotest.Hang().For(time.Hour), lrotest.Succeeded(value("r"))},
			[]ask{
				{deadline: 59 * time.Minute, want: "error DeadlineExceeded", took: 59 * time.Minute},
				{deadline: 2 * time.Hour, want: "error DeadlineExceeded", took: 2 * time.Hour},
				{timeout: time.Hour, want: "succeeded r"},
			},
		},
		{"until shortly before the deadline", []lrotest.Step{lrotest.Running(nil)}, []ask{
			{deadline: time.Hour, want: "running", took: time.Hour - 200*time.Millisecond},
			{deadline: time.Second, timeout: time.Hour, want: "running", took: 950 * time.Millisecond},
			{deadline: time.Hour, timeout: time.Second, want: "running", took: time.Second},
		}},
		{"negative timeout", []lrotest.Step{lrotest.Running(nil)}, []ask{{timeout: -time.Second, want: "error InvalidArgument"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubbles(t, func(t *testing.T, tr transport) {
				var srv lrotest.Server
				srv.Add(name, tt.steps...)
				stub := tr.connect(t, &srv)
				for i, ask := range tt.asks {
					begin := time.Now()
					ctx, cancel := t.Context(), func() {}
					if ask.deadline != 0 {
						ctx, cancel = context.WithTimeout(ctx, ask.deadline)
					}
					if got := wait(ctx, stub, ask.timeout); got != ask.want {
						t.Errorf("question %d: got %q, want %q", i+1, got, ask.want)
					}
					cancel()
					// The deadline travels in milliseconds over HTTP.
					if took := time.Since(begin).Round(time.Millisecond); took != ask.took {
						t.Errorf("question %d took %v, want %v", i+1, took, ask.took)
					}
				}
			})
		})
	}
}

// In real time too, steps are taken one by one and waits are held back.
func TestRealTime(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, tr transport) {
		var srv lrotest.Server
		begin := time.Now()
		script := srv.Add(name,
			lrotest.Running(value("a")).For(30*time.Millisecond),
			lrotest.Drop(),
			lrotest.PollError(codes.Internal, ""),
			lrotest.Hang(),
			lrotest.Succeeded(value("r")),
		)
		stub := tr.connect(t, &srv)
		if got := wait(t.Context(), stub, time.Hour); got != "error Unavailable" {
			t.Errorf("WaitOperation during Running, then Drop: got %q", got)
		}
		if took := time.Since(begin); took < 30*time.Millisecond {
			t.Errorf("WaitOperation was answered %v after the begin, want 30ms at least", took)
		}
		if got := get(t, stub); got != "error Internal" {
			t.Errorf("GetOperation, PollError: got %q", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		if got := wait(ctx, stub, 0); got != "error DeadlineExceeded" {
			t.Errorf("WaitOperation, Hang: got %q", got)
		}
		if got := get(t, stub); got != "succeeded r with a" {
			t.Errorf("GetOperation, Succeeded: got %q", got)
		}
		if left := script.Unused(); len(left) > 0 {
			t.Errorf("Unused: %v, want none", left)
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		onCancel []lrotest.Step // nil: not called
		want     string         // at once
		later    string         // 6 s later
	}{
		{"default", nil, "failed Canceled operation was cancelled with a", "failed Canceled operation was cancelled with a"},
		{"ignored", []lrotest.Step{}, "running with a", "running with a"},
		{"lost race", []lrotest.Step{lrotest.Succeeded(value("r"))}, "succeeded r with a", "succeeded r with a"},
		{
			"slow", []lrotest.Step{lrotest.Running(value("cancelling")).For(5 * time.Second), lrotest.Cancelled()},
			"running with cancelling", "failed Canceled operation was cancelled with cancelling",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubbles(t, func(t *testing.T, tr transport) {
				var srv lrotest.Server
				script := srv.Add(name, lrotest.Running(value("a")).For(time.Hour), lrotest.Succeeded(value("r")))
				if tt.onCancel != nil {
					script.OnCancel(tt.onCancel...)
				}
				stub := tr.connect(t, &srv)
				cancel(t, stub)
				if got := get(t, stub); got != tt.want {
					t.Errorf("after CancelOperation: got %q, want %q", got, tt.want)
				}
				time.Sleep(3 * time.Second) // sleep: in a bubble
				cancel(t, stub)             // the second has no effect
				time.Sleep(3 * time.Second) // sleep: in a bubble
				if got := get(t, stub); got != tt.later {
					t.Errorf("6s later: got %q, want %q", got, tt.later)
				}
			})
		})
	}
}

func TestCancelDone(t *testing.T) {
	t.Parallel()
	var srv lrotest.Server
	srv.Add(name, lrotest.Succeeded(value("r"))).OnCancel(lrotest.Drop())
	cancel(t, srv.Stub())
	if got := get(t, srv.Stub()); got != "succeeded r" {
		t.Errorf("CancelOperation of what is done: then %q, want it unchanged", got)
	}
}

// A call that is held back sees what a cancellation, Play or a deletion does.
func TestHeldBackIsWoken(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		do   func(t *testing.T, stub longrunningpb.OperationsClient, script *lrotest.Script)
		want string
	}{
		{
			"cancel", func(t *testing.T, stub longrunningpb.OperationsClient, _ *lrotest.Script) { cancel(t, stub) },
			"failed Canceled operation was cancelled",
		},
		{
			"play", func(_ *testing.T, _ longrunningpb.OperationsClient, script *lrotest.Script) {
				script.Play(lrotest.Succeeded(value("r")))
			},
			"succeeded r",
		},
		{
			"delete", func(t *testing.T, stub longrunningpb.OperationsClient, _ *lrotest.Script) {
				if _, err := stub.DeleteOperation(t.Context(), &longrunningpb.DeleteOperationRequest{Name: name}); err != nil {
					t.Errorf("DeleteOperation: %v", err)
				}
			},
			"error NotFound",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubbles(t, func(t *testing.T, tr transport) {
				var srv lrotest.Server
				script := srv.Add(name)
				stub := tr.connect(t, &srv)
				begin := time.Now()
				answer := make(chan string, 1)
				go func() { answer <- wait(t.Context(), stub, time.Hour) }()
				time.Sleep(time.Minute) // sleep: in a bubble
				synctest.Wait()
				tt.do(t, stub, script)
				if got := <-answer; got != tt.want {
					t.Errorf("WaitOperation: got %q, want %q", got, tt.want)
				}
				if took := time.Since(begin); took != time.Minute {
					t.Errorf("WaitOperation took %v, want 1m", took)
				}
			})
		})
	}
}
