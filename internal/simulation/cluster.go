//go:build unix

package simulation

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/internal/child"
	"github.com/go-lro/lro/internal/oracle"
	"github.com/go-lro/lro/internal/pause"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
)

// Cluster is a store that several processes share, and what can happen to it.
type Cluster interface {
	// Config is what [Member] opens the engine of one of the processes with,
	// numbered from 0. A process that replaces another one has its number.
	Config(process int) string
	// Engine is of this process. No fault of a single process reaches it. It is a
	// [Transactor], like those of the other processes, where there are transactions.
	Engine() engine.Engine
	// Faults are what can happen to it.
	Faults() []Fault
}

// Fault is something that happens to a store, or to how processes reach it.
type Fault struct {
	Name string
	// Loses is set when processes may lose their leases by it: the one that it
	// happens to, or All.
	Loses, All bool
	// Do has it happen to a process, and returns when it is over, after about d.
	Do func(process int, d time.Duration) error
}

// Clusters are what programs run on, several processes each, in real time.
type Clusters struct {
	Name      string
	Traits    Traits
	Transacts bool // engines are a [Transactor]
	Lanes     int  // programs that run at once

	// Start starts the store of a lane, which ends with the test. The function that it
	// returns makes it the store of one program after another, in a fresh state each
	// time.
	Start func() (fresh func(t *testing.T) Cluster)
}

// Run runs programs, and fails t for those whose history the oracle cannot explain.
func (c Clusters) Run(t *testing.T) {
	t.Helper()
	whole := func(seed uint64) *program { return generate(seed).share(c.Transacts) }
	ofPrograms(c.Name, clusterTries, whole, func() (lanes []func(*testing.T, *program) *result) {
		for range c.Lanes {
			fresh := c.Start()
			lanes = append(lanes, func(t *testing.T, p *program) *result { return runCluster(t, c, fresh(t), p) })
		}
		return lanes
	}).run(t)
}

// ClusterSize is the number of processes of a [Cluster].
const ClusterSize = 2

// limit is how long a process may take to start or stop.
const limit = 2 * time.Minute

// cluster runs the processes of a program.
type cluster struct {
	w      *world
	store  Cluster
	book   *book
	here   *process       // this process, for calls within
	server *server.Server // its server
	number int

	mu      sync.Mutex
	members [ClusterSize]*remote // nil while there is none
	counts  map[string]int
}

// remote is a process with its connection.
type remote struct {
	process
	child *child.Process
	conn  *grpc.ClientConn
}

// runCluster executes a program in real time.
func runCluster(t *testing.T, of Clusters, store Cluster, p *program) *result {
	t.Helper()
	if _, is := store.Engine().(Transactor); is != of.Transacts {
		t.Fatalf("the engine is a Transactor: %t, and Transacts is %t", is, of.Transacts)
	}
	w := newWorld(p)
	w.traits = of.Traits
	c := &cluster{w: w, store: store, here: &process{number: -1, dead: make(chan struct{})}, counts: make(map[string]int)}
	w.fleet = c
	var err error
	if c.book, err = openBook(w); err != nil {
		t.Fatal(err)
	}
	defer c.book.close()
	if c.server, err = server.New(store.Engine(), server.Config{PageKey: pageKey}, w.actor(c.here).registrations("")...); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { c.watch(ctx) })
	defer watching.Wait()
	reader := w.subscribe(ctx, c.server, c.here.number)
	defer reader.reading.Wait()
	defer stop()
	defer c.end()
	return w.run()
}

func (c *cluster) begin() error {
	for i := range ClusterSize {
		if err := c.start(i, ""); err != nil {
			return err
		}
	}
	return nil
}

// start starts a process, without a handler for the missing kind.
func (c *cluster) start(i int, missing string) error {
	c.number++
	r := &remote{process: process{number: c.number, dead: make(chan struct{})}}
	r.since, r.began = c.w.history.next(), c.w.history.now()
	c.book.mu.Lock()
	c.book.since[r.number] = r.since
	c.book.mu.Unlock()
	text, err := json.Marshal(member{
		Store: c.store.Config(i), Book: c.book.socket.Addr().String(), Begin: c.w.history.begin,
		Number: r.number, Missing: missing, Pace: c.w.program.pace, Seed: c.w.program.seed,
	})
	if err != nil {
		return err
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), memberEnv+"="+string(text))
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var address string
	if r.child, address, err = child.Start(ctx, cmd, child.Prefix(serving)); err != nil {
		return err
	}
	if r.conn, err = grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		r.child.Kill()
		return err
	}
	to := callsOf(r.conn)
	r.serves = []*serve{{calls: to, starter: to}}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members[i] = r
	return nil
}

func (c *cluster) member(i int) *remote {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.members[i%ClusterSize]
}

func (c *cluster) process(n int) *process {
	for i := range ClusterSize {
		if r := c.member(n + i); r != nil {
			return &r.process
		}
	}
	return nil
}

func (c *cluster) inside(int) (*process, *server.Server) { return c.here, c.server }

func (c *cluster) tx() (Transactor, *server.Server) {
	t, _ := c.store.Engine().(Transactor)
	return t, c.server
}

func (c *cluster) rows() ([]string, error) {
	t, _ := c.tx()
	if t == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return t.Rows(ctx)
}

func (c *cluster) count(fault string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[fault]++
}

func (c *cluster) injected() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

func (c *cluster) disturb(s step) {
	i := s.Fault % ClusterSize
	var err error
	switch s.Do {
	case doDie:
		err = c.kill(i, s.For)
	case doDisk:
		err = c.harm(i, s.Fault/ClusterSize, time.Duration(s.Size)*time.Second)
	case doRestart:
		err = c.restart(i, "", s.For)
	case doUpgrade:
		if err = c.restart(i, handledKinds[s.Fault%len(handledKinds)], 0); err == nil {
			c.w.clock.sleep(context.Background(), s.For)
			err = c.restart(i, "", 0)
		}
	case doStop, doKill, doCancel, doElsewhere, doCommit:
		err = c.aim(s)
	}
	if err != nil {
		c.w.complain("%v: %v", s, err)
	}
}

// watch notes when the store, or this machine, is so slow that attempts may be
// lost by it, until ctx ends.
func (c *cluster) watch(ctx context.Context) {
	patience := c.w.traits.Lease / 3
	if patience == 0 {
		return
	}
	began, place := time.Now(), c.w.history.next()
	for pause.For(ctx, watchPause) == nil {
		_, _ = c.store.Engine().Get(ctx, watched) // there is none
		if ctx.Err() == nil && time.Since(began) > patience {
			c.count("machine too busy")
			c.w.history.losesSince(place, oracle.Event{Arg: "machine too busy"})
		}
		began, place = time.Now(), c.w.history.next()
	}
}

const watchPause = 100 * time.Millisecond

// watched is the name of no operation, in the form that names of the engine on
// Temporal have: others do not look for it.
var watched = "operations/o" + strings.Repeat("0", 24)

// losesSince notes that leases may be lost, from a place in the order of events on.
func (h *history) losesSince(place int, e oracle.Event) {
	e.Key, e.By, e.Do = -1, "world", oracle.Die
	called := h.call(e)
	h.began(called, called.From, place)
	h.done(called, oracle.Unknown)
}

// loses notes that a process may lose its leases from now on. The function is to be
// called when what it loses them by is over.
func (c *cluster) loses(r *remote, why string) (over func()) {
	if r == nil {
		return func() {}
	}
	e, began, place := oracle.Event{Arg: why, Lived: r.number}, time.Now(), c.w.history.next()
	c.w.history.losesSince(place, e)
	return func() {
		if lease := c.w.traits.Lease; lease > 0 && !c.w.traits.OneLease {
			for range time.Since(began) / lease {
				c.w.history.losesSince(place, e)
			}
		}
	}
}

// errNoProcess is what is left of an error of start.
var errNoProcess = errors.New("a process is missing")

// kill ends a process at once, and starts another a while later.
func (c *cluster) kill(i int, away time.Duration) error {
	r := c.member(i)
	if r == nil {
		return errNoProcess
	}
	c.count(oracle.Killed)
	c.loses(r, oracle.Killed)
	r.child.Kill()
	c.gone(i, r)
	c.w.clock.sleep(context.Background(), away)
	return c.start(i, "")
}

// gone notes that a process has ended.
func (c *cluster) gone(i int, r *remote) {
	close(r.dead)
	c.mu.Lock()
	c.members[i] = nil
	c.mu.Unlock()
	r.conn.Close()
}

// harm has one of the faults happen to the store, or to how a process reaches it, or
// stops the process.
func (c *cluster) harm(i, fault int, d time.Duration) error {
	faults := append(c.store.Faults(), Fault{Name: "process stopped", Loses: true, Do: c.pause})
	f := faults[fault%len(faults)]
	c.count(f.Name)
	for m := range ClusterSize {
		if f.Loses && (f.All || m == i) {
			defer c.loses(c.member(m), f.Name)()
		}
	}
	return f.Do(i, d)
}

// pause stops a process for a while (SIGSTOP).
func (c *cluster) pause(i int, d time.Duration) error {
	r := c.member(i)
	if r == nil {
		return errNoProcess
	}
	if err := r.child.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	c.w.clock.sleep(context.Background(), d)
	return r.child.Signal(syscall.SIGCONT)
}

// restart shuts a process down, and starts another a while later.
func (c *cluster) restart(i int, missing string, away time.Duration) error {
	c.count("process restarted")
	return c.replace(i, missing, away)
}

func (c *cluster) replace(i int, missing string, away time.Duration) error {
	if err := c.stop(i); err != nil {
		return err
	}
	c.w.clock.sleep(context.Background(), away)
	return c.start(i, missing)
}

func (c *cluster) stop(i int) error {
	r := c.member(i)
	if r == nil {
		return errNoProcess
	}
	e := c.w.history.call(oracle.Event{Key: -1, By: "world", Do: oracle.Close, Lived: r.number})
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := r.child.Stop(ctx)
	c.gone(i, r)
	// What it could not hand back is lost with its lease, later.
	c.w.history.done(e, oracle.Unknown)
	return err
}

func (c *cluster) heal() {}

// settle waits until all operations have ended.
func (c *cluster) settle() {
	c.w.actors.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for quiet := false; ; {
		wait := settlePause
		if c.busy(ctx) || c.unlisted(ctx) {
			quiet = false
		} else if quiet || !c.w.traits.ListLags {
			return
		} else {
			// One that has just begun may not be listed.
			quiet, wait = true, time.Second
		}
		if pause.For(ctx, wait) != nil {
			return
		}
	}
}

// settlePause is between two looks at whether all operations have ended.
const settlePause = 50 * time.Millisecond

// busy reports whether the store has an operation that has not ended, or does not
// answer. It may be one that the program does not know yet: a start without an
// answer becomes known when its attempt begins.
func (c *cluster) busy(ctx context.Context) bool {
	for key := range 2 {
		resp, err := c.server.Operations().ListOperations(ctx, &longrunningpb.ListOperationsRequest{Name: parentOf(key), Filter: "done=false"})
		if err != nil || len(resp.GetOperations()) > 0 || resp.GetNextPageToken() != "" {
			return true
		}
	}
	return false
}

// unlisted reports whether lists lag behind an operation that is known: it has not
// ended, or is not listed as one that has.
func (c *cluster) unlisted(ctx context.Context) bool {
	if !c.w.traits.ListLags {
		return false
	}
	listed := make(map[string]bool)
	for key := range 2 {
		req := &longrunningpb.ListOperationsRequest{Name: parentOf(key), Filter: "done=true", PageSize: 1000}
		for more := true; more; more = req.GetPageToken() != "" {
			resp, err := c.server.Operations().ListOperations(ctx, req)
			if err != nil {
				return true
			}
			for _, op := range resp.GetOperations() {
				listed[op.GetName()] = true
			}
			req.PageToken = resp.GetNextPageToken()
		}
	}
	return slices.ContainsFunc(c.w.names(), func(name string) bool {
		if listed[name] {
			return false
		}
		_, err := c.server.Operations().GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name})
		return status.Code(err) != codes.NotFound
	})
}

func (c *cluster) renew() {
	for i := range ClusterSize {
		if err := c.replace(i, "", 0); err != nil {
			c.w.complain("restart: %v", err)
		}
	}
}

// end stops what runs.
func (c *cluster) end() {
	for i := range ClusterSize {
		if c.member(i) == nil {
			continue
		}
		if err := c.stop(i); err != nil {
			c.w.complain("stop: %v", err)
		}
	}
}

// check has nothing to add: another engine reads what is stored at the end.
func (c *cluster) check() error { return nil }
