package console

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/go-lro/lro/lropb"
)

// sampleSize is how many operations the overview is made of, at most: the
// newest.
const sampleSize = 5000

// samplePage is how many operations are requested at once.
const samplePage = 1000

// sample is what the overview knows.
type sample struct {
	ops    []facts
	whole  bool      // there are no others
	oldest time.Time // when the oldest was created; zero when not known
}

// takeSample reads the newest operations, as many as it gets in a moment.
func (h *Handler) takeSample(ctx context.Context, mine view) (sample, error) {
	end := time.Now().Add(soon)
	var s sample
	for token := ""; ; {
		got, err := mine.list(ctx, Query{PageSize: min(samplePage, sampleSize-len(s.ops)), PageToken: token})
		if err != nil {
			return sample{}, err
		}
		for _, op := range got.Operations {
			if tooLarge(op.Message.GetMetadata()) {
				op.Message = withoutMetadata(op.Message)
			}
			f := h.factsOf(ctx, op)
			s.ops = append(s.ops, f)
			if !f.created.IsZero() && (s.oldest.IsZero() || f.created.Before(s.oldest)) {
				s.oldest = f.created
			}
		}
		if got.Next == token && token != "" {
			return sample{}, errSameToken
		}
		token = got.Next
		if s.whole = token == ""; s.whole || len(s.ops) >= sampleSize || time.Now().After(end) {
			return s, nil
		}
	}
}

// outcome is an index into the numbers of how operations ended.
type outcome int

const (
	succeeded outcome = iota
	failed
	cancelled
	outcomes // how many there are
)

func outcomeOf(s State) (outcome, bool) {
	switch s {
	case lropb.OperationMetadata_SUCCEEDED:
		return succeeded, true
	case lropb.OperationMetadata_FAILED:
		return failed, true
	case lropb.OperationMetadata_CANCELLED:
		return cancelled, true
	}
	return 0, false
}

// bucket is how many operations ended in a stretch of time.
type bucket struct {
	begin time.Time
	n     [outcomes]int
}

func (b bucket) sum() int { return b.n[succeeded] + b.n[failed] + b.n[cancelled] }

// bucketsOf counts the operations that ended in the window before end.
func (s sample) bucketsOf(w window, end time.Time) []bucket {
	begin := end.Add(-w.length)
	buckets := make([]bucket, w.length/w.step)
	for i := range buckets {
		buckets[i].begin = begin.Add(time.Duration(i) * w.step)
	}
	for _, f := range s.ops {
		o, ok := outcomeOf(f.state)
		if !ok || f.ended.Before(begin) || !f.ended.Before(end) {
			continue
		}
		buckets[f.ended.Sub(begin)/w.step].n[o]++
	}
	return buckets
}

// activeByKind counts what waits and what runs, from the source's counts where
// it has them.
func (s sample) activeByKind(counts Counts) []kindLoad {
	byKind := map[string]*kindLoad{}
	at := func(kind string) *kindLoad {
		if byKind[kind] == nil {
			byKind[kind] = &kindLoad{Kind: kind}
		}
		return byKind[kind]
	}
	for kind, states := range counts {
		pending, running := states[lropb.OperationMetadata_PENDING], states[lropb.OperationMetadata_RUNNING]
		if pending+running > 0 {
			at(kind).Pending, at(kind).Running = pending, running
		}
	}
	for _, f := range s.ops {
		switch {
		case counts != nil || f.isDone():
		case f.state == lropb.OperationMetadata_PENDING:
			at(f.kind).Pending++
		default:
			at(f.kind).Running++
		}
	}
	loads := make([]kindLoad, 0, len(byKind))
	for _, l := range byKind {
		loads = append(loads, *l)
	}
	slices.SortFunc(loads, func(a, b kindLoad) int {
		return cmp.Or(cmp.Compare(b.Running+b.Pending, a.Running+a.Pending), cmp.Compare(a.Kind, b.Kind))
	})
	return loads
}

// kindLoad is what waits and runs of one kind.
type kindLoad struct {
	Kind             string
	Running, Pending int64
}

// kindTimes are the durations of the operations of one kind that ended.
type kindTimes struct {
	Kind  string
	Ended int
	Ran   []time.Duration // sorted
	Wait  []time.Duration // sorted
}

// timesByKind returns how long operations took that ended after begin.
func (s sample) timesByKind(begin time.Time) []kindTimes {
	byKind := map[string]*kindTimes{}
	for _, f := range s.ops {
		d := f.took()
		if !f.isDone() || d < 0 || f.ended.Before(begin) {
			continue
		}
		t := byKind[f.kind]
		if t == nil {
			t = &kindTimes{Kind: f.kind}
			byKind[f.kind] = t
		}
		t.Ended++
		t.Ran = append(t.Ran, d)
		if !f.started.IsZero() && !f.created.IsZero() {
			t.Wait = append(t.Wait, max(0, f.started.Sub(f.created)))
		}
	}
	times := make([]kindTimes, 0, len(byKind))
	for _, t := range byKind {
		slices.Sort(t.Ran)
		slices.Sort(t.Wait)
		times = append(times, *t)
	}
	slices.SortFunc(times, func(a, b kindTimes) int {
		return cmp.Or(cmp.Compare(b.Ended, a.Ended), cmp.Compare(a.Kind, b.Kind))
	})
	return times
}

// percentile returns the value that p percent of the sorted ones do not
// exceed, by the nearest rank; negative when there are none.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return -1
	}
	rank := (len(sorted)*p + 99) / 100
	return sorted[max(rank, 1)-1]
}
