package sqlite

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// bareWriter is what a durable start is measured against: one goroutine that
// appends rows to one table, in groups, each synced.
type bareWriter struct {
	c     *conn
	queue chan *bareRequest
	done  chan struct{}
	seq   int64
}

type bareRequest struct {
	data []byte
	done chan error
}

func newBareWriter(b *testing.B) *bareWriter {
	path := filepath.Join(b.TempDir(), "bare.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil { // connections create no files
		b.Fatal(err)
	}
	c, err := openConn(b.Context(), path, "", writerCache)
	if err != nil {
		b.Fatal(err)
	}
	if err := c.db.Exec("CREATE TABLE bare (seq INTEGER PRIMARY KEY, data BLOB NOT NULL)"); err != nil {
		b.Fatal(err)
	}
	w := &bareWriter{c: c, queue: make(chan *bareRequest, maxGroup), done: make(chan struct{})}
	go w.run()
	b.Cleanup(func() {
		close(w.queue)
		<-w.done
		if err := c.close(); err != nil {
			b.Error(err)
		}
	})
	return w
}

func (w *bareWriter) run() {
	defer close(w.done)
	for r := range w.queue {
		group := []*bareRequest{r}
		for len(group) < maxGroup {
			select {
			case r := <-w.queue:
				group = append(group, r)
				continue
			default:
			}
			break
		}
		err := w.commit(group)
		for _, r := range group {
			r.done <- err
		}
	}
}

func (w *bareWriter) commit(group []*bareRequest) error {
	if err := w.c.execute("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	for _, r := range group {
		w.seq++
		if err := w.c.execute("INSERT INTO bare (seq, data) VALUES (?, ?)", w.seq, blobArg(r.data)); err != nil {
			return err
		}
	}
	return w.c.execute("COMMIT")
}

func (w *bareWriter) write(data []byte) error {
	r := &bareRequest{data: data, done: make(chan error, 1)}
	w.queue <- r
	return <-r.done
}

// burst has callers make n calls each, and returns how long each took.
func burst(b *testing.B, callers, n int, call func(i int) error) (took []time.Duration, total time.Duration) {
	b.Helper()
	took = make([]time.Duration, callers*n)
	begin := time.Now()
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := c * n; i < (c+1)*n; i++ {
				at := time.Now()
				if err := call(i); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(at)
			}
		})
	}
	wg.Wait()
	return took, time.Since(begin)
}

func median(xs []float64) float64 {
	slices.Sort(xs)
	return xs[len(xs)/2]
}

func percentile(ds []time.Duration, p float64) time.Duration {
	slices.Sort(ds)
	return ds[int(p*float64(len(ds)-1))]
}

func payload(b testing.TB, n int) *anypb.Any {
	a, err := anypb.New(wrapperspb.Bytes(make([]byte, n)))
	if err != nil {
		b.Fatal(err)
	}
	return a
}

// BenchmarkStart compares durable starts with bare group commits of rows of
// the same size, 64 callers each, in interleaved rounds. Run it with
// -benchtime=15x: one iteration is one round of both.
func BenchmarkStart(b *testing.B) {
	const callers, each = 64, 60
	type variant struct {
		name      string
		requestID bool
		before    int // operations that are there, with request IDs
	}
	variants := []variant{{"plain", false, 0}, {"request ID", true, 0}}
	if *millions {
		variants = append(variants, variant{"request ID of a million", true, 1_000_000})
	}
	for _, tt := range variants {
		b.Run(tt.name, func(b *testing.B) {
			e := mustOpen(b, filepath.Join(b.TempDir(), "operations.db"), nil)
			fillRequestIDs(b, e, tt.before)
			bare := newBareWriter(b)
			request, row := payload(b, 400), make([]byte, 512)
			var ratios, starts, bares []float64
			var took []time.Duration
			round := 0
			for b.Loop() {
				round++
				_, bareTotal := burst(b, callers, each, func(int) error { return bare.write(row) })
				ds, total := burst(b, callers, each, func(i int) error {
					spec := engine.Spec{Kind: "bench", Parent: "projects/p/locations/l", Request: request}
					if tt.requestID {
						spec.RequestID = fmt.Sprintf("0190b5ac-1111-4222-%04x-%012x", round, i)
					}
					_, err := e.Start(b.Context(), spec)
					return err
				})
				ratios = append(ratios, bareTotal.Seconds()/total.Seconds())
				starts = append(starts, callers*each/total.Seconds())
				bares = append(bares, callers*each/bareTotal.Seconds())
				took = append(took, ds...)
			}
			b.ReportMetric(median(ratios), "of-bare")
			b.ReportMetric(median(starts), "starts/s")
			b.ReportMetric(median(bares), "bare/s")
			p50, p99 := percentile(took, 0.5), percentile(took, 0.99)
			b.ReportMetric(float64(p50.Microseconds()), "p50-us")
			b.ReportMetric(float64(p99)/float64(p50), "p99/p50")
		})
	}
}

// BenchmarkRoundTrip is the life of an operation that does nothing, one after
// the other, in bare commits of one row.
func BenchmarkRoundTrip(b *testing.B) {
	e := mustOpen(b, filepath.Join(b.TempDir(), "operations.db"), nil)
	bare := newBareWriter(b)
	request, row := payload(b, 400), make([]byte, 512)
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		err := e.Work(ctx, engine.Worker{Kinds: map[string]int{"bench": 0},
			Run: func(context.Context, engine.Attempt) engine.Outcome { return engine.Outcome{Response: request} }})
		if err != nil {
			b.Error(err)
		}
	})
	var life, commit []time.Duration
	for b.Loop() {
		at := time.Now()
		if err := bare.write(row); err != nil {
			b.Fatal(err)
		}
		commit = append(commit, time.Since(at))
		at = time.Now()
		rec, err := e.Start(b.Context(), engine.Spec{Kind: "bench", Request: request})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := e.Wait(b.Context(), rec.Name); err != nil {
			b.Fatal(err)
		}
		life = append(life, time.Since(at))
	}
	cancel()
	wg.Wait()
	p50, bare50 := percentile(life, 0.5), percentile(commit, 0.5)
	b.ReportMetric(float64(p50.Microseconds()), "p50-us")
	b.ReportMetric(float64(bare50.Microseconds()), "bare-p50-us")
	b.ReportMetric(float64(p50)/float64(bare50), "bare-commits")
}

func fillRequestIDs(b *testing.B, e *Engine, n int) {
	b.Helper()
	request := payload(b, 400)
	data, err := marshalAny(request)
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < n; i += 1000 {
		err := e.write(b.Context(), 0, func(ba *batch) error {
			for j := i; j < min(i+1000, n); j++ {
				spec := &engine.Spec{Kind: "bench", Parent: "projects/p/locations/l", Request: request, CrashLimit: 1, RequestID: fmt.Sprint(j)}
				if _, err := ba.start(spec, data, enginekit.Random(enginekit.SeqTail)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// fill starts n operations that have ended, and active ones among them.
func fill(b *testing.B, e *Engine, n, active int) (names []string) {
	b.Helper()
	request := payload(b, 400)
	every := max(n/max(active, 1), 1)
	for i := 0; i < n; i += 1000 {
		err := e.write(b.Context(), 0, func(ba *batch) error {
			for j := i; j < min(i+1000, n); j++ {
				r := newRow(&engine.Spec{Kind: "bench", Parent: "projects/p/locations/l", Request: request, CrashLimit: 1}, e.nextSeq, enginekit.Random(enginekit.SeqTail))
				e.nextSeq++
				data, err := marshalAny(request)
				if err != nil {
					return err
				}
				if err := ba.insert(r, data); err != nil {
					return err
				}
				names = append(names, r.rec.Name)
				if j%every == 0 {
					continue
				}
				after := r.edit()
				if err := ba.succeed(r, after, request, now()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return names
}

var millions = flag.Bool("million", false, "benchmarks with a million operations too")

func sizes() []int {
	if *millions {
		return []int{1_000, 100_000, 1_000_000}
	}
	return []int{1_000, 100_000}
}

// BenchmarkGet reads operations at random, from the cache and from disk.
func BenchmarkGet(b *testing.B) {
	for _, n := range sizes() {
		path := filepath.Join(b.TempDir(), "operations.db")
		names := func() []string {
			e := mustOpen(b, path, nil)
			defer e.Close()
			return fill(b, e, n, 100)
		}()
		for _, tt := range []struct {
			name string
			opts Options
		}{{"disk", Options{CacheBytes: -1}}, {"cache", Options{CacheBytes: 8 << 30}}} {
			b.Run(fmt.Sprintf("%s/%d", tt.name, n), func(b *testing.B) {
				e := mustOpen(b, path, &tt.opts)
				defer e.Close()
				rnd := rand.New(rand.NewPCG(1, 2))
				get := func(name string) {
					if _, err := e.Get(b.Context(), name); err != nil {
						b.Fatal(err)
					}
				}
				if tt.opts.CacheBytes > 0 {
					for _, name := range names {
						get(name)
					}
				}
				var took []time.Duration
				for b.Loop() {
					name := names[rnd.IntN(len(names))]
					at := time.Now()
					get(name)
					took = append(took, time.Since(at))
				}
				b.ReportMetric(float64(percentile(took, 0.5).Nanoseconds()), "p50-ns")
			})
		}
	}
}

// BenchmarkList reads a page of 50 of the operations that have not ended: 200
// of all.
func BenchmarkList(b *testing.B) {
	for _, n := range sizes() {
		e := mustOpen(b, filepath.Join(b.TempDir(), "operations.db"), nil)
		fill(b, e, n, 200)
		for _, q := range []struct {
			name  string
			query engine.Query
		}{
			{"active", engine.Query{Parent: "projects/p/locations/l", Where: engine.Where{Done: new(false)}}},
			{"active of any parent", engine.Query{AnyParent: true, Where: engine.Where{Done: new(false)}}},
			{"all", engine.Query{Parent: "projects/p/locations/l"}},
		} {
			b.Run(fmt.Sprintf("%s/%d", q.name, n), func(b *testing.B) {
				q.query.Limit = 50
				var took []time.Duration
				for b.Loop() {
					at := time.Now()
					p, err := e.List(b.Context(), q.query)
					if err != nil || len(p.Records) != 50 {
						b.Fatalf("List() has %d records, %v; want 50", len(p.Records), err)
					}
					took = append(took, time.Since(at))
				}
				b.ReportMetric(float64(percentile(took, 0.5).Microseconds()), "p50-us")
			})
		}
	}
}

// BenchmarkWaiters has 10,000 callers wait, for one operation and for one
// each, and measures how long after its end was acknowledged the last of them
// was answered.
func BenchmarkWaiters(b *testing.B) {
	const waiters = 10_000
	for _, ops := range []int{1, waiters} {
		b.Run(fmt.Sprint(ops, " operations"), func(b *testing.B) {
			e := mustOpen(b, filepath.Join(b.TempDir(), "operations.db"), nil)
			var late []time.Duration
			for b.Loop() {
				late = append(late, waitersRound(b, e, waiters, ops))
			}
			b.ReportMetric(float64(percentile(late, 0.5).Milliseconds()), "last-answer-p50-ms")
		})
	}
}

func waitersRound(b *testing.B, e *Engine, waiters, ops int) time.Duration {
	recs := make([]*engine.Record, ops)
	callers := min(64, ops)
	burst(b, callers, (ops+callers-1)/callers, func(i int) (err error) {
		if i < ops {
			recs[i], err = e.Start(b.Context(), engine.Spec{Kind: "bench", External: true})
		}
		return err
	})
	answered, acknowledged := make([]time.Time, waiters), make([]time.Time, ops)
	var wg sync.WaitGroup
	for i := range waiters {
		wg.Go(func() {
			if _, err := e.Wait(b.Context(), recs[i%ops].Name); err != nil {
				b.Error(err)
			}
			answered[i] = time.Now()
		})
	}
	for e.waits.Len() < waiters {
		runtime.Gosched()
	}
	response := payload(b, 10)
	burst(b, callers, (ops+callers-1)/callers, func(i int) (err error) {
		if i < ops {
			_, err = e.Complete(b.Context(), recs[i].Lease(), engine.Completion{Response: response})
			acknowledged[i] = time.Now()
		}
		return err
	})
	wg.Wait()
	var late time.Duration
	for i, at := range answered {
		late = max(late, at.Sub(acknowledged[i%ops]))
	}
	return late
}
