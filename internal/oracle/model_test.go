package oracle

import (
	"math"
	"testing"

	"github.com/anishathalye/porcupine"
)

// after makes a history of events that follow each other. One whose outcome is
// unknown never returns.
func after(events ...Event) []porcupine.Operation {
	var ops []porcupine.Operation
	for i, e := range events {
		op := porcupine.Operation{ClientId: i, Input: &e, Call: int64(2 * i), Return: int64(2*i + 1)}
		if e.Out == Unknown {
			op.Return = math.MaxInt64
		}
		ops = append(ops, op)
	}
	return ops
}

func sees(do, state string, attempt int, result string) Event {
	return Event{Do: do, Name: "a", Seen: &View{Name: "a", State: state, Attempt: attempt, Result: result}}
}

func TestModel(t *testing.T) {
	t.Parallel()
	start := Event{Do: Start, Seen: &View{Name: "a", State: "PENDING"}}
	external := Event{Do: Start, Seen: &View{Name: "a", State: "RUNNING", Attempt: 1}}
	lost := Event{Do: Start, Out: Unknown}
	claim := Event{Do: Claim, Name: "a", Attempt: 1}
	again := Event{Do: Claim, Name: "a", Attempt: 2}
	finish := Event{Do: Finish, Name: "a", Attempt: 1, Arg: "ok:1", Out: Unknown}
	saved := Event{Do: Save, Name: "a", Attempt: 1, Arg: "half"}
	refused := Event{Do: Save, Name: "a", Attempt: 1, Arg: "half", Out: Lost}
	gone := Event{Do: Get, Name: "a", Out: NotFound}
	died := Event{Do: Die}
	complete := Event{Do: Complete, Name: "a", Attempt: 1, Arg: "x"}
	with := func(e Event, out string) Event { e.Out = out; return e }
	for _, tt := range []struct {
		name   string
		rules  Rules
		events []Event
		want   bool
	}{
		{"start, then read", Rules{}, []Event{start, sees(Get, "PENDING", 0, "")}, true},
		{"acknowledged and gone", Rules{}, []Event{start, gone}, false},
		{"claimed before it is read", Rules{}, []Event{start, sees(Get, "RUNNING", 1, "")}, true},
		{"two attempts without a cause", Rules{}, []Event{start, claim, again}, false},
		{"run again after a crash", Rules{}, []Event{start, claim, died, again}, true},
		{"run again after a crash though at most once", Rules{AtMostOnce: true}, []Event{start, claim, died, again}, false},
		{"ends once", Rules{}, []Event{start, claim, finish, sees(Get, "SUCCEEDED", 1, "ok:1"), sees(Get, "SUCCEEDED", 1, "ok:1")}, true},
		{"another result", Rules{}, []Event{start, claim, finish, sees(Get, "SUCCEEDED", 1, "ok:2")}, false},
		{"ends and runs on", Rules{}, []Event{start, claim, finish, sees(Get, "SUCCEEDED", 1, "ok:1"), sees(Get, "RUNNING", 1, "")}, false},
		{"ends without a cause", Rules{}, []Event{start, claim, sees(Get, "SUCCEEDED", 1, "ok:1")}, false},
		{"checkpoint", Rules{}, []Event{start, claim, saved, died, {Do: Claim, Name: "a", Attempt: 2, Arg: "half"}}, true},
		{"checkpoint lost", Rules{}, []Event{start, claim, saved, died, again}, false},
		{"write of an older attempt", Rules{}, []Event{start, claim, died, again, saved}, false},
		{"runs after it was cancelled", Rules{}, []Event{start, {Do: Cancel, Name: "a"}, {Do: Get, Name: "a", Seen: &View{Name: "a", State: "CANCELLED", Cancel: true, Result: "err:CANCELLED"}}, claim}, false},
		{"ends while it is cancelled", Rules{External: true}, []Event{external, {Do: Cancel, Name: "a", Seen: &View{Name: "a", State: "SUCCEEDED", Attempt: 1, Cancel: true, Result: "ok:x"}}, {Do: Complete, Name: "a", Arg: "x"}, {Do: Get, Name: "a", Seen: &View{Name: "a", State: "SUCCEEDED", Attempt: 1, Cancel: true, Result: "ok:x"}}}, true},
		{"ended when it was cancelled, and runs on", Rules{External: true}, []Event{external, {Do: Cancel, Name: "a", Seen: &View{Name: "a", State: "SUCCEEDED", Attempt: 1, Cancel: true, Result: "ok:x"}}, {Do: Get, Name: "a", Seen: &View{Name: "a", State: "SUCCEEDED", Attempt: 1, Cancel: true, Result: "ok:x"}}}, false},
		{"cancelled, then deleted", Rules{}, []Event{start, {Do: Cancel, Name: "a"}, {Do: Delete, Name: "a"}, gone}, true},
		{"deleted and there", Rules{}, []Event{start, {Do: Delete, Name: "a"}, sees(Get, "PENDING", 0, "")}, false},
		{"deleted while it ran", Rules{}, []Event{start, claim, {Do: Delete, Name: "a"}, saved, finish, gone}, true},
		{"another with the same request ID", Rules{}, []Event{start, {Do: Start, Seen: &View{Name: "b", State: "PENDING"}}}, false},
		{"another after a delete", Rules{}, []Event{start, {Do: Delete, Name: "a"}, {Do: Start, Seen: &View{Name: "b", State: "PENDING"}}}, true},
		{"another request", Rules{}, []Event{start, {Do: Start, Variant: true, Out: Invalid}}, true},
		{"another request is taken", Rules{}, []Event{start, {Do: Start, Variant: true, Seen: &View{Name: "a", State: "PENDING"}}}, false},
		{"start without an answer, executed", Rules{}, []Event{lost, claim}, true},
		{"start without an answer, not executed", Rules{}, []Event{lost, start}, true},
		{"expired", Rules{Expires: true}, []Event{start, claim, finish, sees(Get, "SUCCEEDED", 1, "ok:1"), gone}, true},
		{"expired and there", Rules{Expires: true}, []Event{start, claim, finish, sees(Get, "SUCCEEDED", 1, "ok:1"), gone, sees(Get, "SUCCEEDED", 1, "ok:1")}, false},
		{"completed from outside", Rules{External: true}, []Event{external, {Do: Complete, Name: "a", Arg: "x"}, sees(Get, "SUCCEEDED", 1, "ok:x")}, true},
		{"completed twice", Rules{External: true}, []Event{external, {Do: Complete, Name: "a", Arg: "x"}, {Do: Complete, Name: "a", Arg: "y"}, sees(Get, "SUCCEEDED", 1, "ok:x")}, true},
		{"second completion counts", Rules{External: true}, []Event{external, {Do: Complete, Name: "a", Arg: "x"}, {Do: Complete, Name: "a", Arg: "y"}, sees(Get, "SUCCEEDED", 1, "ok:y")}, false},
		{"lease ends", Rules{External: true, Leased: true}, []Event{external, sees(Get, "FAILED", 1, "err:ABORTED")}, true},
		{"no lease, and ends", Rules{External: true}, []Event{external, sees(Get, "FAILED", 1, "err:ABORTED")}, false},
		{"run again after another process has died", Rules{}, []Event{start, {Do: Claim, Name: "a", Attempt: 1, Lived: 1}, {Do: Die, Lived: 2}, again}, false},
		{"run again after its process has died", Rules{}, []Event{start, {Do: Claim, Name: "a", Attempt: 1, Lived: 1}, {Do: Die, Lived: 1}, again}, true},
		{"lease kept", Rules{}, []Event{start, claim, {Do: Die, Out: Unknown}, finish, sees(Get, "SUCCEEDED", 1, "ok:1")}, true},
		{"lease lost later", Rules{}, []Event{start, claim, {Do: Die, Out: Unknown}, sees(Get, "RUNNING", 1, ""), again}, true},
		{"rolled back and there", Rules{}, []Event{{Do: Start, Out: Undone}, sees(Get, "PENDING", 0, "")}, false},
		{"rolled back, then started", Rules{}, []Event{{Do: Start, Out: Undone}, start}, true},
		{"start without an answer to its commit", Rules{}, []Event{{Do: Start, Out: Written}, claim}, true},
		{"ends in a transaction", Rules{}, []Event{start, claim, complete, finish, sees(Get, "SUCCEEDED", 1, "ok:x")}, true},
		{"ends in a transaction, and its handler's response counts", Rules{}, []Event{start, claim, complete, finish, sees(Get, "SUCCEEDED", 1, "ok:1")}, false},
		{"ends in a transaction that is rolled back", Rules{}, []Event{start, claim, with(complete, Undone), sees(Get, "SUCCEEDED", 1, "ok:x")}, false},
		{"its end is rolled back, and it returns", Rules{}, []Event{start, claim, with(complete, Undone), finish, sees(Get, "SUCCEEDED", 1, "ok:1")}, true},
		{"its end is committed without an answer", Rules{}, []Event{start, claim, with(complete, Written), sees(Get, "RUNNING", 1, "")}, false},
		{"its end is refused, and it is the latest attempt", Rules{}, []Event{start, claim, with(complete, Lost)}, false},
		{"an older attempt ends in a transaction", Rules{}, []Event{start, claim, died, again, complete}, false},
		{"an older attempt ends in one that is rolled back", Rules{}, []Event{start, claim, died, again, with(complete, Undone)}, false},
		{"the end of an older attempt is refused", Rules{}, []Event{start, claim, died, again, with(complete, Lost)}, true},
		{"an attempt ends in two transactions", Rules{}, []Event{start, claim, complete, complete}, false},
		{"deleted while it ran, and ends in a transaction", Rules{}, []Event{start, claim, {Do: Delete, Name: "a"}, complete, finish, gone}, true},
		{"a checkpoint is rolled back", Rules{}, []Event{start, claim, with(saved, Undone), died, again}, true},
		{"a checkpoint is rolled back and there", Rules{}, []Event{start, claim, with(saved, Undone), died, {Do: Claim, Name: "a", Attempt: 2, Arg: "half"}}, false},
		{"cancelled in a transaction that is rolled back", Rules{}, []Event{start, {Do: Cancel, Name: "a", Out: Undone}, claim}, true},
		{"cancelled without an answer to the commit", Rules{}, []Event{start, {Do: Cancel, Name: "a", Out: Written}, sees(Get, "PENDING", 0, "")}, false},
		{"deleted in a transaction that is rolled back", Rules{}, []Event{start, {Do: Delete, Name: "a", Out: Undone}, gone}, false},
		{"deleted without an answer to the commit", Rules{}, []Event{start, {Do: Delete, Name: "a", Out: Written}, gone}, true},
		{"completed from outside, and rolled back", Rules{External: true}, []Event{external, {Do: Complete, Name: "a", Arg: "x", Out: Undone}, sees(Get, "RUNNING", 1, "")}, true},
		{"completed again from outside, and rolled back", Rules{External: true}, []Event{external, {Do: Complete, Name: "a", Arg: "x"}, {Do: Complete, Name: "a", Arg: "y", Out: Undone}}, true},
		{"lost on its way to a process", Rules{}, []Event{start, again}, false},
		{"lost on its way, where that happens", Rules{Undelivered: true}, []Event{start, again}, true},
		{"lost while it runs, where attempts are lost on their way", Rules{Undelivered: true}, []Event{start, claim, again}, false},
		{"lost on its way again and again", Rules{Undelivered: true}, []Event{start, sees(Get, "FAILED", 5, "err:ABORTED")}, true},
		{"lost on its way more often", Rules{Undelivered: true}, []Event{start, {Do: Claim, Name: "a", Attempt: 6}}, false},
		{"lost on its way, and to run once", Rules{Undelivered: true, AtMostOnce: true}, []Event{start, again}, false},
		{"shown when its process has ended its attempt", Rules{}, []Event{start, claim, {Do: Die}, refused, sees(Get, "RUNNING", 1, ""), again}, false},
		{"shown when its process has ended its attempt first", Rules{EndsFirst: true}, []Event{start, claim, {Do: Die}, refused, sees(Get, "RUNNING", 1, ""), again}, true},
		{"handed back by a process that ended its attempt", Rules{EndsFirst: true, CrashLimit: 1}, []Event{start, claim, {Do: Die}, again}, true},
		{"handed back by a process that was killed", Rules{EndsFirst: true, CrashLimit: 1}, []Event{start, claim, {Do: Die, Arg: Killed}, again}, false},
		{"its attempt was ended, and ends it", Rules{EndsFirst: true}, []Event{start, claim, {Do: Die}, refused, finish, sees(Get, "SUCCEEDED", 1, "ok:1")}, false},
		{"deleted while it runs, where that is refused", Rules{DeleteNeedsEnd: true}, []Event{start, {Do: Delete, Name: "a"}}, false},
		{"delete is refused", Rules{DeleteNeedsEnd: true}, []Event{start, {Do: Delete, Name: "a", Out: NotEnded}, claim}, true},
		{"report lost", Rules{External: true}, []Event{external, {Do: Report, Name: "a", Arg: "half"}, sees(Get, "RUNNING", 1, "")}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := porcupine.CheckOperations(Model(tt.rules), after(tt.events...)); got != tt.want {
				t.Errorf("the model allows it: %t, want %t", got, tt.want)
			}
		})
	}
}
