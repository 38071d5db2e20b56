package lro

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-lro/lro/internal/base64url"
	"github.com/go-lro/lro/internal/progress"
)

// taught is what was learned from operations of about a minute and of about
// ten.
func taught() *learned {
	l := &learned{}
	for key, mid := range map[string]float64{"a.Minute": 60, "b.TenMinutes": 600} {
		p := newLearner(Policy{}, 1)
		p.durations = l.of(key)
		p.inTurn(lives(200, 1, 0, around(mid)))
		p.durations.aims = aims{right: 5, wrong: 0.25}
	}
	return l
}

// What is loaded proposes the same pauses as what was saved.
func TestLearnedText(t *testing.T) {
	t.Parallel()
	from, to := taught(), &learned{}
	text := from.text()
	if len(text) > 2*2048 {
		t.Errorf("the text of two methods has %d bytes, want at most 4096", len(text))
	}
	if err := to.load(text); err != nil {
		t.Fatal(err)
	}
	if again := to.text(); again != text {
		t.Errorf("what was loaded is saved as another text:\n%s\n%s", again, text)
	}
	p := mustPolicy(t, Policy{})
	for key, longest := range map[string]time.Duration{"a.Minute": 75 * time.Second, "b.TenMinutes": 750 * time.Second} {
		a, b := from.of(key), to.of(key)
		for at := time.Duration(0); at < longest; at += time.Second {
			x, y := a.pause(p, at, at, 3), b.pause(p, at, at, 3)
			if math.Abs(float64(x-y)) > 0.1*float64(x) {
				t.Fatalf("%s: after %v a pause of %v, loaded %v", key, at, x, y)
			}
		}
		if a.aims != b.aims {
			t.Errorf("%s: trust in progress is %+v, loaded %+v", key, a.aims, b.aims)
		}
	}
	if text := (&learned{}).text(); text != "" {
		t.Errorf("the text of nothing is %q, want none", text)
	}
}

// Text that an earlier revision saved is read: commands keep it on disk.
func TestLearnedTextOfEarlierRevision(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/learned1.txt")
	if err != nil {
		t.Fatal(err)
	}
	l := &learned{}
	if err := l.load(strings.TrimSpace(string(text))); err != nil {
		t.Fatal(err)
	}
	d := l.of("a.Minute")
	if want := (aims{right: 5, wrong: 0.25}); d.aims != want {
		t.Errorf("trust in progress is %+v, want %+v", d.aims, want)
	}
	// The pauses of the revision that saved it.
	for at, want := range map[time.Duration]time.Duration{
		time.Second:      6373 * time.Millisecond,
		45 * time.Second: 2781 * time.Millisecond,
		time.Minute:      2631 * time.Millisecond,
		70 * time.Second: 1854 * time.Millisecond,
	} {
		if got := d.pause(&defaultPolicy, at, at, 3); math.Abs(float64(got-want)) > 0.05*float64(want) {
			t.Errorf("after %v a pause of %v, want about %v", at, got, want)
		}
	}
}

func TestLearnedRefusesText(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", learnKey+1)
	text := func(key string, numbers int, v uint64) string {
		b := append(binary.AppendUvarint(nil, uint64(len(key))), key...)
		for range numbers {
			b = binary.AppendUvarint(b, v)
		}
		return learnedPrefix + base64url.Encode(b)
	}
	all := 2*learnBins + 2
	good := text("m", all, learnMost)
	if err := (&learned{}).load(good); err != nil {
		t.Fatalf("the longest numbers: %v", err)
	}
	for name, bad := range map[string]string{
		"empty":              "",
		"another version":    "lrol2_" + strings.TrimPrefix(good, learnedPrefix),
		"not base64url":      learnedPrefix + "*",
		"cut off":            good[:len(good)-8],
		"a number too few":   text("m", all-1, 1),
		"a number too many":  text("m", all+1, 1),
		"a number too large": text("m", all, learnMost+1),
		"a key too long":     text(long, all, 1),
		"a key of exabytes":  learnedPrefix + base64url.Encode(binary.AppendUvarint(nil, 1<<60)),
	} {
		l := taught()
		before := l.text()
		if err := l.load(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
		if l.text() != before {
			t.Errorf("%s: something was taken over", name)
		}
	}
}

func FuzzLearned(f *testing.F) {
	f.Add(taught().text())
	f.Add(learnedPrefix)
	f.Add(learnedPrefix + "AQ")
	f.Fuzz(func(t *testing.T, text string) {
		l := &learned{}
		if l.load(text) != nil {
			return
		}
		saved := l.text()
		p := mustPolicy(t, Policy{})
		for key, d := range l.methods {
			for _, at := range []time.Duration{0, time.Second, time.Minute, time.Hour, 1000 * time.Hour} {
				d.record(at, at+time.Second, true)
				if got := d.pause(p, at, at, 1); got < 0 || got > p.MaxInterval {
					t.Errorf("%q: after %v a pause of %v", key, at, got)
				}
			}
		}
		again := &learned{}
		if saved == "" {
			return
		}
		if err := again.load(saved); err != nil {
			t.Fatalf("what was saved is not loaded: %v", err)
		}
		if diff := cmp.Diff(saved, again.text()); diff != "" {
			t.Errorf("saved, loaded and saved again (-want +got):\n%s", diff)
		}
	})
}

// A client keeps what it learns of so many methods, each within 8 KiB.
func TestLearnedIsBounded(t *testing.T) {
	t.Parallel()
	l := &learned{}
	for i := range learnMethods + 10 {
		if got := l.of(fmt.Sprint(i)) != nil; got != (i < learnMethods) {
			t.Errorf("method %d is kept: %v", i, got)
		}
	}
	if l.of("0") == nil {
		t.Error("a method that is kept is not found when there are many")
	}
}

// foretold plays operations that tell progress of a shape, and returns what
// waiting came to when progress is read and when it is not.
func foretold(t *testing.T, s shape, mid float64) (read, unread found) {
	t.Helper()
	const seeds, n = 4, 400
	for seed := range uint64(seeds) {
		for _, f := range []*found{&read, &unread} {
			l := newLearner(Policy{}, seed)
			if f == &read {
				l.progress = s
			}
			all := lives(n, 11+seed, 0, around(mid))
			l.inTurn(all)
			for _, x := range all {
				if x.over > learnSlack {
					t.Errorf("%d polls more than by the plain schedule", x.over)
				}
			}
			f.add(all)
		}
	}
	return read.of(seeds * n), unread.of(seeds * n)
}

// Progress makes operations found earlier where it is right, and does no harm
// where it is not.
func TestProgressProvesItself(t *testing.T) {
	t.Parallel()
	for name, s := range shapes {
		if s == nil {
			continue
		}
		for _, mid := range []float64{10, 60, 600} {
			t.Run(fmt.Sprintf("%s, %vs", name, mid), func(t *testing.T) {
				t.Parallel()
				read, unread := foretold(t, s, mid)
				t.Logf("%.1f polls, %.2f s late; without progress %.1f, %.2f", read.polls, read.late, unread.polls, unread.late)
				if read.polls > 1.02*unread.polls || read.late > 1.05*unread.late && read.polls > 0.8*unread.polls {
					t.Errorf("%.2f polls and %.3f s late, want neither more than without progress: %v", read.polls, read.late, unread)
				}
				if name == "linear" && (read.polls > 0.8*unread.polls || mid > 10 && read.late > 0.6*unread.late) {
					t.Errorf("%.2f polls and %.3f s late, want much less than without progress: %v", read.polls, read.late, unread)
				}
			})
		}
	}
}

// Progress is trusted while it is wrong about fewer than one in eight.
func TestProgressIsTrusted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		aims aims
		want bool
	}{
		{aims{right: 2.9}, false},
		{aims{right: 3}, true},
		{aims{right: 8, wrong: 0.9}, true},
		{aims{right: 8, wrong: 1.1}, false},
	} {
		if got := test.aims.trusted(); got != test.want {
			t.Errorf("%+v: trusted %v, want %v", test.aims, got, test.want)
		}
	}
}

// Only operations in a row without progress make a client stop to read it.
func TestProgressIsReadAgain(t *testing.T) {
	t.Parallel()
	var d durations
	policy := mustPolicy(t, Policy{})
	mute := func() {
		for range aimsMute - 1 {
			d.score(d.forecast(policy), time.Second)
		}
	}
	mute()
	f := d.forecast(policy)
	f.aim.readings, f.least, f.most = []reading{{t: 1, p: 50}}, 2, 2
	d.score(f, 2*time.Second)
	mute()
	if d.forecast(policy) == nil {
		t.Error("progress is read no more, although an operation had some")
	}
	d.score(&forecast{}, time.Second)
	if d.forecast(policy) != nil {
		t.Errorf("progress is still read after %d operations in a row without", aimsMute)
	}
}

// An operation's own times count where it has them, and go on between updates.
func TestProgressElapsed(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a := &aim{}
	for _, test := range []struct{ updated, waited, want time.Duration }{
		{time.Minute, 5 * time.Second, time.Minute},
		{time.Minute, 15 * time.Second, 70 * time.Second},
		{75 * time.Second, 20 * time.Second, 75 * time.Second},
	} {
		f := progress.Facts{Started: begin, Updated: begin.Add(test.updated)}
		if got := a.elapsed(f, test.waited); got != test.want {
			t.Errorf("updated after %v, waited for %v: elapsed %v, want %v", test.updated, test.waited, got, test.want)
		}
	}
	if got := a.elapsed(progress.Facts{}, time.Second); got != time.Second {
		t.Errorf("without times: elapsed %v, want what was waited", got)
	}
}
