package console

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/lropb"
)

// at moves an operation so that it ended so long ago.
func at(op Operation, ago, took time.Duration) Operation {
	op.Info.EndTime = time.Now().Add(-ago)
	op.Info.StartTime = op.Info.EndTime.Add(-took)
	op.Info.CreateTime = op.Info.StartTime.Add(-time.Second)
	return op
}

func TestOverview(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // what the clock says is known
		locked := &spb.Status{Code: 14, Message: "x"}
		src := &fullSource{counts: Counts{
			"export": {lropb.OperationMetadata_RUNNING: 1234, lropb.OperationMetadata_PENDING: 5},
			"idle":   {lropb.OperationMetadata_SUCCEEDED: 9},
		}}
		for i := range 10 {
			src.put(at(ended(t, fmt.Sprintf("operations/s%d", i), nil), 90*time.Second, time.Duration(i+1)*time.Second))
		}
		src.put(at(ended(t, "operations/f", locked), 90*time.Second, time.Minute))
		src.put(at(ended(t, "operations/old", nil), 3*time.Hour, time.Hour))
		h := newHandler(t, src, Config{})
		code, page := get(t, h, "/overview")
		if code != http.StatusOK {
			t.Fatalf("GET /overview = %d, want 200", code)
		}
		wantIn(t, "the overview", page,
			`<span class="value">1,234</span>`, `<span class="value">10</span>`, `<span class="value">90.9 %</span>`,
			"10 succeeded, 1 failed", "From all 12 operations", "6.0 s", "1 min 00 s",
			`href="./?filter=kind&#43;%3D&#43;%22export%22"`)
		wantNotIn(t, "the overview", page, "1 h 00 min", "idle", "This service")
		_, page = get(t, h, "/overview?window=day")
		wantIn(t, "the overview of a day", page, "1 h 00 min", "Ended per half hour")
	})
}

func TestOverviewWithoutCapabilities(t *testing.T) {
	t.Parallel()
	op := ended(t, "operations/one", nil)
	op.Info, op.Message.Metadata = nil, nil
	src := &plainSource{ops: []Operation{running(t, "operations/r", 1), op}}
	_, page := get(t, newHandler(t, src, Config{}), "/overview")
	wantIn(t, "the overview", page, "does not count its operations", "1 of the operations that ended have no end time", `<span class="value">1</span>`)
	wantNotIn(t, "the overview", page, `href="./?filter`, `href="./?state`)
}

func TestOverviewProblem(t *testing.T) {
	t.Parallel()
	src := &plainSource{err: status.Error(codes.Unavailable, "away")}
	code, page := get(t, newHandler(t, src, Config{}), "/overview")
	if code != http.StatusServiceUnavailable {
		t.Errorf("GET /overview = %d, want 503", code)
	}
	wantIn(t, "the page", page, "away", "data-retry")
}

// TestSampleIsBounded reads no more than is needed of a list without an end.
func TestSampleIsBounded(t *testing.T) {
	t.Parallel()
	src := &plainSource{ops: many(t, sampleSize+10)}
	for _, op := range src.ops {
		op.Info.CreateTime = time.Now()
	}
	_, page := get(t, newHandler(t, src, Config{}), "/overview")
	wantIn(t, "the overview", page, "From the newest 5,000 operations", "so the chart begins late")
	if len(src.queries) != sampleSize/samplePage {
		t.Errorf("%d calls of List, want %d", len(src.queries), sampleSize/samplePage)
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	w := window{length: 3 * time.Minute, step: time.Minute}
	end := began
	ended := func(before time.Duration, s State) facts { return facts{state: s, ended: end.Add(-before)} }
	s := sample{ops: []facts{
		ended(0, lropb.OperationMetadata_SUCCEEDED),               // at the end: outside
		ended(time.Nanosecond, lropb.OperationMetadata_SUCCEEDED), // in the last
		ended(time.Minute, lropb.OperationMetadata_FAILED),        // begins the last
		ended(3*time.Minute, lropb.OperationMetadata_CANCELLED),   // begins the first
		ended(3*time.Minute+1, lropb.OperationMetadata_SUCCEEDED), // before
		{state: lropb.OperationMetadata_RUNNING},
		{state: lropb.OperationMetadata_SUCCEEDED}, // does not tell when
	}}
	var got [][outcomes]int
	for _, b := range s.bucketsOf(w, end) {
		got = append(got, b.n)
	}
	if diff := cmp.Diff([][outcomes]int{{0, 0, 1}, {}, {1, 1, 0}}, got); diff != "" {
		t.Errorf("bucketsOf (-want +got):\n%s", diff)
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1))
	}
	tests := []struct {
		sorted []time.Duration
		p      int
		want   time.Duration
	}{
		{nil, 50, -1}, {[]time.Duration{7}, 50, 7}, {[]time.Duration{7}, 99, 7}, {[]time.Duration{1, 2}, 50, 1},
		{[]time.Duration{1, 2, 3}, 50, 2}, {hundred, 50, 50}, {hundred, 99, 99}, {hundred, 100, 100}, {hundred, 0, 1},
	}
	for _, tt := range tests {
		if got := percentile(tt.sorted, tt.p); got != tt.want {
			t.Errorf("percentile of %d values, %d = %d, want %d", len(tt.sorted), tt.p, got, tt.want)
		}
	}
}

func TestNiceTop(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{0: 2, 1: 2, 2: 2, 3: 4, 5: 6, 7: 10, 11: 20, 61: 100, 101: 200, 4001: 6000} {
		if got := niceTop(n); got != want {
			t.Errorf("niceTop(%d) = %d, want %d", n, got, want)
		}
	}
}

func TestChart(t *testing.T) {
	t.Parallel()
	w := windows[0]
	buckets := make([]bucket, 60)
	buckets[59].n = [outcomes]int{30, 10, 0}
	c := chartOf(buckets, w)
	parts := c.Bars[59].Parts
	if len(c.Bars) != 60 || len(parts) != 2 || parts[0].Key != "failed" || parts[1].Key != "succeeded" {
		t.Fatalf("chart = %+v, want 60 bars and the last with failed below succeeded", c.Bars[59])
	}
	plot := c.Base - chartTop
	if want := round(plot * 10 / 40); parts[0].Height != want || parts[0].Y != round(c.Base-want) {
		t.Errorf("failed = %+v, want a quarter of the height, %v", parts[0], want)
	}
	if parts[1].Y < chartTop-0.1 || c.Grid[2].Value != "40" {
		t.Errorf("succeeded = %+v, grid %+v, want it to reach 40 at the top", parts[1], c.Grid)
	}
	if last := c.Bars[59]; last.X+last.Width > c.Right {
		t.Errorf("the last bar ends at %v, right of %v", last.X+last.Width, c.Right)
	}
	if !chartOf(make([]bucket, 60), w).Empty {
		t.Error("a chart of nothing is not empty")
	}
}

func TestScale(t *testing.T) {
	t.Parallel()
	short := []time.Duration{time.Second, time.Second, 2 * time.Second}
	long := []time.Duration{0, time.Hour}
	s := scaleOf([]kindTimes{{Ran: short}, {Ran: long}})
	for _, sorted := range [][]time.Duration{short, long, {time.Second}} {
		r := s.rangeOf(sorted)
		if r.P50 < 0 || r.P50+r.Width > 100 || r.Width50 > r.Width {
			t.Errorf("rangeOf(%v) = %+v, want it within 0 to 100", sorted, r)
		}
	}
	if r := scaleOf([]kindTimes{{Ran: short[:1]}}).rangeOf(short[:1]); r.Width != 0 {
		t.Errorf("range of one value = %+v, want no width", r)
	}
}
