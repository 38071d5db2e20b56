package main

import (
	"slices"
	"time"
)

// verdict is what a play, or all plays of a contender, show. Durations are in
// seconds.
type verdict struct {
	Plays, Jobs  int
	Acknowledged int // jobs whose start was acknowledged at least once
	Kills, Stops int
	Restarts     int
	Cuts         int
	Unanswered   int // jobs of which a try of a start had no answer
	Attempts     int

	// Lost are jobs whose start was acknowledged and that the system does not know.
	Lost int
	// Twice are keys of which more than one job was run.
	Twice int
	// Repeated are effects that were written before, by any attempt. RepeatedEnds
	// are those of them that belong in the transaction of the end.
	Repeated, RepeatedEnds int
	// Missing are effects that a job that succeeded has not written although it saves
	// its checkpoints after them.
	Missing int
	// Overlaps are jobs of which an older attempt wrote an effect, or saved a
	// checkpoint, after a newer one had begun.
	Overlaps int
	// LateEffects and LateSaves are those.
	LateEffects, LateSaves int
	// LateEnds are jobs that have the result of an attempt though a newer one had
	// begun before that ended.
	LateEnds int
	// Refused are late checkpoints and ends that failed.
	Refused int

	// Taken are the times from a kill to the next attempt of a job that the killed
	// process was running. NotTaken had none and have not ended.
	Taken    []float64
	NotTaken int
	// Heard are the times from an acknowledged cancel to the end of the context of
	// the attempt that was running. Unheard returned without that.
	Heard   []float64
	Unheard int

	// Pending have not ended after the quiet time, Failed ended with an error.
	// FailedCancels are those of them of which a cancel was acknowledged.
	Pending, Failed, FailedCancels int
}

// attemptOf is one attempt of a job, by the journal.
type attemptOf struct {
	run    string
	pid    int
	events []event
}

func (a attemptOf) began() time.Time { return a.events[0].At }

// first returns the time of the first event of a kind after a time, zero for none.
func (a attemptOf) first(what eventKind, after time.Time) time.Time {
	for _, e := range a.events {
		if e.What == what && e.At.After(after) {
			return e.At
		}
	}
	return time.Time{}
}

func inOrder(all []event) []event {
	slices.SortStableFunc(all, func(a, b event) int { return a.At.Compare(b.At) })
	return all
}

// judge reads the journal of one play, in order.
func judge(p program, all []event) verdict {
	v := verdict{Plays: 1, Jobs: len(p.Jobs)}
	ran := make(map[string][]*attemptOf) // by ID, in the order in which they began
	ends := make(map[string]event)       // by ID
	byKey := make(map[string][]string)   // IDs
	runs := make(map[string]*attemptOf)
	unheard := make(map[string]bool) // keys
	for _, e := range all {
		switch e.What {
		case hit:
			v.hit(e)
		case started:
			if !slices.Contains(byKey[e.Key], e.ID) {
				byKey[e.Key] = append(byKey[e.Key], e.ID)
			}
		case unanswered:
			unheard[e.Key] = true
		case looked:
			ends[e.ID] = e
		case began:
			a := &attemptOf{run: e.Run, pid: e.PID}
			runs[e.Run], ran[e.ID] = a, append(ran[e.ID], a)
			if !slices.Contains(byKey[e.Key], e.ID) {
				byKey[e.Key] = append(byKey[e.Key], e.ID)
			}
			v.Attempts++
		}
		if a := runs[e.Run]; a != nil && e.What != looked {
			a.events = append(a.events, e)
		}
	}
	v.Unanswered = len(unheard)
	for _, j := range p.Jobs {
		v.job(j, byKey[j.Key], ran, ends)
	}
	sent := make(map[string]time.Time) // by ID
	for _, e := range all {
		switch {
		case e.What == cancelSent:
			sent[e.ID] = e.At
		case e.What == hit && e.PID != 0 && e.Text != string(stop):
			for id, attempts := range ran {
				v.taken(e, attempts, ends[id].Text)
			}
		case e.What == cancelDone:
			if ends[e.ID].Text == failed {
				v.FailedCancels++
			}
			v.cancel(e, sent[e.ID], ran[e.ID], all)
		}
	}
	return v
}

func (v *verdict) hit(e event) {
	switch e.Text {
	case string(kill):
		v.Kills++
	case string(stop):
		v.Stops++
	case string(restart):
		v.Restarts++
	default:
		v.Cuts++
	}
}

// job judges one key.
func (v *verdict) job(j job, ids []string, ran map[string][]*attemptOf, ends map[string]event) {
	if len(ids) > 0 {
		v.Acknowledged++
	}
	active := 0
	effects := make(map[int]int) // by step
	ok := false
	for _, id := range ids {
		if len(ran[id]) > 0 {
			active++
		}
		for i, a := range ran[id] {
			v.overlap(a, ran[id][i+1:], effects)
		}
		v.ended(ends[id], ran[id])
		ok = ok || ends[id].Text == succeeded
	}
	if active > 1 {
		v.Twice++
	}
	for step := 1; step <= j.Steps+1; step++ {
		again := max(0, effects[step]-1)
		v.Repeated += again
		if j.Tx && step > j.Steps {
			v.RepeatedEnds += again
		}
		if ok && effects[step] == 0 && (!j.Saves || step > j.Steps) {
			v.Missing++
		}
	}
}

// overlap judges an attempt by the newer ones, and adds its effects.
func (v *verdict) overlap(a *attemptOf, newer []*attemptOf, effects map[int]int) {
	late := 0
	for _, e := range a.events {
		if e.What == effected {
			effects[e.Step]++
		}
		if len(newer) == 0 || !e.At.After(newer[0].began()) {
			continue
		}
		switch e.What {
		case effected:
			v.LateEffects++
			late++
		case saved:
			v.LateSaves++
			late++
		case refused:
			v.Refused++
		}
	}
	if late > 0 {
		v.Overlaps++
	}
}

func (v *verdict) ended(end event, attempts []*attemptOf) {
	switch end.Text {
	case unknown:
		v.Lost++
	case pending:
		v.Pending++
	case failed:
		v.Failed++
	case succeeded:
		i := slices.IndexFunc(attempts, func(a *attemptOf) bool { return a.run == end.Run })
		if i < 0 || i == len(attempts)-1 {
			return
		}
		// It may have ended before the newer one began; then that one was needless,
		// which is in its effects.
		if back := attempts[i].first(returned, attempts[i].began()); back.After(attempts[i+1].began()) {
			v.LateEnds++
		}
	}
}

// taken judges what became of a job at a kill.
func (v *verdict) taken(e event, attempts []*attemptOf, state string) {
	for i, a := range attempts {
		if a.pid != e.PID || a.began().After(e.At) || !a.first(returned, a.began()).IsZero() {
			continue
		}
		if i+1 < len(attempts) {
			if next := attempts[i+1].began(); next.After(e.At) {
				v.Taken = append(v.Taken, next.Sub(e.At).Seconds())
			}
		} else if state == pending {
			v.NotTaken++
		}
	}
}

// cancel judges what the attempt heard that ran when a cancel was sent, which was
// acknowledged at e.
func (v *verdict) cancel(e event, sent time.Time, attempts []*attemptOf, all []event) {
	i := slices.IndexFunc(attempts, func(a *attemptOf) bool { return a.began().After(sent) })
	if i < 0 {
		i = len(attempts)
	}
	if i == 0 {
		return // it did not run
	}
	a := attempts[i-1]
	back := a.first(returned, a.began())
	if back.IsZero() {
		back = all[len(all)-1].At // it has not returned
	}
	if back.Before(sent) || disturbed(a.pid, sent, back, all) {
		return
	}
	// It may be heard of before the answer of the call is.
	if at := a.first(heard, sent); !at.IsZero() {
		v.Heard = append(v.Heard, max(0, at.Sub(e.At).Seconds()))
		return
	}
	v.Unheard++
}

// disturbed reports whether a process was killed or stopped in a time, or was
// stopped when it began.
func disturbed(pid int, from, to time.Time, all []event) bool {
	stopped := false
	for _, e := range all {
		if e.PID != pid || e.At.After(to) {
			continue
		}
		switch e.What {
		case hit:
			stopped = true
		case resumed:
			if e.At.Before(from) {
				stopped = false
			}
		}
	}
	return stopped
}

// add adds another play.
func (v *verdict) add(o verdict) {
	for _, n := range []struct {
		to   *int
		from int
	}{
		{&v.Plays, o.Plays}, {&v.Jobs, o.Jobs}, {&v.Acknowledged, o.Acknowledged}, {&v.Kills, o.Kills}, {&v.Stops, o.Stops},
		{&v.Restarts, o.Restarts}, {&v.Cuts, o.Cuts}, {&v.Unanswered, o.Unanswered}, {&v.Attempts, o.Attempts}, {&v.Lost, o.Lost}, {&v.Twice, o.Twice},
		{&v.Repeated, o.Repeated}, {&v.RepeatedEnds, o.RepeatedEnds}, {&v.Missing, o.Missing}, {&v.Overlaps, o.Overlaps}, {&v.LateEffects, o.LateEffects},
		{&v.LateSaves, o.LateSaves}, {&v.LateEnds, o.LateEnds}, {&v.Refused, o.Refused}, {&v.NotTaken, o.NotTaken},
		{&v.Unheard, o.Unheard}, {&v.Pending, o.Pending}, {&v.Failed, o.Failed},
		{&v.FailedCancels, o.FailedCancels},
	} {
		*n.to += n.from
	}
	v.Taken = append(v.Taken, o.Taken...)
	v.Heard = append(v.Heard, o.Heard...)
}
