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

	engine engine.Engine
	serves []*serve

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

// host runs one process after another.
type host struct {
	w     *world
	store Store

	mu      sync.Mutex
	current *process // nil while there is none
	number  int

	diedOpening atomic.Bool // a process has died before it served
}

func (h *host) process() *process {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.current
}

// begin starts a process, without a handler for the missing kind. It tries until
// the store can be opened.
func (h *host) begin(missing string) error {
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
			PageKey: []byte("the same for all"), Drain: 2 * time.Second, Grace: time.Second,
		}, h.w.registrations(p, missing)...)
		if err != nil {
			return err
		}
		s := &serve{server: srv, calls: srv.Operations(), starter: srv.Starter(), served: make(chan struct{})}
		p.serves = append(p.serves, s)
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
	return errors.Join(append(errs, p.engine.Close())...)
}

// stop ends the process in good order.
func (h *host) stop(p *process) error {
	err := h.bury(p)
	h.die(p)
	return err
}
