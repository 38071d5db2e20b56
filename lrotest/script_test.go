package lrotest_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lrotest"
)

func TestUnused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		steps []lrotest.Step
		asks  int
		later time.Duration
		want  string
	}{
		{"nothing asked", []lrotest.Step{lrotest.Running(nil), lrotest.Succeeded(nil)}, 0, 0, "[Running Succeeded]"},
		{"last not asked", []lrotest.Step{lrotest.Running(nil), lrotest.Succeeded(nil)}, 1, 0, "[Succeeded]"},
		{"all", []lrotest.Step{lrotest.Running(nil), lrotest.Succeeded(nil)}, 2, 0, "[]"},
		{"more than all", []lrotest.Step{lrotest.Running(nil), lrotest.Succeeded(nil)}, 5, 0, "[]"},
		{"some of its times", []lrotest.Step{lrotest.Hang().Times(3), lrotest.Succeeded(nil)}, 0, 0, "[Hang.Times(3) Succeeded]"},
		{"some of its times", []lrotest.Step{lrotest.Running(nil).Times(3), lrotest.Drop()}, 2, 0, "[Running.Times(3) Drop]"},
		{"last has no times", []lrotest.Step{lrotest.Running(nil).Times(3)}, 1, 0, "[]"},
		{"in its time, not asked", []lrotest.Step{lrotest.Running(nil).For(time.Hour), lrotest.Succeeded(nil)}, 0, time.Minute, "[Running.For(1h0m0s) Succeeded]"},
		{"in its time, asked", []lrotest.Step{lrotest.Running(nil).For(time.Hour), lrotest.Succeeded(nil)}, 1, time.Minute, "[Succeeded]"},
		{"after its time, not asked", []lrotest.Step{lrotest.Running(nil).For(time.Hour), lrotest.Succeeded(nil)}, 0, time.Hour, "[Succeeded]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var srv lrotest.Server
				script := srv.Add(name, tt.steps...)
				for range tt.asks {
					get(t, srv.Stub())
				}
				time.Sleep(tt.later)
				if got := fmt.Sprint(script.Unused()); got != tt.want {
					t.Errorf("Unused of %v after %d questions and %v: got %s, want %s", tt.steps, tt.asks, tt.later, got, tt.want)
				}
			})
		})
	}
}

// What a cancellation or Play replaces is not missed, what replaces it is.
func TestUnusedAfterReplacement(t *testing.T) {
	t.Parallel()
	var srv lrotest.Server
	script := srv.Add(name, lrotest.Running(nil), lrotest.Succeeded(nil)).OnCancel(lrotest.Cancelled())
	cancel(t, srv.Stub())
	if got := fmt.Sprint(script.Unused()); got != `[Failed(Canceled, "operation was cancelled")]` {
		t.Errorf("Unused after CancelOperation: %s, want Cancelled", got)
	}
	script.Play(lrotest.Drop(), lrotest.Hang())
	if got := fmt.Sprint(script.Unused()); got != "[Drop Hang]" {
		t.Errorf("Unused after Play: %s, want all of it", got)
	}
}

func TestPlay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		script := srv.Add(name, lrotest.Running(value("a")).For(time.Second), lrotest.Running(value("b")).For(time.Hour), lrotest.Drop())
		stub := srv.Stub()
		time.Sleep(2 * time.Second)
		script.Play(lrotest.Succeeded(value("r")))
		if got := get(t, stub); got != "succeeded r with b" {
			t.Errorf("after Play(Succeeded): %q, want it with the metadata before", got)
		}
		script.Play()
		time.Sleep(time.Hour)
		if got := get(t, stub); got != "running with b" {
			t.Errorf("after Play(): %q, want it to run with the metadata before", got)
		}
		script.Play(lrotest.Running(nil).For(time.Minute), lrotest.Cancelled())
		time.Sleep(59 * time.Second)
		if got := get(t, stub); got != "running" {
			t.Errorf("59s after Play: %q, want running: the time begins with Play", got)
		}
		time.Sleep(time.Second)
		if got := get(t, stub); got != "failed Canceled operation was cancelled" {
			t.Errorf("60s after Play: %q, want cancelled", got)
		}
	})
}

func TestProto(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var srv lrotest.Server
		script := srv.Add(name,
			lrotest.Running(value("a")), lrotest.Hang().For(time.Minute), lrotest.Running(value("b")).For(time.Minute), lrotest.Succeeded(value("r")))
		want := func(when, state string) {
			t.Helper()
			if got := summary(script.Proto(), nil); got != state {
				t.Errorf("Proto %s: %q, want %q", when, got, state)
			}
		}
		want("at first", "running with a")
		get(t, srv.Stub())
		want("during Hang", "running with a")
		time.Sleep(time.Minute)
		want("after Hang", "running with b")
		time.Sleep(time.Minute)
		want("at the end", "succeeded r with b")
		if n := len(script.Calls()); n != 1 {
			t.Errorf("%d calls recorded, want the one GetOperation", n)
		}
	})
}

// A step is a value: what it was made of and what is made of it leave it alone.
func TestStepIsAValue(t *testing.T) {
	t.Parallel()
	m := wrapperspb.String("a")
	running := lrotest.Running(m)
	succeeded := lrotest.Succeeded(nil)
	m.Value = "changed"
	running.For(time.Hour)
	running.WithMetadata(value("b"))
	steps := []lrotest.Step{running, succeeded}
	for range 2 {
		var srv lrotest.Server
		srv.Add(name, steps...)
		for _, want := range []string{"running with a", "done with a"} {
			if got := get(t, srv.Stub()); got != want {
				t.Errorf("GetOperation: %q, want %q", got, want)
			}
		}
	}
	var srv lrotest.Server
	srv.Add(name, steps[1:]...)
	steps[1] = lrotest.Drop()
	if got := get(t, srv.Stub()); got != "done" {
		t.Errorf("a step used before elsewhere: %q, want done without metadata", got)
	}

	packed, err := anypb.New(value("a"))
	if err != nil {
		t.Fatal(err)
	}
	state := lrotest.Running(packed)
	packed.Value = nil
	script := srv.Add("operations/packed", state)
	if got := text(script.Proto().GetMetadata()); got != "a" {
		t.Errorf("metadata whose Any was modified later: %q, want a", got)
	}
}

func TestStepString(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		step lrotest.Step
		want string
	}{
		{lrotest.Step{}, "Running"},
		{lrotest.Running(value("a")).For(90 * time.Second), "Running.For(1m30s)"},
		{lrotest.Succeeded(nil).Times(1), "Succeeded"},
		{lrotest.Failed(codes.DataLoss, "gone"), `Failed(DataLoss, "gone")`},
		{lrotest.PollError(codes.Internal, "x").Times(3), `PollError(Internal, "x").Times(3)`},
		{lrotest.Hang().For(0), "Hang.For(0s)"},
		{lrotest.Drop().For(time.Hour).Times(2), "Drop.Times(2)"},
	} {
		if got := tt.step.String(); got != tt.want {
			t.Errorf("String: got %q, want %q", got, tt.want)
		}
	}
	if got := lrotest.RPC(9).String() + " " + lrotest.RPC(0).String(); got != "RPC(9) RPC(0)" {
		t.Errorf("String of no RPC: %q", got)
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	wantPanic(t, "lrotest: Step.For: -1ns is negative", func() { lrotest.Running(nil).For(-1) })
	wantPanic(t, "lrotest: Step.Times: 0 is less than 1", func() { lrotest.Running(nil).Times(0) })
	wantPanic(t, "lrotest: PollError: the code is OK", func() { lrotest.PollError(codes.OK, "") })
	wantPanic(t, "lrotest: Succeeded: encode *wrapperspb.StringValue: ", func() {
		lrotest.Succeeded(value("\xff"))
	})
}

func wantPanic(t *testing.T, prefix string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got, ok := recover().(string); !ok || !strings.HasPrefix(got, prefix) {
			t.Errorf("panic: got %q, want one that begins with %q", got, prefix)
		}
	}()
	f()
}

func TestOperation(t *testing.T) {
	t.Parallel()
	strings := lro.Method[*wrapperspb.StringValue, *wrapperspb.StringValue]{}
	synctest.Test(t, func(t *testing.T) {
		op := lrotest.Operation(strings,
			lrotest.Running(value("a")).For(time.Hour), lrotest.Running(value("b")).For(time.Hour), lrotest.Succeeded(value("r")))
		if md, ok := op.Metadata(); !ok || md.GetValue() != "a" || op.Done() {
			t.Errorf("at first: metadata (%v, %v), done %v, want a and running", md, ok, op.Done())
		}
		begin := time.Now()
		got, err := op.Wait(t.Context())
		if got.GetValue() != "r" || err != nil || time.Since(begin) != 2*time.Hour {
			t.Errorf("Wait: got (%v, %v) after %v, want r after 2h", got, err, time.Since(begin))
		}

		op = lrotest.Operation(strings)
		if sent, err := op.Cancel(t.Context()); !sent || err != nil {
			t.Errorf("Cancel: got (%v, %v), want a request", sent, err)
		}
		if _, err := op.Wait(t.Context()); !op.Snapshot().Cancelled() {
			t.Errorf("Wait after Cancel: %v, want it cancelled", err)
		}
	})
}
