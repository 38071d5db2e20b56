package host

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
)

// metrics counts what a server does, in the text format of Prometheus 0.0.4.
// It is our own: some counters, gauges and two histograms do not need a client
// library in every start of the command.
type metrics struct {
	statser engine.Statser   // nil for an engine that does not count
	meter   engine.Meter     // nil for an engine that does not measure itself
	limits  map[string]int64 // see [Config].limits

	mu       sync.Mutex
	starts   map[[2]string]int64 // kind, code
	attempts map[[2]string]int64 // kind, state
	losses   map[string]int64    // kind
	overdue  map[string]int64    // kind
	running  map[string]int64    // kind
	queued   map[string]*histogram
	duration map[string]*histogram
}

func newMetrics(eng server.Engine, c Config) *metrics {
	statser, _ := eng.(engine.Statser)
	meter, _ := eng.(engine.Meter)
	return &metrics{
		statser: statser, meter: meter, limits: c.limits(),
		starts: map[[2]string]int64{}, attempts: map[[2]string]int64{}, losses: map[string]int64{}, overdue: map[string]int64{},
		running: map[string]int64{}, queued: map[string]*histogram{}, duration: map[string]*histogram{},
	}
}

// buckets are upper bounds in seconds: operations take from milliseconds to
// days.
var buckets = [...]float64{0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400, 86400}

type histogram struct {
	counts [len(buckets)]int64 // not cumulative
	sum    float64
	count  int64
}

func observe(all map[string]*histogram, kind string, d time.Duration) {
	h := all[kind]
	if h == nil {
		h = &histogram{}
		all[kind] = h
	}
	seconds := d.Seconds()
	if i, _ := slices.BinarySearch(buckets[:], seconds); i < len(buckets) {
		h.counts[i]++
	}
	h.sum += seconds
	h.count++
}

// Running returns how many attempts run in this process.
func (h *Host) Running() (n int64) {
	h.metrics.mu.Lock()
	defer h.metrics.mu.Unlock()
	for _, running := range h.metrics.running {
		n += running
	}
	return n
}

func (m *metrics) observer() server.Observer {
	return server.Observer{
		Started: func(_ context.Context, kind string, err error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.starts[[2]string{kind, status.Code(err).String()}]++
		},
		Attempt: func(ctx context.Context, a server.AttemptStart) (context.Context, func(server.AttemptEnd)) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.running[a.Kind]++
			if a.Attempt == 1 {
				observe(m.queued, a.Kind, a.Queued)
			}
			begin := time.Now()
			return ctx, func(end server.AttemptEnd) {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.running[a.Kind]--
				m.attempts[[2]string{a.Kind, end.State.String()}]++
				observe(m.duration, a.Kind, time.Since(begin))
				if end.LeaseLost {
					m.losses[a.Kind]++
				}
				if end.Overdue {
					m.overdue[a.Kind]++
				}
			}
		},
	}
}

// ServeHTTP writes all metrics.
func (m *metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var (
		stats    server.Stats
		measured engine.Metrics
		err      error
	)
	if m.statser != nil {
		stats, err = m.statser.Stats(r.Context())
	}
	if m.meter != nil && err == nil {
		measured, err = m.meter.Metrics(r.Context())
	}
	if err != nil {
		http.Error(w, "the store of operations is unavailable", http.StatusServiceUnavailable)
		return
	}
	stored, pending := map[[2]string]int64{}, map[string]int64{}
	for _, kind := range KindNames() {
		pending[kind] = 0
	}
	for kind, states := range stats.Counts {
		for state, n := range states {
			stored[[2]string{kind, state.String()}] = n
			if state == engine.Pending {
				pending[kind] = n
			}
		}
	}
	var b bytes.Buffer
	m.mu.Lock()
	counter(&b, "lro_starts_total", "counter", "Starts of operations, by the code of the answer.", "code", m.starts)
	counter(&b, "lro_attempts_total", "counter", "Attempts that ended, by the state of the operation after it; PENDING runs again.", "state", m.attempts)
	counter(&b, "lro_lease_losses_total", "counter", "Attempts whose result was refused because they had lost their lease.", "", single(m.losses))
	counter(&b, "lro_overdue_attempts_total", "counter", "Attempts that were ended because their handler ignored its deadline.", "", single(m.overdue))
	counter(&b, "lro_attempts_running", "gauge", "Attempts that run now.", "", single(m.running))
	counter(&b, "lro_attempts_limit", "gauge", "Attempts that may run at once here; the empty kind is all together.", "", single(m.limits))
	writeHistogram(&b, "lro_queue_seconds", "Time from start to the first attempt.", m.queued)
	writeHistogram(&b, "lro_attempt_seconds", "Time an attempt took.", m.duration)
	m.mu.Unlock()
	if m.statser != nil {
		sizes := map[[2]string]int64{}
		for part, n := range stats.Bytes {
			sizes[[2]string{part}] = n
		}
		sample(&b, "lro_store_bytes", "gauge", "Size of the files of the store.", "part", "", sizes)
		counter(&b, "lro_operations", "gauge", "Operations stored.", "state", stored)
		counter(&b, "lro_operations_pending", "gauge", "Operations that wait for an attempt.", "", single(pending))
	}
	if m.meter != nil {
		writeEngine(&b, measured)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

// writeEngine writes what an engine measures; serverotel has the same under other
// names.
func writeEngine(b *bytes.Buffer, m engine.Metrics) {
	depth, age := map[string]int64{}, map[string]float64{}
	for kind, q := range m.Queues {
		depth[kind], age[kind] = q.Depth, q.Age.Seconds()
	}
	counter(b, "lro_engine_queue_depth", "gauge", "Operations that wait for an attempt and may run now.", "", single(depth))
	counter(b, "lro_engine_queue_age_seconds", "gauge", "How long the oldest of them has waited.", "", single(age))
	for _, calls := range []struct {
		name, what string
		engine.CallMetrics
	}{{"claim", "Calls that claim operations", m.Claims}, {"lease_renewal", "Renewals of the process's lease", m.Renewals}} {
		total(b, "lro_engine_"+calls.name+"s_total", calls.what+".", calls.Count)
		total(b, "lro_engine_"+calls.name+"_seconds_total", calls.what+": the time they took.", calls.Time.Seconds())
	}
	total(b, "lro_engine_failed_lease_renewals_total", "Renewals of the process's lease that failed.", m.FailedRenewals)
	sample(b, "lro_engine_dead_rows", "gauge", "Rows that the store has yet to clean up, about.", "table", "", single(m.DeadRows))
	sample(b, "lro_engine_connections", "gauge", "Connections to the store.", "state", "", single(m.Connections))
}

func total[V int64 | float64](b *bytes.Buffer, name, help string, v V) {
	fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s counter\n%s %v\n", name, help, name, name, v)
}

func single[V int64 | float64](all map[string]V) map[[2]string]V {
	out := make(map[[2]string]V, len(all))
	for kind, n := range all {
		out[[2]string{kind}] = n
	}
	return out
}

// counter writes one value for each kind and, where label is not empty, value
// of label.
func counter[V int64 | float64](b *bytes.Buffer, name, kind, help, label string, values map[[2]string]V) {
	sample(b, name, kind, help, "kind", label, values)
}

// sample writes one value for each value of a label and, where it is not empty,
// of a second one.
func sample[V int64 | float64](b *bytes.Buffer, name, kind, help, first, label string, values map[[2]string]V) {
	fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	for _, key := range slices.SortedFunc(maps.Keys(values), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		labels := first + "=" + quoted(key[0])
		if label != "" {
			labels += "," + label + "=" + quoted(key[1])
		}
		fmt.Fprintf(b, "%s{%s} %v\n", name, labels, values[key])
	}
}

func writeHistogram(b *bytes.Buffer, name, help string, all map[string]*histogram) {
	fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name)
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		h, sum := all[kind], int64(0)
		for i, bound := range buckets {
			sum += h.counts[i]
			fmt.Fprintf(b, "%s_bucket{kind=%s,le=%q} %d\n", name, quoted(kind), strconv.FormatFloat(bound, 'g', -1, 64), sum)
		}
		fmt.Fprintf(b, "%s_bucket{kind=%s,le=\"+Inf\"} %d\n", name, quoted(kind), h.count)
		fmt.Fprintf(b, "%s_sum{kind=%s} %g\n%s_count{kind=%s} %d\n", name, quoted(kind), h.sum, name, quoted(kind), h.count)
	}
}

// quoted is a label's value.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
