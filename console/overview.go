package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/console/internal/tree"
)

// window is a stretch of time that the overview shows, up to now.
type window struct {
	key, label   string
	length, step time.Duration
	per          string // what a bar stands for
}

// windows are the choices; the first is the default.
var windows = []window{
	{"hour", "Last hour", time.Hour, time.Minute, "minute"},
	{"day", "Last day", 24 * time.Hour, 30 * time.Minute, "half hour"},
	{"week", "Last week", 7 * 24 * time.Hour, 4 * time.Hour, "4 hours"},
}

func windowOf(key string) window {
	for _, w := range windows {
		if w.key == key {
			return w
		}
	}
	return windows[0]
}

// maxKinds bounds the lines of the overview's tables.
const maxKinds = 15

// overviewView is the overview.
type overviewView struct {
	Windows  []tab
	Window   string
	Per      string
	Tiles    []tile
	Chart    chart
	Loads    []loadView
	LoadRest int // kinds left out
	Times    []timesView
	TimeRest int
	Notes    []string
	Sampled  int
	Oldest   moment
	Whole    bool
}

// tile is one number.
type tile struct {
	Key   string // for styles
	Label string
	Value string
	Note  string
	URL   string
}

// loadView is a line of what runs and waits.
type loadView struct {
	kindLoad
	URL                string
	RunWidth, PendLeft float64 // of 100
	PendWidth          float64
}

// timesView is a line of the durations of a kind.
type timesView struct {
	Kind               string
	URL                string
	Ended              int
	P50, P90, P99, Max string
	Wait               string // 90th percentile
	Range              timeRange
}

func (h *Handler) serveOverview(w http.ResponseWriter, r *http.Request) {
	if !h.allow(w, r, Access{Action: View}) {
		return
	}
	ctx, cancel := h.limited(r)
	defer cancel()
	win := windowOf(r.URL.Query().Get("window"))
	v, err := h.overviewView(ctx, h.viewOf(r), win)
	if err != nil {
		h.serveProblem(w, r, h.problemOf(ctx, err))
		return
	}
	h.servePage(w, r, http.StatusOK, "overview", page{
		Title: "Overview", Nav: "overview", Body: v,
		Events: "events?" + url.Values{"page": {"overview"}, "window": {win.key}}.Encode(),
	})
}

func (h *Handler) overviewView(ctx context.Context, mine view, win window) (overviewView, error) {
	v := overviewView{Window: win.label, Per: win.per}
	for _, w := range windows {
		v.Windows = append(v.Windows, tab{Key: w.key, Label: w.label, URL: "overview?window=" + w.key, Current: w.key == win.key})
	}
	s, err := h.takeSample(ctx, mine)
	if err != nil {
		return overviewView{}, err
	}
	counts, err := mine.counts(ctx)
	if err != nil {
		counts = nil
	}
	states := h.filtersState(ctx)
	end := time.Now().UTC().Truncate(win.step).Add(win.step)
	begin := end.Add(-win.length)
	buckets := s.bucketsOf(win, end)
	v.Sampled, v.Oldest, v.Whole = len(s.ops), moment{s.oldest}, s.whole
	v.Chart = chartOf(buckets, win)
	loads := s.activeByKind(counts)
	v.Tiles = tilesOf(loads, buckets, s.whole || counts != nil, states)
	v.Loads, v.LoadRest = loadViews(loads, states)
	v.Times, v.TimeRest = timesViews(s.timesByKind(begin), states)
	v.Notes = overviewNotes(s, begin, err)
	return v, nil
}

func overviewNotes(s sample, begin time.Time, countErr error) []string {
	var notes []string
	switch {
	case countErr == nil:
	case errors.Is(countErr, errors.ErrUnsupported):
		notes = append(notes, "This service does not count its operations: running and pending ones are counted among those that were read.")
	case status.Code(countErr) == codes.PermissionDenied:
		notes = append(notes, "You may not see how many operations there are: running and pending ones are counted among those that were read.")
	default:
		notes = append(notes, "The operations could not be counted just now: running and pending ones are counted among those that were read.")
	}
	if !s.whole && !s.oldest.IsZero() && s.oldest.After(begin) {
		notes = append(notes, "There are more operations in this period than were read, so the chart begins late and the durations are those of the newest.")
	}
	untimed := 0
	for _, f := range s.ops {
		if f.isDone() && f.ended.IsZero() {
			untimed++
		}
	}
	if untimed > 0 {
		notes = append(notes, fmt.Sprintf("%s of the operations that ended have no end time, and are missing in the chart.", count(int64(untimed))))
	}
	return notes
}

// tilesOf makes the numbers at the top. exact reports whether all that is
// active was counted.
func tilesOf(loads []kindLoad, buckets []bucket, exact, states bool) []tile {
	var running, pending int64
	for _, l := range loads {
		running, pending = running+l.Running, pending+l.Pending
	}
	var n [outcomes]int
	for _, b := range buckets {
		for o := range n {
			n[o] += b.n[o]
		}
	}
	note := ""
	if !exact {
		note = "of those read"
	}
	link := func(tab string) string {
		if !states {
			return ""
		}
		return listQuery{Tab: tab, First: 1}.URL()
	}
	rate := "–"
	if judged := n[succeeded] + n[failed]; judged > 0 {
		rate = fmt.Sprintf("%.1f %%", float64(n[succeeded])/float64(judged)*100)
		if n[failed] == 0 {
			rate = "100 %"
		}
	}
	return []tile{
		{"running", "Running", count(running), note, link("running")},
		{"pending", "Pending", count(pending), note, link("pending")},
		{"succeeded", "Succeeded", count(int64(n[succeeded])), "", link("succeeded")},
		{"failed", "Failed", count(int64(n[failed])), "", link("failed")},
		{"cancelled", "Cancelled", count(int64(n[cancelled])), "", link("cancelled")},
		{"rate", "Success", rate, "of those not cancelled", ""},
	}
}

// ofKind is the list of the operations of a kind, empty where a source cannot
// filter so.
func ofKind(kind, tab string, states bool) string {
	if !states || kind == "" {
		return ""
	}
	return listQuery{Filter: "kind = " + quoteValue(kind), Tab: tab, First: 1}.URL()
}

func loadViews(loads []kindLoad, states bool) ([]loadView, int) {
	var most int64 = 1
	for _, l := range loads {
		most = max(most, l.Running+l.Pending)
	}
	rest := max(0, len(loads)-maxKinds)
	views := make([]loadView, 0, len(loads)-rest)
	for _, l := range loads[:len(loads)-rest] {
		v := loadView{kindLoad: l, URL: ofKind(l.Kind, "", states)}
		v.Kind = kindLabel(l.Kind)
		v.RunWidth = float64(l.Running) / float64(most) * 100
		v.PendLeft, v.PendWidth = v.RunWidth, float64(l.Pending)/float64(most)*100
		views = append(views, v)
	}
	return views, rest
}

func timesViews(times []kindTimes, states bool) ([]timesView, int) {
	rest := max(0, len(times)-maxKinds)
	times = times[:len(times)-rest]
	scale := scaleOf(times)
	views := make([]timesView, 0, len(times))
	for _, t := range times {
		v := timesView{
			Kind: kindLabel(t.Kind), URL: ofKind(t.Kind, "", states), Ended: t.Ended,
			P50: span(percentile(t.Ran, 50)), P90: span(percentile(t.Ran, 90)),
			P99: span(percentile(t.Ran, 99)), Max: span(percentile(t.Ran, 100)),
			Wait: "–", Range: scale.rangeOf(t.Ran),
		}
		if len(t.Wait) > 0 {
			v.Wait = span(percentile(t.Wait, 90))
		}
		views = append(views, v)
	}
	return views, rest
}

func kindLabel(kind string) string {
	if kind == "" {
		return "(unknown)"
	}
	return tree.Line(clip(kind, maxRowText))
}
