package simulation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro/internal/oracle"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
)

// Factory makes what the programs run on.
type Factory struct {
	// New makes an empty store, whose faults take what is random in them from
	// seed. It is called in the bubble of a program.
	New func(t testing.TB, seed uint64) Store
}

// Store is what survives the process of an engine, and what its faults come
// from. Open and Check are called one at a time.
type Store interface {
	// Open opens an engine on what the last one has left.
	Open(ctx context.Context) (engine.Engine, error)
	// Faults and Deaths are the names of the faults: those that a process
	// survives, and those that end it.
	Faults() []string
	Deaths() []string
	// Inject has a fault happen to the changes of the store from the nth from
	// now on, length in all; 0 is now. It replaces what was injected before. The
	// function is called once, by any goroutine, when the fault was a death and has
	// happened: nothing that the engine does from then on reaches what the next
	// Open opens. After a death, the next is for the changes that Open makes.
	Inject(fault string, nth, length int, died func())
	// Heal takes back what was injected and has not happened.
	Heal()
	// Check returns what is wrong with a store that no engine has open.
	Check() error
	// Injected are the faults that have happened, by name.
	Injected() map[string]int
}

// process is one life of the server.
type process struct {
	number int
	since  int // place of its beginning in the order of events
	began  time.Duration

	engine engine.Engine // nil of a process that is not this one
	serves []*serve
	reader *subscriber

	once   sync.Once
	dead   chan struct{} // closed when it has died, or no longer answers
	diedAt int           // place in the order of events
}

// serve is one of the servers of a process, which share its engine.
type serve struct {
	server  *server.Server
	calls   longrunningpb.OperationsServer
	starter lropb.StarterServer
	served  chan struct{}
}

// serve returns one of the servers.
func (p *process) serve(n int) *serve { return p.serves[n%len(p.serves)] }

func (p *process) alive() bool {
	select {
	case <-p.dead:
		return false
	default:
		return true
	}
}

// How servers stop.
const (
	drainTime = 2 * time.Second
	graceTime = time.Second
)

var pageKey = []byte("the same for all")

// host runs one process after another.
type host struct {
	w     *world
	store Store

	mu      sync.Mutex
	current *process // nil while there is none
	number  int

	diedOpening atomic.Bool // a process has died before it served
}

func (h *host) process(int) *process { return h.running() }

func (h *host) running() *process {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.current
}

func (h *host) begin() error { return h.start("") }

// start starts a process, without a handler for the missing kind. It tries until
// the store can be opened.
func (h *host) start(missing string) error {
	h.number++
	p := &process{number: h.number, dead: make(chan struct{})}
	var err error
	for range 100 {
		// A process may die while it opens the store, and then begins again.
		p.engine, err = h.store.Open(context.Background())
		h.store.Heal()
		if died := h.diedOpening.Swap(false); died && err == nil {
			err = errors.Join(errors.New("died when it had opened the store"), p.engine.Close())
		}
		if err == nil {
			break
		}
		h.w.clock.sleep(context.Background(), time.Second)
	}
	if err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	p.since, p.began = h.w.history.next(), h.w.history.now()
	for range h.w.program.servers {
		h.w.clock.sleep(context.Background(), 1) // so that they work in the same order each time
		srv, err := server.New(p.engine, server.Config{
			PageKey: pageKey, Drain: drainTime, Grace: graceTime,
		}, h.w.actor(p).registrations(missing)...)
		if err != nil {
			return err
		}
		s := &serve{server: srv, calls: srv.Operations(), starter: srv.Starter(), served: make(chan struct{})}
		p.serves = append(p.serves, s)
		if p.reader == nil {
			p.reader = h.w.subscribe(context.Background(), srv, p.number)
		}
		go func() {
			defer close(s.served)
			if err := srv.Serve(context.Background(), nil, nil); err != nil && p.alive() {
				h.w.complain("Serve() = %v", err)
			}
		}()
	}
	h.mu.Lock()
	h.current = p
	h.mu.Unlock()
	return nil
}

// die ends the process as if it had been killed. Its goroutines end in their own
// time: what they still do reaches neither the store nor a caller.
func (h *host) die(p *process) {
	p.once.Do(func() {
		p.diedAt = h.w.history.next()
		close(p.dead)
		p.reader.stop()
	})
	h.mu.Lock()
	if h.current == p {
		h.current = nil
	}
	h.mu.Unlock()
}

// bury waits for what is left of a process.
func (h *host) bury(p *process) error {
	var errs []error
	for _, s := range p.serves {
		drain := &oracle.Event{}
		if p.alive() {
			drain = h.w.history.call(oracle.Event{Key: -1, By: "world", Do: oracle.Drain, Lived: p.number})
		}
		errs = append(errs, s.server.Shutdown(context.Background()))
		<-s.served
		h.w.history.done(drain, oracle.OK)
	}
	errs = append(errs, p.engine.Close())
	p.reader.reading.Wait()
	return errors.Join(errs...)
}

// stop shuts the process down.
func (h *host) stop(p *process) error {
	err := h.bury(p)
	h.die(p)
	return err
}

func (h *host) inside(n int) (*process, *server.Server) {
	p := h.running()
	if p == nil {
		return nil, nil
	}
	return p, p.serve(n).server
}

func (h *host) tx() (Transactor, *server.Server) { return nil, nil }

func (h *host) rows() ([]string, error) { return nil, nil }

func (h *host) disturb(s step) {
	p := h.running()
	switch s.Do {
	case oracle.Backup:
		h.backup()
	case doDie:
		h.kill(p, s)
	case doDisk:
		faults := h.store.Faults()
		h.store.Inject(faults[s.Fault%len(faults)], s.Nth, s.Size, nil)
	case doRestart:
		h.restart(p, "", s.For, s)
	case doUpgrade:
		h.restart(p, handledKinds[s.Fault%len(handledKinds)], time.Second, s)
		h.w.clock.sleep(context.Background(), s.For)
		h.restart(h.running(), "", time.Second, step{Opens: -1})
	}
}

// kill has the process die at a change of the store, or, if that does not come,
// a while later.
func (h *host) kill(p *process, s step) {
	if p == nil {
		return
	}
	w := h.w
	deaths := h.store.Deaths()
	fault := deaths[s.Fault%len(deaths)]
	died := make(chan struct{})
	h.store.Inject(fault, s.Nth, 1, func() {
		h.die(p)
		close(died)
	})
	timeout := time.NewTimer(10 * time.Second)
	defer timeout.Stop()
	select {
	case <-died:
	case <-timeout.C:
		h.store.Inject(fault, 0, 1, func() {
			h.die(p)
			close(died)
		})
		<-died
	}
	e := w.history.call(oracle.Event{Key: -1, By: "world", Do: oracle.Die, Arg: fault, Lived: p.number})
	w.history.began(e, e.From, p.diedAt)
	w.actors.Go(func() { _ = h.bury(p) }) // its store is gone
	w.clock.sleep(context.Background(), s.For)
	h.trap(s)
	if err := h.start(""); err != nil {
		w.complain("after %s: %v", fault, err)
		return
	}
	w.history.done(e, oracle.OK)
}

// trap injects the fault that the next process meets while it opens the store.
func (h *host) trap(s step) {
	store := h.store
	faults, deaths := store.Faults(), store.Deaths()
	switch n := s.Opens; {
	case n < 0:
	case n%2 == 0:
		store.Inject(faults[n%len(faults)], s.OpensNth, 1, nil)
	default:
		store.Inject(deaths[n%len(deaths)], s.OpensNth, 1, func() { h.diedOpening.Store(true) })
	}
}

// restart shuts the process down and starts another.
func (h *host) restart(p *process, missing string, away time.Duration, s step) {
	if p == nil {
		return // the store could not be opened any more, which was noted
	}
	w := h.w
	e := w.history.call(oracle.Event{Key: -1, By: "world", Do: oracle.Close, Lived: p.number})
	h.store.Heal()
	if err := h.stop(p); err != nil {
		w.complain("stop: %v", err)
	}
	w.clock.sleep(context.Background(), away)
	h.trap(s)
	if err := h.start(missing); err != nil {
		w.complain("restart: %v", err)
	}
	w.history.done(e, oracle.OK)
}

func (h *host) heal() { h.store.Heal() }

func (h *host) settle() {
	h.w.clock.sleep(context.Background(), max(settleTime, h.w.queue()))
	h.w.actors.Wait()
}

func (h *host) renew() { h.restart(h.running(), "", time.Second, step{Opens: -1}) }

func (h *host) end() {
	p := h.running()
	if p == nil {
		return
	}
	if err := h.stop(p); err != nil {
		h.w.complain("stop: %v", err)
	}
	// A handler that was given up may run still, where something is wrong. It must
	// not outlive the bubble, which would panic and not say what.
	h.w.clock.sleep(context.Background(), settleTime)
}

func (h *host) check() error             { return h.store.Check() }
func (h *host) injected() map[string]int { return h.store.Injected() }
