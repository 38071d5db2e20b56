package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// story makes a journal: the events of one job, a second apart unless they have a
// time of their own.
func story(events ...event) []event {
	at := time.Unix(1_000_000_000, 0)
	for i := range events {
		e := &events[i]
		at = at.Add(time.Second)
		e.At = at
		if e.What != hit && e.What != resumed {
			e.Key = "k"
			if e.ID == "" {
				e.ID = "1"
			}
		}
	}
	return events
}

func TestJudge(t *testing.T) {
	t.Parallel()
	base := verdict{Plays: 1, Jobs: 1, Acknowledged: 1}
	a := func(what eventKind, step int) event { return event{What: what, Run: "a", PID: 10, Step: step} }
	b := func(what eventKind, step int) event { return event{What: what, Run: "b", PID: 20, Step: step} }
	end := func(state, run string) event { return event{What: looked, Text: state, Run: run} }
	ack := event{What: started}
	killA := event{What: hit, Text: string(kill), PID: 10}
	stopA := event{What: hit, Text: string(stop), PID: 10}
	tests := []struct {
		name   string
		job    job
		events []event
		want   func(*verdict)
	}{
		{"all well", job{Steps: 1}, story(ack, a(began, 0), a(effected, 1), a(saved, 1), a(effected, 2), a(returned, 0), end(succeeded, "a")), func(v *verdict) {
			v.Attempts = 1
		}},
		{"answer lost", job{Steps: 1}, story(event{What: unanswered}, event{What: unanswered}, ack, end(canceled, "")), func(v *verdict) { v.Unanswered = 1 }},
		{"lost", job{Steps: 1}, story(ack, end(unknown, "")), func(v *verdict) { v.Lost = 1 }},
		{"pending", job{Steps: 1}, story(ack, end(pending, "")), func(v *verdict) { v.Pending = 1 }},
		{"failed", job{Steps: 1}, story(ack, end(failed, "")), func(v *verdict) { v.Failed = 1 }},
		{"started twice, run once", job{Steps: 1}, story(ack, event{What: started, ID: "2"}, a(began, 0), end(canceled, "")), func(v *verdict) {
			v.Attempts = 1
		}},
		{"run twice", job{Steps: 1}, story(ack, event{What: started, ID: "2"}, a(began, 0), event{What: began, Run: "b", PID: 20, ID: "2"}, end(canceled, "")), func(v *verdict) {
			v.Attempts, v.Twice = 2, 1
		}},
		{"run twice, acknowledged once", job{Steps: 1}, story(ack, a(began, 0), event{What: began, Run: "b", PID: 20, ID: "2"}, end(canceled, "")), func(v *verdict) {
			v.Attempts, v.Twice = 2, 1
		}},
		{"effects missing", job{Steps: 1}, story(ack, a(began, 0), a(saved, 1), a(returned, 0), end(succeeded, "a")), func(v *verdict) {
			v.Attempts, v.Missing = 1, 2
		}},
		{"effect lost behind its checkpoint", job{Steps: 1, Saves: true}, story(ack, a(began, 0), a(saved, 1), a(effected, 2), a(returned, 0), end(succeeded, "a")), func(v *verdict) {
			v.Attempts = 1
		}},
		{"taken over", job{Steps: 1, Tx: true}, story(ack, a(began, 0), a(effected, 1), killA, b(began, 0), b(effected, 1), b(saved, 1), b(effected, 2), b(returned, 0), end(succeeded, "b")), func(v *verdict) {
			v.Attempts, v.Kills, v.Repeated, v.Taken = 2, 1, 1, []float64{1}
		}},
		{"not taken over", job{Steps: 1}, story(ack, a(began, 0), killA, end(pending, "")), func(v *verdict) {
			v.Attempts, v.Kills, v.NotTaken, v.Pending = 1, 1, 1, 1
		}},
		{"cancelled instead of taken over", job{Steps: 1}, story(ack, a(began, 0), killA, end(canceled, "")), func(v *verdict) {
			v.Attempts, v.Kills = 1, 1
		}},
		{"killed after its end", job{Steps: 1}, story(ack, a(began, 0), a(returned, 0), killA, end(canceled, "")), func(v *verdict) {
			v.Attempts, v.Kills = 1, 1
		}},
		{"late effect, refused", job{Steps: 2}, story(ack, a(began, 0), stopA, b(began, 0), event{What: resumed, PID: 10}, a(effected, 1), a(refused, 1), a(returned, 0),
			b(effected, 1), b(effected, 2), b(effected, 3), b(returned, 0), end(succeeded, "b")), func(v *verdict) {
			v.Attempts, v.Stops, v.Overlaps, v.LateEffects, v.Refused, v.Repeated = 2, 1, 1, 1, 1, 1
		}},
		{"ended late", job{Steps: 1, Tx: true}, story(ack, a(began, 0), a(effected, 1), b(began, 0), a(saved, 1), a(effected, 2), a(returned, 0), b(effected, 2), b(returned, 0),
			end(succeeded, "a")), func(v *verdict) {
			v.Attempts, v.Overlaps, v.LateEffects, v.LateSaves, v.LateEnds, v.Repeated, v.RepeatedEnds = 2, 1, 1, 1, 1, 1, 1
		}},
		{"cancel heard", job{Steps: 1}, story(ack, a(began, 0), event{What: cancelSent}, event{What: cancelDone}, a(heard, 0), a(returned, 0), end(canceled, "")), func(v *verdict) {
			v.Attempts, v.Heard = 1, []float64{1}
		}},
		{"cancel heard before its answer", job{Steps: 1}, story(ack, a(began, 0), event{What: cancelSent}, a(heard, 0), a(returned, 0), event{What: cancelDone}, end(canceled, "")), func(v *verdict) {
			v.Attempts, v.Heard = 1, []float64{0}
		}},
		{"cancel not heard", job{Steps: 1}, story(ack, a(began, 0), event{What: cancelSent}, event{What: cancelDone}, a(returned, 0), end(canceled, "")), func(v *verdict) {
			v.Attempts, v.Unheard = 1, 1
		}},
		{"cancel of a stopped handler", job{Steps: 1}, story(ack, a(began, 0), stopA, event{What: cancelSent}, event{What: cancelDone}, event{What: resumed, PID: 10}, a(returned, 0), end(canceled, "")), func(v *verdict) {
			v.Attempts, v.Stops = 1, 1
		}},
		{"cancelled and failed", job{Steps: 1}, story(ack, a(began, 0), a(returned, 0), event{What: cancelSent}, event{What: cancelDone}, end(failed, "")), func(v *verdict) {
			v.Attempts, v.Failed, v.FailedCancels = 1, 1, 1
		}},
		{"cancel after the end", job{Steps: 1}, story(ack, a(began, 0), a(returned, 0), event{What: cancelSent}, event{What: cancelDone}, end(canceled, "")), func(v *verdict) {
			v.Attempts = 1
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.job.Key = "k"
			want := base
			tt.want(&want)
			if diff := cmp.Diff(want, judge(program{Jobs: []job{tt.job}}, tt.events)); diff != "" {
				t.Errorf("judge() (-want +got):\n%s", diff)
			}
		})
	}
}
