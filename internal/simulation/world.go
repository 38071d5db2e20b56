package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/oracle"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
)

const (
	// callTimeout is the deadline of the callers' calls.
	callTimeout = 20 * time.Second
	// settleTime is how long operations may take to end once there are no more
	// faults. It is longer than any script with its retries, and than a lease. The
	// operations of a kind with a limit wait for each other besides: see queue.
	settleTime = 5 * time.Minute
)

// world is one run of a program.
type world struct {
	program *program
	history *history
	clock   *clock
	fleet   fleet
	links   []*link
	clients []*lro.Client
	traits  Traits
	actors  sync.WaitGroup // all that is not a caller and belongs to the run
	calm    atomic.Bool    // no more faults

	mu     sync.Mutex
	slots  map[string]int   // by name
	known  map[int][]string // names by slot, in the order in which they became known
	latest map[int]int      // slot by key
	counts map[string]int   // faults by name
	rows   []string
	wrong  []string // found while it ran

	subscribers []*subscriber
}

// result is what is left of a run.
type result struct {
	Seed    uint64
	Keys    []string // kind of each key
	Servers int      // of each process
	Lossy   bool     // the network loses calls
	Faulty  bool     // the store refuses changes, or the process stops
	Events  []*oracle.Event
	Wrong   []string
	Faults  map[string]int
	Virtual time.Duration
	Settled int // place in the order of events from which on all is calm
	// Rows are what the transactions have written besides, as they are in the end.
	Rows []string `json:",omitempty"`

	Feeds []*feed `json:",omitempty"`

	// Of processes that share a store, in real time.
	Shared bool   `json:",omitempty"`
	Pace   pace   `json:",omitempty"`
	Traits Traits `json:",omitzero"`
}

// fleet is what the calls of a program reach: the processes of a store.
type fleet interface {
	begin() error
	// process returns one that serves, nil while there is none. All calls with the
	// same number reach the same one, while it is there.
	process(n int) *process
	// inside returns a server in which a program works on external operations, and
	// its process.
	inside(n int) (*process, *server.Server)
	// tx is nil where no call can be part of a transaction; else calls of the server can.
	tx() (Transactor, *server.Server)
	rows() ([]string, error) // that transactions have written
	disturb(s step)
	heal()        // ends the faults of the store
	settle()      // returns once all operations should have ended
	renew()       // restarts all processes cleanly
	end()         // stops them
	check() error // of the store
	injected() map[string]int
}

func newWorld(p *program) *world {
	return &world{
		program: p, clock: newClock(p.crowd), history: &history{begin: time.Now()},
		slots: make(map[string]int), known: make(map[int][]string), latest: make(map[int]int), counts: make(map[string]int),
	}
}

// run executes a program in a bubble of its own.
func run(t *testing.T, f Factory, p *program) (r *result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(p)
		w.fleet = &host{w: w, store: f.New(t, p.seed)}
		r = w.run()
	})
	return r
}

func (w *world) run() *result {
	if err := w.fleet.begin(); err != nil {
		w.complain("the first process: %v", err)
		return w.result(0)
	}
	var callers sync.WaitGroup
	for i := range w.program.callers {
		l := &link{w: w, caller: i}
		w.links = append(w.links, l)
		w.clients = append(w.clients, lro.NewClient(l, lro.WithPolicy(lro.Policy{Jitter: -1})))
	}
	for _, actor := range append([]int{operator, -1}, upTo(w.program.callers)...) {
		callers.Go(func() {
			for _, s := range w.program.steps {
				if s.Actor == actor {
					w.clock.sleep(context.Background(), s.After)
					w.do(s)
				}
			}
		})
	}
	w.limit(callers.Wait)
	var settled int
	w.limit(func() { settled = w.settle() })
	return w.result(settled)
}

// limit calls f, which returns within days, or half an hour of real time. A bubble
// with a timer never blocks for good, so something that hangs shows in no other way.
func (w *world) limit(f func()) {
	most := 7 * 24 * time.Hour
	if w.program.shared {
		most = 30 * time.Minute
	}
	hangs := time.AfterFunc(most, func() {
		debug.SetTraceback("all")
		panic(fmt.Sprintf("the program of seed %d hangs", w.program.seed))
	})
	defer hangs.Stop()
	f()
}

func (w *world) result(settled int) *result {
	r := &result{
		Seed: w.program.seed, Events: w.history.events, Wrong: w.wrong, Faults: w.fleet.injected(),
		Virtual: w.history.now(), Settled: settled, Servers: w.program.servers,
		Shared: w.program.shared, Pace: w.program.pace, Traits: w.traits, Rows: w.rows,
		Faulty: w.program.faulty(),
		Lossy: w.program.net.lost+w.program.net.replyLost+w.program.net.hangs > 0 ||
			slices.ContainsFunc(w.program.steps, func(s step) bool { return s.Do == doPartition }),
	}
	for _, k := range w.program.keys {
		r.Keys = append(r.Keys, k.kind)
	}
	for _, s := range w.subscribers {
		s.stop()
		r.Feeds = append(r.Feeds, s.feeds...)
	}
	for name, n := range w.counts {
		r.Faults[name] += n
	}
	for _, e := range r.Events {
		if e.Row != "" {
			r.Faults[countTx(e)]++
		}
	}
	return r
}

// complain notes what is wrong without a look at the history.
func (w *world) complain(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

func (w *world) count(fault string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[fault]++
}

// A slot is what one start, repeated with the same request ID or not, leads to:
// the key's number where it has a request ID, else one for each start.
const ownSlot = 1000

func (w *world) slot(s step) int {
	if w.program.keys[s.Key].id {
		return s.Key
	}
	return ownSlot*(s.Index+1) + s.Key
}

func keyOf(slot int) int {
	if slot < ownSlot {
		return slot
	}
	return slot % ownSlot
}

// know notes the name of an operation.
func (w *world) know(name string, slot int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.slots[name]; ok {
		return
	}
	w.slots[name] = slot
	w.latest[keyOf(slot)] = slot
	w.known[slot] = append(w.known[slot], name)
}

func (w *world) slotOf(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.slots[name]
}

// name is the operation that a step is about, empty when none is known: mostly
// the latest of its key.
func (w *world) name(s step) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	slot, ok := w.latest[s.Key]
	if !ok {
		return ""
	}
	names := w.known[slot]
	back := 1
	if w.pick(s).IntN(8) == 0 {
		back = 2
	}
	return names[max(len(names)-back, 0)]
}

// pick is for the few choices of an actor while a program runs.
func (w *world) pick(s step) *rand.Rand { return random(w.program.seed, streamKeys, s.Index) }

func (w *world) callTimeout() time.Duration {
	if w.program.shared {
		return 2 * w.program.pace.of(callTimeout)
	}
	return callTimeout
}

func (w *world) do(s step) {
	timeout := w.callTimeout()
	if s.Do == oracle.Wait {
		timeout += s.For
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if s.Actor < 0 || s.Actor == operator {
		w.disturb(s)
		return
	}
	l := w.links[s.Actor]
	switch s.Do {
	case oracle.Start:
		w.start(ctx, l, s)
		return
	case oracle.List:
		w.walk(l, s)
		return
	}
	name := w.name(s)
	if name == "" {
		return
	}
	switch s.Do {
	case oracle.Get:
		_, _ = l.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
	case oracle.Wait:
		_, _ = l.WaitOperation(ctx, &longrunningpb.WaitOperationRequest{Name: name, Timeout: durationpb.New(s.For)})
	case oracle.Await:
		w.await(s, name)
	case oracle.Cancel, oracle.Delete:
		w.change(ctx, l, s, name)
	default:
		w.outside(ctx, s, name)
	}
}

func (w *world) start(ctx context.Context, l *link, s step) {
	req, err := w.startRequest(s)
	if err != nil {
		w.complain("pack request: %v", err)
		return
	}
	if tx, srv := w.fleet.tx(); tx != nil {
		if r := random(w.program.seed, streamTx, s.Index); r.IntN(4) == 0 {
			c := w.startCall(srv, s, req)
			// As drawn, but never late: so the random numbers of old seeds stay.
			in := transaction{Transactor: tx, row: c.Row, undo: r.IntN(2) == 0, way: Way{By: Committer(r.IntN(int(committers)))}}
			in.way.draw(r)
			w.together(ctx, in, append([]call{c}, w.besides(srv, s)...)...)
			return
		}
	}
	_, _ = l.start(ctx, w.slot(s), w.variant(s), req)
}

// variant reports whether a start has another request than usual.
func (w *world) variant(s step) bool { return s.Variant && w.program.keys[s.Key].id }

func (w *world) startRequest(s step) (*lropb.StartOperationRequest, error) {
	k := w.program.keys[s.Key]
	packed, err := anypb.New(wrapperspb.String(request(w.slot(s), w.variant(s), k.script)))
	if err != nil {
		return nil, err
	}
	req := &lropb.StartOperationRequest{Parent: parentOf(s.Key), Kind: k.kind, Request: packed}
	if k.id {
		req.RequestId = fmt.Sprintf("key-%d", s.Key)
	}
	return req, nil
}

// maxPages bounds a walk. No program starts as many operations.
const maxPages = 500

// walk lists all pages. A page that does not come is requested again.
func (w *world) walk(l *link, s step) {
	req := &longrunningpb.ListOperationsRequest{Name: parentOf(s.Key), PageSize: int32(s.Size), Filter: s.Filter}
	walk := w.history.walk()
	for failed, n := 0, 0; failed < 3; n++ {
		if n == maxPages {
			w.complain("a list of %s by %d does not end", req.GetName(), s.Size)
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), w.callTimeout())
		resp, err := l.list(ctx, walk, req)
		cancel()
		switch {
		case err != nil:
			failed++
			w.clock.sleep(context.Background(), time.Second)
		case resp.GetNextPageToken() == "":
			return
		default:
			req.PageToken = resp.GetNextPageToken()
		}
	}
}

// await uses the future. Its calls are in the history like any others; what it
// makes of them must fit.
func (w *world) await(s step, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), s.For)
	defer cancel()
	op, err := lro.Method[text, details]{}.Resume(w.clients[s.Actor], name)
	if err != nil {
		w.complain("Resume(%q) = %v", name, err)
		return
	}
	e := w.history.call(oracle.Event{Key: w.slotOf(name), By: actorName(s.Actor), Do: oracle.Await, Name: name})
	resp, err := op.Wait(ctx)
	failed, isFailed := errors.AsType[*lro.OperationError](err)
	switch {
	case err == nil:
		e.Arg = "ok:" + resp.GetValue()
	case isFailed:
		e.Arg = "err:" + code.Code(failed.Code()).String()
	case ctx.Err() == nil && status.Code(err) != codes.NotFound:
		w.complain("Wait() of %q = %v, before its ctx ended", name, err)
	}
	w.history.done(e, oracle.OK)
}

// disturb does what the world and the operator do.
func (w *world) disturb(s step) {
	if s.Do == doPartition {
		w.links[s.Caller].cut(s.For)
		return
	}
	w.fleet.disturb(s)
}

// outside does what is done by a program that works on an external operation:
// in the server's process.
func (w *world) outside(ctx context.Context, s step, name string) {
	p, srv := w.fleet.inside(s.Index)
	if p == nil {
		return
	}
	base := oracle.Event{Key: w.slotOf(name), By: "program of " + actorName(s.Actor), Name: name, Lived: p.number}
	get := base
	get.Do = oracle.Get
	e := w.history.call(get)
	ext, err := w.program.pace.kind(kindOutside).Attach(ctx, srv, name)
	switch {
	case !p.alive():
		w.history.done(e, oracle.Unknown)
		return
	case errors.Is(err, engine.ErrNotFound):
		w.history.done(e, oracle.NotFound)
		return
	case err != nil:
		w.history.done(e, oracle.Unknown) // it is of another kind, or the store does not answer
		return
	}
	w.history.done(e, oracle.Unknown) // what it has seen it keeps for itself
	call := base
	call.Do, call.Arg = s.Do, fmt.Sprintf("step %d", s.Index)
	work := func(ctx context.Context) (err error) {
		switch s.Do {
		case oracle.Report:
			err = ext.Report(ctx, &lropb.OperationMetadata{StatusMessage: call.Arg})
		case oracle.Heartbeat:
			err = ext.Heartbeat(ctx)
		case oracle.Complete:
			err = ext.Complete(ctx, wrapperspb.String(call.Arg))
		case oracle.Fail:
			err = ext.Fail(ctx, errors.New(call.Arg))
		}
		if errors.Is(err, server.ErrCancelRequested) {
			return nil // it is done nevertheless
		}
		return err
	}
	if tx, _ := w.fleet.tx(); tx != nil {
		if r := random(w.program.seed, streamOutside, s.Index); r.IntN(2) == 0 {
			call.Row = call.Arg
			in, alone := drawn(tx, call.Row, r), work
			work = func(ctx context.Context) error { return in.run(ctx, alone) }
		}
	}
	e = w.history.call(call)
	if err = work(ctx); !p.alive() {
		w.history.done(e, oracle.Unknown)
		return
	}
	w.history.done(e, wrote(err))
}
