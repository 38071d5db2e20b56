package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/server/engine"
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
	c, err := openConn(b.Context(), filepath.Join(b.TempDir(), "bare.db"), "", writerCache)
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
	for _, tt := range []struct {
		name      string
		requestID bool
	}{{"plain", false}, {"request ID", true}} {
		b.Run(tt.name, func(b *testing.B) {
			e := mustOpen(b, filepath.Join(b.TempDir(), "operations.db"), nil)
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
