package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/go-lro/lro/internal/child"
)

const (
	// quietTime is how long a play waits for jobs that have not ended, after its last
	// fault and its last start: River's default JobTimeout, and a retry after it.
	quietTime = 90 * time.Second
	// tryFor bounds one try of a call, and callFor all tries.
	tryFor  = 5 * time.Second
	callFor = time.Minute
	// replaceAfter is how long after a kill another process is started.
	replaceAfter = 500 * time.Millisecond
)

// play is one program on one system.
type play struct {
	contender contender
	program   program
	quiet     time.Duration
	dir       string
	system    system
	journal   *journal
	begin     time.Time

	mu     sync.Mutex
	slots  []*child.Process
	ids    map[string]string // the jobs that were acknowledged: key by ID
	failed []error
	seams  sync.Mutex // one fault of the store, or replacement, at a time
}

// run plays a program, waits at most quiet for its jobs, and returns its journal in
// order.
func run(ctx context.Context, c contender, p program, quiet time.Duration) (_ []event, version string, err error) {
	dir, err := os.MkdirTemp("", "lro-sides-")
	if err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL runs as another user
		return nil, "", err
	}
	y := &play{contender: c, program: p, quiet: quiet, dir: dir, ids: make(map[string]string)}
	if y.journal, err = openJournal(y.path()); err != nil {
		return nil, "", err
	}
	defer func() { err = errors.Join(err, y.journal.close()) }()
	if y.system, err = c.open(ctx, dir, c.Setting); err != nil {
		return nil, "", fmt.Errorf("open %s: %w: %w", c.Name, errNotServed, err)
	}
	defer func() { err = errors.Join(err, y.system.close()) }()
	defer func() {
		y.killAll()
		if err == nil {
			return
		}
		for i, p := range y.slots {
			if p != nil && p.Output() != "" {
				err = fmt.Errorf("%w\nworker %d wrote:\n%s", err, i, p.Output())
			}
		}
	}()
	y.slots = make([]*child.Process, c.workers)
	for i := range y.slots {
		if err := y.startWorker(ctx, i); err != nil {
			return nil, "", err
		}
	}
	y.begin = time.Now()
	var acting sync.WaitGroup
	for _, j := range p.Jobs {
		acting.Go(func() { y.note(y.job(ctx, j)) })
	}
	for _, f := range p.Faults {
		acting.Go(func() { y.note(y.fault(ctx, f)) })
	}
	acting.Wait()
	if err := errors.Join(y.failed...); err != nil {
		return nil, "", err
	}
	if err := y.settle(ctx); err != nil {
		return nil, "", err
	}
	for i := range y.slots {
		select {
		case <-y.worker(i).Ended():
			return nil, "", fmt.Errorf("worker %d ended by itself", i)
		default:
		}
	}
	y.killAll()
	all, err := readJournal(y.path())
	if err != nil {
		return nil, "", err
	}
	written, err := y.system.effects(ctx)
	for i := range written {
		written[i].Step = p.steps(written[i].Key) + 1
	}
	return inOrder(append(all, written...)), y.system.version(ctx), err
}

func (y *play) path() string { return filepath.Join(y.dir, "journal") }

func (y *play) note(err error) {
	if err == nil {
		return
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	y.failed = append(y.failed, err)
}

// workerEnv has the order of a process that runs jobs, as JSON.
const workerEnv = "LRO_SIDES_WORKER"

// order is what a worker is started with.
type order struct {
	Contender string
	Address   string
	Journal   string
}

func (y *play) startWorker(ctx context.Context, slot int) error {
	text, err := json.Marshal(order{y.contender.Name, y.system.address(), y.path()})
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), workerEnv+"="+string(text))
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	// A store that is down ends a worker that starts; what runs it tries again.
	for {
		process, _, err := child.Start(ctx, cmd, child.Prefix("ready"))
		if err == nil {
			y.mu.Lock()
			defer y.mu.Unlock()
			y.slots[slot] = process
			return nil
		}
		if !pause(ctx, 300*time.Millisecond) {
			return fmt.Errorf("start worker: %w", err)
		}
		again := exec.Command(self)
		again.Env = cmd.Env
		cmd = again
	}
}

func (y *play) worker(slot int) *child.Process {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.slots[slot]
}

func (y *play) killAll() {
	for i := range y.slots {
		if p := y.worker(i); p != nil {
			p.Kill()
		}
	}
}

// pause returns false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (y *play) until(ctx context.Context, at time.Duration) bool {
	return pause(ctx, at-time.Since(y.begin))
}

// job starts a job as its starter does, once or twice, and cancels it.
func (y *play) job(ctx context.Context, j job) error {
	var both sync.WaitGroup
	if j.Again > 0 {
		both.Go(func() {
			y.until(ctx, j.At+j.Again)
			_, err := y.start(ctx, j, 0)
			y.note(err)
		})
	}
	defer both.Wait()
	y.until(ctx, j.At)
	id, err := y.start(ctx, j, j.Cut)
	if err != nil || j.Cancel == 0 {
		return err
	}
	pause(ctx, j.Cancel)
	return y.call(ctx, "cancel", func(ctx context.Context) error {
		y.journal.write(event{What: cancelSent, Key: j.Key, ID: id})
		err := y.system.cancel(ctx, j.Key, id)
		if err == nil {
			y.journal.write(event{What: cancelDone, Key: j.Key, ID: id})
		}
		return err
	})
}

// start starts a job, again with the same key until that is acknowledged.
func (y *play) start(ctx context.Context, j job, cut time.Duration) (id string, err error) {
	cutting := time.AfterFunc(cut, y.system.cut)
	if cut == 0 {
		cutting.Stop()
	} else {
		y.journal.write(event{What: hit, Key: j.Key, Text: "cut"})
	}
	err = y.call(ctx, "start", func(ctx context.Context) (err error) {
		if id, err = y.system.start(ctx, j); err != nil {
			y.journal.write(event{What: unanswered, Key: j.Key, Text: err.Error()})
		}
		return err
	})
	if err != nil {
		return "", err
	}
	y.journal.write(event{What: started, Key: j.Key, ID: id})
	y.mu.Lock()
	defer y.mu.Unlock()
	y.ids[id] = j.Key
	return id, nil
}

// call tries f until it succeeds.
func (y *play) call(ctx context.Context, what string, f func(context.Context) error) error {
	end := time.Now().Add(callFor)
	for {
		try, cancel := context.WithTimeout(ctx, tryFor)
		err := f(try)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || time.Now().After(end) {
			return fmt.Errorf("%s: not acknowledged within %v: %w", what, callFor, err)
		}
		pause(ctx, 100*time.Millisecond)
	}
}

func (y *play) fault(ctx context.Context, f fault) error {
	slot := f.Worker % y.contender.workers
	what := f.What
	if what == restart && y.contender.workers == 1 {
		what = kill // the store is in the process
	}
	if !y.until(ctx, f.At) {
		return context.Cause(ctx)
	}
	hitting := func(p *child.Process) {
		e := event{What: hit, Text: string(f.What)}
		if p != nil {
			e.PID = p.PID()
		}
		y.journal.write(e)
	}
	switch what {
	case kill:
		y.seams.Lock()
		defer y.seams.Unlock()
		p := y.worker(slot)
		hitting(p)
		p.Kill()
		if !pause(ctx, replaceAfter) {
			return context.Cause(ctx)
		}
		return y.startWorker(ctx, slot)
	case stop:
		p := y.worker(slot)
		hitting(p)
		if err := p.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		pause(ctx, y.contender.past)
		y.journal.write(event{What: resumed, PID: p.PID()})
		return p.Signal(syscall.SIGCONT)
	}
	y.seams.Lock()
	defer y.seams.Unlock()
	hitting(nil)
	if err := y.system.restart(ctx); err != nil {
		return fmt.Errorf("%w: %w", errNotServed, err)
	}
	return nil
}

var errNotServed = errors.New("the store does not serve")

// settle waits until all jobs have ended, at most for the quiet time, and notes their states.
func (y *play) settle(ctx context.Context) error {
	end := time.Now().Add(y.quiet)
	for id, key := range y.ids {
		for {
			var state, run string
			err := y.call(ctx, "look", func(ctx context.Context) (err error) {
				state, run, err = y.system.look(ctx, key, id)
				return err
			})
			if err != nil {
				return err
			}
			if state == pending && time.Now().Before(end) {
				pause(ctx, 200*time.Millisecond)
				continue
			}
			y.journal.write(event{What: looked, Key: key, ID: id, Run: run, Text: state})
			break
		}
	}
	return nil
}

// serveWorker is the program of a worker. It ends with its standard input.
func serveWorker(ctx context.Context, text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	c, err := find(o.Contender)
	if err != nil {
		return err
	}
	j, err := openJournal(o.Journal)
	if err != nil {
		return err
	}
	defer j.close()
	return c.work(ctx, &worker{setting: c.Setting, journal: j}, o.Address, func() { fmt.Println("ready") })
}
