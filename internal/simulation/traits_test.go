package simulation

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-lro/lro/internal/oracle"
	"github.com/go-lro/lro/server/engine/enginetest"
)

// TestTraits: the oracle allows an engine what it declares, and nothing beyond.
func TestTraits(t *testing.T) {
	t.Parallel()
	const name = "shelves/a/operations/x"
	pending := &oracle.View{Name: name, State: "PENDING"}
	done := &oracle.View{Name: name, State: "SUCCEEDED", Attempt: 1, Result: "ok:1/0", End: time.Second}
	start := oracle.Event{Do: oracle.Start, Seen: pending, Call: 1, Return: 2, Lived: 1}
	ended := []oracle.Event{
		start,
		{Do: oracle.Claim, Name: name, Attempt: 1, Call: 3, Return: 4, Lived: 1},
		{Do: oracle.Finish, Name: name, Attempt: 1, Arg: "ok:1/0", Out: oracle.Unknown, Call: 5, Lived: 1},
		{Do: oracle.Get, Name: name, Seen: done, Call: 6, Return: 7, From: time.Second, To: time.Second, Lived: 1},
	}
	// Calls that follow the end, a minute after it.
	deleted := func(call, ret, lived int) oracle.Event {
		return oracle.Event{Do: oracle.Delete, Name: name, Call: call, Return: ret, From: time.Minute, To: time.Minute, Lived: lived}
	}
	empty := func(at time.Duration) oracle.Event {
		return oracle.Event{Key: -1, Do: oracle.List, Name: "shelves/a", Walk: 1, Last: true, Call: 10, Return: 11, From: at, To: at, Lived: 1}
	}
	lags := Traits{Traits: enginetest.Traits{ListLags: true}}
	meet := Traits{DeletesMeet: true}
	for _, tt := range []struct {
		name    string
		kind    string
		traits  Traits
		events  []oracle.Event
		settled int
		want    string // empty for nothing
	}{
		{"deleted while it is not done", kindWork, Traits{}, []oracle.Event{start, deleted(8, 9, 1)}, 0, ""},
		{"the same, where that is refused", kindWork, Traits{Traits: enginetest.Traits{DeleteNeedsEnd: true}}, []oracle.Event{start, deleted(8, 9, 1)}, 0, "no order"},
		{"deleted at its end, where that is refused before", kindWork, Traits{Traits: enginetest.Traits{DeleteNeedsEnd: true}}, append(ended, deleted(8, 9, 1)), 0, ""},
		{"deleted twice at once", kindWork, Traits{}, append(ended, deleted(8, 10, 1), deleted(9, 11, 2)), 0, "no order"},
		{"the same, where deletes meet", kindWork, meet, append(ended, deleted(8, 10, 1), deleted(9, 11, 2)), 0, ""},
		{"the same, one after the other", kindWork, meet, append(ended, deleted(8, 9, 1), deleted(10, 11, 2)), 0, "deleted twice"},
		{"the same, through one process", kindWork, meet, append(ended, deleted(8, 10, 1), deleted(9, 11, 1)), 0, "deleted twice"},
		{"not listed", kindWork, Traits{}, append(ended, empty(2*time.Second)), 0, "lacks"},
		{"the same, where lists lag", kindWork, lags, append(ended, empty(2*time.Second)), 0, ""},
		{"the same, for long", kindWork, lags, append(ended, empty(time.Minute)), 0, "lacks"},
		{"the same, in the end", kindWork, lags, append(ended, empty(2*time.Second)), 8, "lacks"},
		{"expired", kindBrief, Traits{}, append(ended, oracle.Event{Do: oracle.Get, Name: name, Out: oracle.NotFound, Call: 10, Return: 11, From: time.Hour, To: time.Hour}), 0, ""},
		{"the same, where retention is fixed", kindBrief, Traits{Traits: enginetest.Traits{FixedRetention: true}}, append(ended, oracle.Event{Do: oracle.Get, Name: name, Out: oracle.NotFound, Call: 10, Return: 11, From: time.Hour, To: time.Hour}), 0, "no caller deleted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &result{Keys: []string{tt.kind}, Servers: 1, Settled: tt.settled, Traits: tt.traits}
			for _, e := range tt.events {
				r.Events = append(r.Events, &e)
			}
			if tt.settled > 0 { // read in the end
				last := ended[3]
				last.Call, last.Return = 12, 13
				r.Events = append(r.Events, &last)
			}
			b, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			kept := &result{}
			if err := json.Unmarshal(b, kept); err != nil {
				t.Fatal(err)
			}
			got := strings.Join(check(kept).wrong, "\n")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("the oracle says %q, want %q", got, tt.want)
			}
		})
	}
}

// TestReportIsLost: a process that may have lost an attempt no longer shows what that
// had reported, and nothing had stored.
func TestReportIsLost(t *testing.T) {
	t.Parallel()
	const name = "shelves/a/operations/x"
	for lived, want := range map[int]string{0: "", 1: "", 2: "after \"1/0\" was made"} {
		r := &result{Keys: []string{kindWork}, Shared: true, Faulty: true, Settled: 10}
		saysOf(t, r, []oracle.Event{
			{Do: oracle.Start, Seen: &oracle.View{Name: name, State: "PENDING"}, Call: 1, Return: 2, Lived: 1},
			{Do: oracle.Claim, Name: name, Attempt: 1, Call: 3, Return: 4, Lived: 1},
			{Do: oracle.Report, Name: name, Attempt: 1, Arg: "1/0", Call: 5, Return: 6, Lived: 1, From: time.Second},
			{Key: -1, Do: oracle.Die, Arg: "process stopped", Out: oracle.Unknown, Call: 7, Lived: lived, From: 2 * time.Second},
			{Do: oracle.Get, Name: name, Seen: &oracle.View{Name: name, State: "RUNNING", Attempt: 1}, Call: 8, Return: 9, Lived: 1, From: 3 * time.Second},
			{Do: oracle.Finish, Name: name, Attempt: 1, Arg: "ok:1", Call: 10, Return: 11, Lived: 1, From: 4 * time.Second, To: 4 * time.Second},
			{Do: oracle.Get, Name: name, Seen: &oracle.View{Name: name, State: "SUCCEEDED", Attempt: 1, Result: "ok:1", End: 4 * time.Second}, Call: 12, Return: 13, Lived: 1, From: 5 * time.Second},
		}, want)
	}
}

// TestBusyIsUntold: a subscriber may miss what happened while the machine was too busy
// for a process to keep its lease, and nothing else.
func TestBusyIsUntold(t *testing.T) {
	t.Parallel()
	const name = "shelves/a/operations/x"
	for lived, want := range map[int]string{0: "", 1: "", 2: "did not hear of " + name} {
		r := &result{Keys: []string{kindWork}, Shared: true, Faulty: true, Lossy: true, Settled: 20, Feeds: []*feed{{Lived: -1, To: time.Minute}}}
		saysOf(t, r, []oracle.Event{
			{Do: oracle.Start, Seen: &oracle.View{Name: name, State: "PENDING"}, Call: 1, Return: 2, Lived: 1, From: time.Second, To: time.Second},
			{Key: -1, Do: oracle.Die, Arg: "machine too busy", Out: oracle.Unknown, Call: 3, Lived: lived, From: 2 * time.Second, To: 2 * time.Second},
			{Do: oracle.Claim, Name: name, Attempt: 1, Call: 4, Return: 5, Lived: 1, From: 5 * time.Second, To: 5 * time.Second},
			{Do: oracle.Finish, Name: name, Attempt: 1, Arg: "ok:1", Out: oracle.Unknown, Call: 6, Lived: 1, From: 6 * time.Second, To: 6 * time.Second},
			{Do: oracle.Get, Name: name, Seen: &oracle.View{Name: name, State: "SUCCEEDED", Attempt: 1, Result: "ok:1", End: 6 * time.Second}, Call: 30, Return: 31, Lived: 1, From: 7 * time.Second, To: 7 * time.Second},
		}, want)
	}
}

// TestLater: an attempt that has lost its operation is given no pause before the next.
func TestLater(t *testing.T) {
	t.Parallel()
	const name = "shelves/a/operations/x"
	for next, want := range map[time.Duration]string{
		10 * time.Second: "", // the first was lost by then
		21 * time.Second: "asked for 5s, and the next began at 21s",
		25 * time.Second: "",
	} {
		r := &result{Keys: []string{kindWork}, Shared: true, Faulty: true, Settled: 20, Traits: Traits{Undelivered: true}}
		saysOf(t, r, []oracle.Event{
			{Do: oracle.Start, Seen: &oracle.View{Name: name, State: "PENDING"}, Call: 1, Return: 2, Lived: 1},
			{Key: -1, Do: oracle.Die, Arg: "process stopped", Out: oracle.Unknown, Call: 3, Lived: 1},
			{Do: oracle.Claim, Name: name, Attempt: 1, Call: 4, Return: 5, Lived: 1, From: 5 * time.Second},
			{Do: oracle.Finish, Name: name, Attempt: 1, Arg: oracle.Retry, Out: oracle.Unknown, Call: 6, Lived: 1, From: 20 * time.Second, For: 5 * time.Second},
			{Do: oracle.Claim, Name: name, Attempt: 2, Call: 7, Return: 8, Lived: 1, From: next},
			{Do: oracle.Finish, Name: name, Attempt: 2, Arg: "ok:1", Out: oracle.Unknown, Call: 9, Lived: 1, From: 26 * time.Second},
			{Do: oracle.Get, Name: name, Seen: &oracle.View{Name: name, State: "SUCCEEDED", Attempt: 2, Result: "ok:1", End: 26 * time.Second}, Call: 30, Return: 31, Lived: 1, From: 27 * time.Second},
		}, want)
	}
}
