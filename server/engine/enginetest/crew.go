package enginetest

import (
	"context"
	"sync"

	"github.com/go-lro/lro/server/engine"
)

// crew is a Work whose attempts do what the test says.
type crew struct {
	v    *env
	runs chan *run
	quit chan struct{} // releases attempts that the test leaves

	once   sync.Once
	cancel context.CancelFunc
	done   chan error
}

// run is one attempt in the hands of the test.
type run struct {
	engine.Attempt
	ctx     context.Context
	outcome chan engine.Outcome
}

// end has the attempt return.
func (r *run) end(o engine.Outcome) { r.outcome <- o }

// work starts a Work on v's engine for kinds; none is the kind of the suite.
// It ends with the test.
func (v *env) work(kinds ...string) *crew {
	v.Helper()
	w := engine.Worker{Kinds: map[string]int{}}
	if len(kinds) == 0 {
		kinds = []string{kind}
	}
	for _, k := range kinds {
		w.Kinds[k] = 0
	}
	return v.workAs(w)
}

// workAs is work for a worker without its Run.
func (v *env) workAs(w engine.Worker) *crew {
	v.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(v.Context()))
	c := &crew{
		v: v, cancel: cancel,
		runs: make(chan *run), quit: make(chan struct{}), done: make(chan error, 1),
	}
	w.Run = c.run
	eng := v.eng
	go func() { c.done <- eng.Work(ctx, w) }()
	v.Cleanup(c.stop)
	return c
}

func (c *crew) run(ctx context.Context, a engine.Attempt) engine.Outcome {
	r := &run{Attempt: a, ctx: ctx, outcome: make(chan engine.Outcome, 1)}
	select {
	case c.runs <- r:
	case <-ctx.Done():
		return engine.Outcome{Release: true}
	}
	select {
	case o := <-r.outcome:
		return o
	case <-c.quit:
		return engine.Outcome{Release: true}
	}
}

// next is the next attempt that begins.
func (c *crew) next() *run {
	c.v.Helper()
	select {
	case r := <-c.runs:
		return r
	case err := <-c.done:
		c.done <- err
		c.v.Fatalf("Work() = %v, want another attempt", err)
	case <-c.v.Context().Done():
		c.v.Fatal("the test ended, want another attempt")
	}
	return nil
}

// nextOf is the next attempt, which must be of this operation.
func (c *crew) nextOf(rec *engine.Record) *run {
	c.v.Helper()
	r := c.next()
	if got := r.Record().Name; got != rec.Name {
		c.v.Fatalf("attempt of %q, want %q", got, rec.Name)
	}
	return r
}

// stop ends Work, releases the attempts that were left, and waits.
func (c *crew) stop() {
	c.once.Do(func() {
		c.cancel()
		close(c.quit)
		if err := <-c.done; err != nil {
			c.v.Errorf("Work() = %v, want nil", err)
		}
		c.done <- nil
	})
}

// succeed returns the outcome with this response.
func succeed(s string) engine.Outcome { return engine.Outcome{Response: text(s)} }
