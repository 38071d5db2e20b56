package lro

import (
	"math"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func mustPolicy(t testing.TB, p Policy) *Policy {
	t.Helper()
	p, err := p.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return &p
}

// Each row is one decision: what is known, what happened, what follows.
func TestDecide(t *testing.T) {
	t.Parallel()
	p := mustPolicy(t, Policy{Jitter: -1})
	fail := func(c codes.Code) error { return status.Error(c, "x") }
	const ms = time.Millisecond
	for _, test := range []struct {
		name  string
		state pollState
		obs   observation
		want  decision // err is not compared
		after func(pollState) bool
	}{
		{name: "started", obs: observation{call: beginOfWait}, want: decision{action: doGet, after: 100 * ms}},
		{name: "started a while ago", obs: observation{call: beginOfWait, elapsed: 30 * ms, age: 30 * ms}, want: decision{action: doGet, after: 70 * ms}},
		{name: "started long ago", obs: observation{call: beginOfWait, elapsed: time.Hour, age: time.Hour}, want: decision{action: doGet}},
		{name: "polled before", obs: observation{call: beginOfWait, elapsed: 5 * time.Second, age: time.Second}, want: decision{action: doGet, after: 300 * ms}},
		{name: "started, learned", obs: observation{call: beginOfWait, learned: 4 * time.Second}, want: decision{action: doGet, after: 4 * time.Second}},
		{name: "polled before, learned", obs: observation{call: beginOfWait, elapsed: 5 * time.Second, age: time.Second, learned: 3 * time.Second, polls: 2},
			want: decision{action: doGet, after: 2 * time.Second}},
		{name: "resumed", obs: observation{call: beginOfWait, age: -1, longPoll: true}, want: decision{action: doGet}},
		{name: "started, long poll", obs: observation{call: beginOfWait, longPoll: true}, want: decision{action: doWait, timeout: 30 * time.Second}},
		{name: "started, long poll, watched", obs: observation{call: beginOfWait, longPoll: true, watched: true},
			want: decision{action: doWait, timeout: 100 * ms}},

		{name: "running", obs: observation{call: calledGet, elapsed: 4 * time.Second}, want: decision{action: doGet, after: 1300 * ms}},
		{name: "running, at most", obs: observation{call: calledGet, elapsed: time.Hour}, want: decision{action: doGet, after: 20 * time.Second}},
		{name: "running, hint", obs: observation{call: calledGet, hint: time.Minute}, want: decision{action: doGet, after: time.Minute}},
		{name: "running, hint beats long poll", obs: observation{call: calledGet, longPoll: true, hint: time.Minute}, want: decision{action: doGet, after: time.Minute}},
		{name: "running, aim", obs: observation{call: calledGet, aim: 3 * time.Second}, want: decision{action: doGet, after: 3 * time.Second}},
		{name: "running, hint beats aim", obs: observation{call: calledGet, aim: 3 * time.Second, hint: time.Second}, want: decision{action: doGet, after: time.Second}},
		{name: "running, learned", obs: observation{call: calledGet, elapsed: 40 * time.Second, learned: 7 * time.Second, polls: 3},
			want: decision{action: doGet, after: 7 * time.Second}},
		{name: "running, learned, no polls left", obs: observation{call: calledGet, elapsed: p.plainAt(9), learned: ms, polls: 11},
			want: decision{action: doGet, after: p.plainAt(10) - p.plainAt(9)}},
		{name: "running, learned, first second full", obs: observation{call: calledGet, elapsed: 950 * ms, learned: ms, polls: 5},
			want: decision{action: doGet, after: 50 * ms}},
		{name: "running, learned, in a later second", obs: observation{call: calledGet, elapsed: time.Minute, learned: ms, polls: 5},
			want: decision{action: doGet, after: 200 * ms}},
		{name: "running, learned, watched", obs: observation{call: calledGet, elapsed: 4 * time.Second, learned: 7 * time.Second, watched: true},
			want: decision{action: doGet, after: 1300 * ms}},
		{name: "running, learned, watched, no polls left", obs: observation{call: calledGet, elapsed: p.plainAt(9), learned: ms, polls: 12, watched: true},
			want: decision{action: doGet, after: p.interval(p.plainAt(9))}},
		{name: "running, hint beats learned", obs: observation{call: calledGet, hint: time.Minute, learned: time.Second}, want: decision{action: doGet, after: time.Minute}},
		{name: "running, aim beats learned", obs: observation{call: calledGet, aim: 3 * time.Second, learned: time.Second}, want: decision{action: doGet, after: 3 * time.Second}},
		{name: "running, long poll", obs: observation{call: calledGet, longPoll: true}, want: decision{action: doWait, timeout: 30 * time.Second}},
		{name: "a new wait forgives", state: pollState{failed: 4, kind: soft}, obs: observation{call: beginOfWait, age: -1}, want: decision{action: doGet},
			after: func(s pollState) bool { return s.failed == 0 }},
		{name: "success forgives", state: pollState{failed: 4, kind: soft}, obs: observation{call: calledGet}, want: decision{action: doGet, after: 100 * ms},
			after: func(s pollState) bool { return s.failed == 0 && s.seen }},

		{name: "long poll over", obs: observation{call: calledWait, longPoll: true, asked: 30 * time.Second, took: 30 * time.Second},
			want: decision{action: doWait, timeout: 30 * time.Second}},
		{name: "long poll at once", obs: observation{call: calledWait, longPoll: true, asked: 30 * time.Second, took: 10 * ms},
			want: decision{action: doWait, after: 90 * ms, timeout: 30 * time.Second}},
		{name: "long poll after a while", obs: observation{call: calledWait, elapsed: time.Minute, longPoll: true, asked: 30 * time.Second, took: 5 * time.Second},
			want: decision{action: doWait, timeout: 30 * time.Second}},
		{name: "long poll, no more budget", obs: observation{call: calledWait, asked: 30 * time.Second, took: 30 * time.Second},
			want: decision{action: doGet, after: 100 * ms}},
		{name: "long poll, hint", obs: observation{call: calledWait, longPoll: true, asked: time.Second, took: time.Second, hint: time.Minute},
			want: decision{action: doWait, after: time.Minute, timeout: 30 * time.Second}},

		{name: "done", obs: observation{call: calledGet, done: true}, want: decision{action: doFinish}},
		{name: "done, first by long poll", obs: observation{call: calledWait, done: true, decodes: true}, want: decision{action: doGet},
			after: func(s pollState) bool { return s.check == confirm }},
		{name: "done by trusted long poll", obs: observation{call: calledWait, done: true, decodes: true, trusted: true}, want: decision{action: doFinish}},
		{name: "done by trusted long poll, unreadable", obs: observation{call: calledWait, done: true, trusted: true}, want: decision{action: doGet}},
		{name: "confirmed", state: pollState{check: confirm}, obs: observation{call: calledGet, done: true}, want: decision{action: doFinish}},
		{name: "denied", state: pollState{check: confirm}, obs: observation{call: calledGet, longPoll: true},
			want: decision{action: doGet, after: 100 * ms, noLongPoll: forever}},
		{name: "gone before confirmed", state: pollState{check: confirm, seen: true}, obs: observation{call: calledGet, err: fail(codes.NotFound)}, want: decision{action: doFinish}},
		{name: "unavailable before confirmed", state: pollState{check: confirm}, obs: observation{call: calledGet, err: fail(codes.Unavailable)}, want: decision{action: doGet, after: 100 * ms},
			after: func(s pollState) bool { return s.check == confirm }},

		{name: "long poll unimplemented", obs: observation{call: calledWait, err: fail(codes.Unimplemented)}, want: decision{action: doGet, noLongPoll: forever}},
		{name: "long poll refused", obs: observation{call: calledWait, err: fail(codes.PermissionDenied)}, want: decision{action: doGet},
			after: func(s pollState) bool { return s.check == suspect }},
		{name: "long poll was the cause", state: pollState{check: suspect}, obs: observation{call: calledGet, longPoll: true},
			want: decision{action: doGet, after: 100 * ms, noLongPoll: longPollPause}, after: func(s pollState) bool { return s.check == nothing }},
		{name: "long poll timed out as error", obs: observation{call: calledWait, asked: time.Second, took: time.Second, err: fail(codes.DeadlineExceeded)}, want: decision{action: doGet}},
		{name: "long poll timed out as error, a little early", obs: observation{call: calledWait, asked: 10 * time.Second, took: 9 * time.Second, err: fail(codes.DeadlineExceeded)}, want: decision{action: doGet}},
		{name: "long poll ended early by a deadline elsewhere", obs: observation{call: calledWait, asked: 10 * time.Second, took: 8 * time.Second, err: fail(codes.DeadlineExceeded)}, want: decision{action: doGet, after: 100 * ms}},
		{name: "long poll lost", obs: observation{call: calledWait, asked: time.Minute, took: time.Second, err: fail(codes.Unavailable)}, want: decision{action: doGet, after: 100 * ms}},
		{name: "long poll reset", obs: observation{call: calledWait, asked: time.Minute, took: time.Second, err: fail(codes.Internal)}, want: decision{action: doGet, after: 100 * ms}},
		{name: "interrupted", obs: observation{call: interrupted}, want: decision{action: doGet}},

		{name: "unavailable", state: pollState{failed: 100}, obs: observation{call: calledGet, err: fail(codes.Unavailable)}, want: decision{action: doGet, after: 100 * ms}},
		{name: "unavailable ends a row", state: pollState{failed: 5, kind: soft}, obs: observation{call: calledGet, err: fail(codes.Unavailable)}, want: decision{action: doGet, after: 100 * ms},
			after: func(s pollState) bool { return s.kind == transient && s.failed == 1 }},
		{name: "unavailable, learned", obs: observation{call: calledGet, elapsed: 4 * time.Second, err: fail(codes.Unavailable), learned: 10 * time.Second},
			want: decision{action: doGet, after: 1300 * ms}},
		{name: "unavailable, hint", obs: observation{call: calledGet, err: fail(codes.Unavailable), hint: time.Minute}, want: decision{action: doGet, after: time.Minute}},
		{name: "over quota", state: pollState{failed: 100}, obs: observation{call: calledGet, elapsed: 4 * time.Second, err: fail(codes.ResourceExhausted)}, want: decision{action: doGet, after: 1300 * ms}},
		{name: "internal", state: pollState{failed: 4, kind: soft}, obs: observation{call: calledGet, elapsed: time.Hour, err: fail(codes.Internal)}, want: decision{action: doGet, after: 20 * time.Second}},
		{name: "internal too often, but not for long", state: pollState{failed: 100, kind: soft, since: 34 * time.Second}, obs: observation{call: calledGet, elapsed: time.Minute, err: fail(codes.Internal)}, want: decision{action: doGet, after: 18100 * ms}},
		{name: "internal too often and too long", state: pollState{failed: 5, kind: soft, since: 30 * time.Second}, obs: observation{call: calledGet, elapsed: time.Minute, err: fail(codes.Internal)}, want: decision{action: doFail}},
		{name: "not found yet", state: pollState{failed: 9, kind: missing}, obs: observation{call: calledGet, elapsed: 2 * time.Second, err: fail(codes.NotFound)}, want: decision{action: doGet, after: 700 * ms}},
		{name: "not found for too long", state: pollState{failed: 1, kind: missing}, obs: observation{call: calledGet, elapsed: 3 * time.Second, err: fail(codes.NotFound)}, want: decision{action: doFail}},
		{name: "not found late, first", obs: observation{call: calledGet, elapsed: time.Hour, err: fail(codes.NotFound)}, want: decision{action: doGet, after: 20 * time.Second}},
		{name: "gone", state: pollState{seen: true}, obs: observation{call: calledGet, elapsed: time.Minute, err: fail(codes.NotFound)}, want: decision{action: doFail}},
		{name: "gone early, once", state: pollState{seen: true}, obs: observation{call: calledGet, elapsed: 4 * time.Second, err: fail(codes.NotFound)}, want: decision{action: doGet, after: 1300 * ms}},
		{name: "gone early, twice", state: pollState{seen: true, failed: 1, kind: missing}, obs: observation{call: calledGet, elapsed: 4 * time.Second, err: fail(codes.NotFound)}, want: decision{action: doFail}},
		{name: "too large", obs: observation{call: calledGet, err: &callError{status: status.New(codes.ResourceExhausted, "x"), permanent: true}}, want: decision{action: doFail}},
		{name: "too large for a long poll", obs: observation{call: calledWait, err: &callError{status: status.New(codes.ResourceExhausted, "x"), permanent: true}}, want: decision{action: doFail}},
		{name: "long poll that worked is missing", obs: observation{call: calledWait, trusted: true, err: fail(codes.Unimplemented)}, want: decision{action: doGet},
			after: func(s pollState) bool { return s.check == suspect }},
		{name: "denied for good", obs: observation{call: calledGet, err: fail(codes.PermissionDenied)}, want: decision{action: doFail}},
		{name: "data loss", obs: observation{call: calledGet, err: fail(codes.DataLoss)}, want: decision{action: doFail}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, got := p.next(test.state, test.obs)
			if (got.err != nil) != (test.want.action == doFail) {
				t.Errorf("next: error %v for action %d", got.err, got.action)
			}
			got.err = nil
			if got != test.want {
				t.Errorf("next = %+v, want %+v", got, test.want)
			}
			if test.after != nil && !test.after(s) {
				t.Errorf("state afterwards is %+v", s)
			}
		})
	}
}

func TestPolicyDefaults(t *testing.T) {
	t.Parallel()
	zero := mustPolicy(t, Policy{})
	if zero.NextPoll != nil || zero.FirstPoll != 100*time.Millisecond || zero.MaxInterval != 20*time.Second ||
		zero.Multiplier != 1.3 || zero.Jitter != 0.1 || zero.AttemptTimeout != 20*time.Second ||
		zero.LongPoll != 30*time.Second || zero.SoftErrors != 5 || zero.SoftErrorTime != 30*time.Second || zero.NotFoundGrace != 3*time.Second {
		t.Errorf("the zero Policy is %+v", zero)
	}
	if p := mustPolicy(t, Policy{MaxInterval: time.Millisecond}); p.FirstPoll != time.Millisecond {
		t.Errorf("FirstPoll is %v, more than MaxInterval", p.FirstPoll)
	}
	ages := Policy{FirstPoll: forever, MaxInterval: forever, AttemptTimeout: forever, LongPoll: forever, SoftErrorTime: forever, NotFoundGrace: forever}
	if p := mustPolicy(t, ages); p.LongPoll+p.AttemptTimeout < 0 || p.jittered(p.interval(forever), 1) < 0 || p.jittered(p.MaxInterval, 1) > p.MaxInterval {
		t.Errorf("the longest durations overflow: %+v", p)
	}
	none := mustPolicy(t, Policy{Jitter: -1, LongPoll: -1, SoftErrors: -1, SoftErrorTime: -1, NotFoundGrace: -1})
	if none.Jitter != 0 || none.LongPoll > 0 || none.SoftErrors > 0 || none.SoftErrorTime > 0 || none.NotFoundGrace > 0 {
		t.Errorf("negative means none, but is %+v", none)
	}
	for _, bad := range []Policy{
		{FirstPoll: -1}, {MaxInterval: -1}, {AttemptTimeout: -1}, {Multiplier: 0.9}, {Multiplier: -1}, {Jitter: 1.1}, {Jitter: math.NaN()}, {Multiplier: math.NaN()}, {Multiplier: math.Inf(1)}, {NotFoundGrace: 3},
	} {
		if _, err := bad.withDefaults(); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
}

// The plain interval is a function of time, which gives the geometric series at
// the schedule's own polls.
func TestInterval(t *testing.T) {
	t.Parallel()
	p := mustPolicy(t, Policy{})
	elapsed, want := time.Duration(0), float64(p.FirstPoll)
	for range 30 {
		got := p.interval(elapsed)
		if diff := got.Seconds() - min(want, float64(p.MaxInterval))/1e9; diff < -1e-6 || diff > 1e-6 {
			t.Errorf("interval(%v) = %v, want %v", elapsed, got, time.Duration(want))
		}
		elapsed += got
		want *= p.Multiplier
	}
	if got := p.interval(-time.Hour); got != p.FirstPoll {
		t.Errorf("interval(-1h) = %v, want FirstPoll", got)
	}
	if got := p.interval(forever); got != p.MaxInterval {
		t.Errorf("interval(%v) = %v, want MaxInterval", forever, got)
	}
	constant := mustPolicy(t, Policy{Multiplier: 1})
	if got := constant.interval(forever); got != constant.FirstPoll {
		t.Errorf("interval of multiplier 1 after %v = %v, want FirstPoll", forever, got)
	}
	fast := mustPolicy(t, Policy{FirstPoll: 1})
	polls := 0
	for elapsed := time.Duration(0); elapsed < 30*time.Second; polls++ {
		elapsed += fast.interval(elapsed)
	}
	if polls > 100 {
		t.Errorf("a FirstPoll of 1ns makes %d polls in 30s, want the interval to grow", polls)
	}
}

// What a policy's NextPoll proposes counts within MaxInterval.
func TestNextPollIsBounded(t *testing.T) {
	t.Parallel()
	for proposed, want := range map[time.Duration]time.Duration{-1: 0, 0: 0, time.Second: time.Second, time.Hour: 20 * time.Second} {
		p := mustPolicy(t, Policy{NextPoll: func(Policy) func(Raw, time.Duration) time.Duration {
			return func(Raw, time.Duration) time.Duration { return proposed }
		}})
		if got := p.nextPoll(clock())(Raw{}); got != want {
			t.Errorf("NextPoll proposes %v: %v, want %v", proposed, got, want)
		}
	}
}

// With negative SoftErrors the first ends the wait, whatever SoftErrorTime is.
func TestFirstSoftErrorEndsTheWait(t *testing.T) {
	t.Parallel()
	p := mustPolicy(t, Policy{SoftErrors: -1})
	lost := status.Error(codes.Internal, "reset")
	if _, d := p.next(pollState{}, observation{call: calledGet, err: lost}); d.action != doFail || d.err != lost {
		t.Errorf("after a soft error: %+v, want the end of the wait", d)
	}
}
