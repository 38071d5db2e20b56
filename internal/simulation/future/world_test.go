package future

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lropb"
)

// settle is how long after the end of a program the last calls may take.
const settle = time.Hour

type operation = lro.Operation[*wrapperspb.StringValue, *lropb.OperationMetadata]

// world runs a program, and keeps its history.
type world struct {
	p        *program
	begin    time.Time
	services []*service
	clients  []*lro.Client

	mu      sync.Mutex
	handles []*operation // nil for one that is not started
	order   int
	calls   []*rpc
	visits  []*visit
	events  []event
	ops     []*op
	left    []restart
	wrong   []string
	faults  map[string]int
}

// moment is a time, and the place in the order of all that happens.
type moment struct {
	at    time.Duration
	order int
}

func (m moment) before(n moment) bool { return m.order < n.order }
func (m moment) known() bool          { return m.order > 0 }

func (w *world) nowLocked() moment {
	w.order++
	return moment{time.Since(w.begin), w.order}
}

func (w *world) now() moment {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.nowLocked()
}

func (w *world) complain(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

// restart is a loop over a group that was left, and begun again.
type restart struct {
	moment
	by *visit
}

// event is one of the observer's.
type event struct {
	moment
	kind         eventKind
	client       int
	name         string
	span, poll   int // numbers of ours, of the wait and of the poll
	number       int // of a poll in its wait
	polls        int // of WaitEnd
	done, failed bool
}

type eventKind int

const (
	waitStart eventKind = iota
	waitEnd
	pollStart
	pollEnd
)

type (
	visitKey struct{}
	spanKey  struct{}
	pollKey  struct{}
)

func (w *world) observer(client int) *lro.Observer {
	add := func(e event) int {
		w.mu.Lock()
		defer w.mu.Unlock()
		e.client, e.moment = client, w.nowLocked()
		w.events = append(w.events, e)
		return e.order
	}
	number := func(ctx context.Context, key any) int {
		n, _ := ctx.Value(key).(int)
		return n
	}
	return &lro.Observer{
		WaitStart: func(ctx context.Context, e lro.WaitStart) context.Context {
			return context.WithValue(ctx, spanKey{}, add(event{kind: waitStart, name: e.Operation}))
		},
		WaitEnd: func(ctx context.Context, e lro.WaitEnd) {
			add(event{kind: waitEnd, name: e.Operation, span: number(ctx, spanKey{}), polls: e.Polls, done: e.Snapshot.Done(), failed: e.Err != nil})
		},
		PollStart: func(ctx context.Context, e lro.PollStart) context.Context {
			return context.WithValue(ctx, pollKey{}, add(event{kind: pollStart, name: e.Operation, span: number(ctx, spanKey{}), number: e.Number}))
		},
		PollEnd: func(ctx context.Context, e lro.PollEnd) {
			add(event{
				kind: pollEnd, name: e.Operation, span: number(ctx, spanKey{}), poll: number(ctx, pollKey{}), number: e.Number,
				done: e.Snapshot.Done(), failed: e.Err != nil,
			})
		},
	}
}

func nameOf(op int) string { return fmt.Sprintf("operations/%d", op) }

// play runs a program in a bubble of its own.
func play(t *testing.T, p *program) *world {
	w := &world{p: p, faults: map[string]int{}}
	synctest.Test(t, func(t *testing.T) { w.run(t) })
	return w
}

func (w *world) run(t *testing.T) {
	w.begin = time.Now()
	for i := range w.p.ops {
		w.ops = append(w.ops, newOp(w, i))
	}
	for i, c := range w.p.clients {
		opts := []lro.ClientOption{lro.WithPolicy(c.policy), lro.WithLongPolls(c.longPolls)}
		if o := w.observer(i); c.observed == pollHooks {
			opts = append(opts, lro.WithObserver(&lro.Observer{PollStart: o.PollStart, PollEnd: o.PollEnd}))
		} else if c.observed == allHooks {
			opts = append(opts, lro.WithObserver(o))
		}
		s := &service{w: w, client: i, met: make(map[int]int)}
		w.services = append(w.services, s)
		w.clients = append(w.clients, lro.NewClient(s.offered(), opts...))
	}
	w.handles = make([]*operation, len(w.p.handles))

	type entry struct {
		at time.Duration
		do func()
	}
	alive, kill := context.WithDeadline(t.Context(), w.begin.Add(w.p.end))
	defer kill()
	ctx, end := context.WithCancel(context.WithoutCancel(alive))
	context.AfterFunc(alive, end)
	defer end()
	var timeline []entry
	for i, h := range w.p.handles {
		if h.started {
			continue
		}
		timeline = append(timeline, entry{h.at, func() { w.handle(i, h) }})
	}
	for _, s := range w.p.steps {
		if s.Do != doFault {
			timeline = append(timeline, entry{s.At, func() { w.act(ctx, s) }})
		}
	}
	slices.SortStableFunc(timeline, func(a, b entry) int { return int(a.at - b.at) })
	for _, e := range timeline {
		time.Sleep(e.at - time.Since(w.begin)) // sleep: in the bubble of play
		e.do()
	}
	time.Sleep(w.p.end + settle - time.Since(w.begin)) // sleep: in the bubble of play
	synctest.Wait()
	w.leaks(t)
}

func (h handleSpec) method() (m lro.Method[*wrapperspb.StringValue, *lropb.OperationMetadata]) {
	if h.named {
		m.Name = "sim.Work"
	}
	return m
}

func (w *world) handle(i int, h handleSpec) {
	var op *operation
	var err error
	if h.resumed {
		op, err = h.method().Resume(w.clients[h.client], nameOf(h.op))
	} else {
		op, err = h.method().Wrap(w.clients[h.client], w.ops[h.op].state(0))
	}
	if err != nil {
		panic(err)
	}
	w.setHandle(i, op)
}

func (w *world) setHandle(i int, op *operation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handles[i] = op
}

func (w *world) handleOf(i int) *operation {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.handles[i]
}

// leaks complains about callers without an end, and goroutines that are left.
func (w *world) leaks(t *testing.T) {
	w.mu.Lock()
	for _, v := range w.visits {
		if !v.to.known() {
			w.wrong = append(w.wrong, fmt.Sprintf("never returned: %v", v))
			t.Errorf("seed %d:\nnever returned: %v", w.p.seed, v) // before the bubble ends the process
		}
	}
	for _, c := range w.calls {
		if !c.to.known() {
			w.wrong = append(w.wrong, fmt.Sprintf("never ended: %v", c))
		}
	}
	w.mu.Unlock()
	buf := make([]byte, 1<<20)
	stacks := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
	_, mine, _ := bytes.Cut([]byte(firstLine(stacks[0])), []byte("synctest bubble "))
	id, _, _ := bytes.Cut(mine, []byte("]"))
	for _, s := range stacks[1:] {
		first := firstLine(s)
		if strings.Contains(first, "synctest bubble "+string(id)+"]") && strings.Contains(s, "go-lro/lro.") {
			w.complain("a goroutine is left:\n%s", s)
			t.Errorf("seed %d:\na goroutine is left", w.p.seed)
		}
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
