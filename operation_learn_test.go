package lro

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/go-lro/lro/lropb"
)

// plant is a service whose operations take as long as they are told, and tell
// how far they are when they have metadata.
type plant struct {
	ops map[string]*planted
}

type planted struct {
	begin    time.Time
	takes    time.Duration
	code     codes.Code // of its end
	created  bool       // metadata says when it was created
	progress bool       // and the progress it reports
	polls    int
}

func (p *plant) start(takes time.Duration) (*longrunningpb.Operation, *planted) {
	if p.ops == nil {
		p.ops = map[string]*planted{}
	}
	o := &planted{begin: time.Now(), takes: takes}
	name := fmt.Sprintf("operations/%d", len(p.ops))
	p.ops[name] = o
	return &longrunningpb.Operation{Name: name}, o
}

func (p *plant) get(_ context.Context, name string) (*longrunningpb.Operation, error) {
	o := p.ops[name]
	o.polls++
	age := time.Since(o.begin)
	if age >= o.takes && o.code != codes.OK {
		return failed(o.code, "it failed"), nil
	}
	if age >= o.takes {
		return succeeded("done"), nil
	}
	op := &longrunningpb.Operation{Name: name}
	if o.created {
		m := &lropb.OperationMetadata{CreateTime: timestamppb.New(o.begin), Verb: "plant"}
		if o.progress {
			m.ProgressPercent = int32(100 * age / o.takes)
		}
		op.Metadata = anyOf(m)
	}
	return op, nil
}

// late waits for an operation and returns how late that was found out, and
// with how many polls.
func (p *plant) late(t *testing.T, c *Client, takes time.Duration, change func(*planted)) (late time.Duration, polls int) {
	t.Helper()
	started, o := p.start(takes)
	if change != nil {
		change(o)
	}
	op, err := Strings.Wrap(c, started)
	if err != nil {
		t.Fatal(err)
	}
	_, err = op.Wait(t.Context())
	if (err != nil) != (o.code != codes.OK) {
		t.Fatalf("Wait: %v", err)
	}
	return time.Since(o.begin) - takes, o.polls
}

const plainPollsInMinute = 18

func TestWaitLearns(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		policy Policy
		code   codes.Code
		learns bool
	}{
		"succeeded":      {learns: true},
		"failed":         {code: codes.Internal, learns: true},
		"cancelled":      {code: codes.Canceled},
		"plain schedule": {policy: Policy{PlainSchedule: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := &plant{}
				tt.policy.Jitter = -1
				c := NewClient(GetFunc(p.get), WithPolicy(tt.policy))
				end := func(o *planted) { o.code = tt.code }
				cold, polls := p.late(t, c, time.Minute, end)
				if polls < plainPollsInMinute {
					t.Errorf("the first operation was polled %d times, want at least %d", polls, plainPollsInMinute)
				}
				for range 10 {
					p.late(t, c, time.Minute, end)
				}
				warm, polls := p.late(t, c, time.Minute, end)
				if learned := warm < cold/4 && polls < 12; learned != tt.learns {
					t.Errorf("the last operation was found %v late with %d polls, the first %v late", warm, polls, cold)
				}
				if known := c.Learned() != ""; known == tt.policy.PlainSchedule {
					t.Errorf("something is known: %v", known)
				}
			})
		})
	}
}

// A group learns as a wait does, and so do single polls.
func TestGroupAndPollLearn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &plant{}
		c := NewClient(GetFunc(p.get), WithPolicy(Policy{Jitter: -1}))
		for range 5 {
			started, _ := p.start(time.Minute)
			op, err := Strings.Wrap(c, started)
			if err != nil {
				t.Fatal(err)
			}
			if err := WaitAll(t.Context(), op); err != nil {
				t.Fatal(err)
			}
		}
		for range 5 {
			started, _ := p.start(time.Minute)
			op, err := Strings.Wrap(c, started)
			if err != nil {
				t.Fatal(err)
			}
			for !op.Done() {
				if _, err := op.Poll(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(5 * time.Second)
			}
		}
		if seen := c.learned.of("test.Strings").risk[0]; seen < 9 {
			t.Errorf("%.1f operations are known, want 10, decayed", seen)
		}
		if late, polls := p.late(t, c, time.Minute, nil); late > 3*time.Second || polls > 12 {
			t.Errorf("found %v late with %d polls", late, polls)
		}
	})
}

// The age of an operation that was resumed is what its metadata says.
func TestResumedWaitLearns(t *testing.T) {
	t.Parallel()
	for _, created := range []bool{true, false} {
		t.Run(fmt.Sprint("created ", created), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := &plant{}
				c := NewClient(GetFunc(p.get), WithPolicy(Policy{Jitter: -1}))
				lates := []time.Duration{}
				for i := range 12 {
					started, o := p.start(10 * time.Minute)
					o.created = created
					time.Sleep(time.Duration(i) * 13 * time.Second)
					op, err := Any().Resume(c, started.GetName())
					if err != nil {
						t.Fatal(err)
					}
					if _, err := op.Wait(t.Context()); err != nil {
						t.Fatal(err)
					}
					lates = append(lates, time.Since(o.begin)-o.takes)
				}
				key := "lro.v1.OperationMetadata plant"
				if known := c.learned.of(key).risk[200] > 0; known != created {
					t.Errorf("something is known of %q: %v", key, known)
				}
				sum := time.Duration(0)
				for _, late := range lates[2:] {
					sum += late / time.Duration(len(lates)-2)
				}
				if early := sum < 3*time.Second; early != created {
					t.Errorf("found %v late on average: %v", sum, lates)
				}
			})
		})
	}
}

// The age of a resumed operation is known to each of its waits.
func TestResumedWaitIsResumed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &plant{}
		c := NewClient(GetFunc(p.get))
		started, o := p.start(10 * time.Minute)
		o.created = true
		time.Sleep(5 * time.Minute)
		op, err := Strings.Resume(c, started.GetName())
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		if _, err := op.Wait(ctx); err == nil {
			t.Fatal("Wait of an operation that runs returned no error")
		}
		if _, err := op.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		ended := float32(0)
		for i := range bins(590, 625) {
			ended += c.learned.of("test.Strings").ends[i]
		}
		if ended < 0.9 {
			t.Errorf("%.2f operations are known to take ten minutes, want 1", ended)
		}
	})
}

// TestResumedPolls: what a poll before a wait says about the age of a resumed
// operation is no age at the begin of the wait, which comes later.
func TestResumedPolls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &plant{}
		c := NewClient(GetFunc(p.get))
		started, o := p.start(10 * time.Minute)
		o.created = true
		op, err := Strings.Resume(c, started.GetName())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if _, err := op.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		ended := float32(0)
		for i := range bins(560, 640) {
			ended += c.learned.of("test.Strings").ends[i]
		}
		if ended < 0.9 {
			t.Errorf("%.2f operations are known to take ten minutes, want 1", ended)
		}
	})
}

// Progress that is right is used after some operations, and no observation is
// left behind.
func TestWaitReadsProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &plant{}
		c := NewClient(GetFunc(p.get))
		takes := func(i int) time.Duration { return time.Duration(30+i*37%50) * time.Second }
		told := func(o *planted) { o.created, o.progress = true, true }
		for i := range 10 {
			p.late(t, c, takes(i), told)
		}
		d := c.learned.of("test.Strings")
		if !d.aims.trusted() || d.aims.open != 0 {
			t.Fatalf("trust in progress is %+v", d.aims)
		}
		all, most := time.Duration(0), 0
		for i := range 20 {
			late, polls := p.late(t, c, takes(i), told)
			all, most = all+late, max(most, polls)
		}
		if mean := all / 20; mean > 1500*time.Millisecond || most > 12 {
			t.Errorf("%v late on average with up to %d polls", mean, most)
		}

		// A wait that ends before its operation leaves nothing open, and neither
		// does a single poll, or an operation that has none.
		started, o := p.start(time.Hour)
		told(o)
		op, err := Strings.Wrap(c, started)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		if _, err := op.Wait(ctx); err == nil {
			t.Error("Wait of an operation that runs returned no error")
		}
		started, o = p.start(time.Minute)
		told(o)
		if op, err = Strings.Wrap(c, started); err != nil {
			t.Fatal(err)
		}
		if _, err := op.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range aimsMute + 3 {
			p.late(t, c, time.Minute, nil)
		}
		if d.aims.open != 0 || d.aims.mute != aimsMute {
			t.Errorf("after operations without progress, trust in it is %+v", d.aims)
		}
	})
}

// What is learned of a method is not used for another, nor by another client,
// until it is loaded there.
func TestLearnedBelongsToMethodAndClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &plant{}
		plain := Policy{Jitter: -1}
		c, other := NewClient(GetFunc(p.get), WithPolicy(plain)), NewClient(GetFunc(p.get), WithPolicy(plain))
		for range 10 {
			p.late(t, c, time.Minute, nil)
		}
		polls := func(c *Client, m Method[stringValue, stringValue]) int {
			started, o := p.start(time.Minute)
			op, err := m.Wrap(c, started)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := op.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			return o.polls
		}
		if n := polls(c, Method[stringValue, stringValue]{Name: "test.Others"}); n < plainPollsInMinute {
			t.Errorf("another method: %d polls, want at least %d", n, plainPollsInMinute)
		}
		if n := polls(other, Strings); n < plainPollsInMinute {
			t.Errorf("another client: %d polls, want at least %d", n, plainPollsInMinute)
		}
		third := NewClient(GetFunc(p.get), WithPolicy(plain))
		if err := third.SetLearned(c.Learned()); err != nil {
			t.Fatal(err)
		}
		if n := polls(third, Strings); n >= 12 {
			t.Errorf("a client that has loaded it: %d polls, want less than 12", n)
		}
		if err := third.SetLearned("nonsense"); err == nil {
			t.Error("SetLearned of nonsense: no error")
		}
	})
}

// Callers that come and go keep to the budget of polls as one that stays does.
func TestShortWaitsKeepToTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const learned, watched = time.Minute, 3 * time.Minute
		polls := func(each time.Duration) int {
			p := &plant{}
			c := NewClient(GetFunc(p.get), WithPolicy(Policy{Multiplier: 2, MaxInterval: time.Hour, Jitter: -1}))
			for i := range 60 {
				p.late(t, c, time.Duration(i%20+1)*learned/20, nil)
			}
			started, o := p.start(time.Hour)
			op, err := Strings.Wrap(c, started)
			if err != nil {
				t.Fatal(err)
			}
			for time.Since(o.begin) < watched {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(each, cancel)
				_, _ = op.Wait(ctx)
			}
			return o.polls
		}
		stays := polls(watched)
		for _, each := range []time.Duration{time.Second, 20 * time.Second} {
			if got := polls(each); got > stays {
				t.Errorf("%d polls for callers that stay %v each, want at most the %d for one that stays", got, each, stays)
			}
		}
	})
}

// Polls that callers make themselves count for the budget of the schedule.
func TestPollCounts(t *testing.T) {
	t.Parallel()
	op := wrap(t, (&fakeService{get: endsAt(time.Hour)}).pollOnly())
	for range 3 {
		if _, err := op.Poll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := op.wait.calls; got != 3 {
		t.Errorf("%d calls count, want 3", got)
	}
}

// An operation that was created in the future, by a clock that is ahead, is as old
// as it has been waited for.
func TestCreatedInTheFuture(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		op := resume(t, (&fakeService{}).pollOnly())
		op.wait.begun = clock()
		time.Sleep(time.Minute)
		v, err := viewOf(testName, &longrunningpb.Operation{Metadata: anyOf(&lropb.OperationMetadata{
			CreateTime: timestamppb.New(time.Now().Add(time.Hour)),
		})}, &longrunningpb.Operation{}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		op.identifyLocked(v)
		if age, ok := op.ageLocked(clock()); !ok || age != time.Minute {
			t.Errorf("the age is (%v, %v), want the minute of the wait", age, ok)
		}
	})
}

// The end of an operation that was cancelled says nothing about its progress.
func TestCancelledIsNoForecast(t *testing.T) {
	t.Parallel()
	for code, want := range map[codes.Code]float32{codes.Canceled: 0, codes.Internal: 1} {
		synctest.Test(t, func(t *testing.T) {
			op := wrap(t, (&fakeService{}).pollOnly())
			time.Sleep(time.Minute)
			f := op.durations.forecast(op.policy)
			f.aim.readings, f.least, f.most = []reading{{t: 1000, p: 50}}, 2000, 2000
			op.view.done, op.view.code = true, code
			op.scoreForecastLocked(f)
			if got := op.durations.aims.right + op.durations.aims.wrong; got != want {
				t.Errorf("after an end by %v, %v operations count for the trust in progress, want %v", code, got, want)
			}
		})
	}
}
