package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/internal/child"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/postgres"
)

// workerConfig is what a process does that runs operations, or jobs of River.
type workerConfig struct {
	URL   string
	Tell  string // address of the listener
	Lease time.Duration
	Slots int           // attempts at once; 0 is the default
	River *setting      // it runs jobs of River
	Trace time.Duration // how often it tells what its queries took; 0 for never
}

// message is what a worker tells, one a line, and what it is told.
type message struct {
	Ended []int64 `json:",omitempty"` // jobs of River
	// Claims and Ends are how long the queries took that claimed and ended
	// operations, in milliseconds.
	Claims, Ends []float64 `json:",omitempty"`
	// Release ends so many parked operations a second.
	Release int `json:",omitempty"`
}

// worker is such a process.
type worker struct {
	process  *child.Process
	listener net.Listener
	reading  sync.WaitGroup

	mu   sync.Mutex
	conn net.Conn
}

const readyLine = "ready"

// startWorker starts a worker, and returns once it works. hear is called with
// what it tells, on one goroutine.
func startWorker(ctx context.Context, c workerConfig, hear func(message)) (*worker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	w := &worker{}
	if w.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	c.Tell = w.listener.Addr().String()
	w.reading.Go(func() { w.read(hear) })
	text, err := json.Marshal(c)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		w.process, _, err = child.Start(ctx, exec.Command(self, "work", string(text)), child.Prefix(readyLine))
	}
	if err != nil {
		w.close()
		return nil, fmt.Errorf("start worker: %w", err)
	}
	return w, nil
}

// read calls hear with all that the worker tells.
func (w *worker) read(hear func(message)) {
	conn, err := w.listener.Accept()
	if err != nil {
		return // closed
	}
	w.mu.Lock()
	w.conn = conn
	w.mu.Unlock()
	defer conn.Close()
	lines := json.NewDecoder(conn)
	for {
		var m message
		if lines.Decode(&m) != nil {
			return // it has ended
		}
		hear(m)
	}
}

func (w *worker) close() {
	_ = w.listener.Close() // only reads
	w.reading.Wait()
}

// tell tells the worker something.
func (w *worker) tell(m message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn == nil {
		return errors.New("worker is not connected")
	}
	return json.NewEncoder(w.conn).Encode(m)
}

// stop ends the worker in good order.
func (w *worker) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := w.process.Stop(ctx)
	w.close()
	return err
}

// kill ends the worker as kill -9 does.
func (w *worker) kill() {
	w.process.Kill()
	w.close()
}

// work is the program of a worker.
func work(ctx context.Context, text string) error {
	var c workerConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the parent
		cancel(nil)
	}()
	conn, err := net.Dial("tcp", c.Tell)
	if err != nil {
		return err
	}
	defer conn.Close()
	var mu sync.Mutex
	lines := json.NewEncoder(conn)
	tell := func(m message) error {
		mu.Lock()
		defer mu.Unlock()
		return lines.Encode(m)
	}
	var tracer pgx.QueryTracer
	if c.Trace > 0 {
		q := &queries{}
		tracer = q
		go func() {
			for range time.Tick(c.Trace) {
				claims, ends := q.take()
				if err := tell(message{Claims: claims, Ends: ends}); err != nil {
					cancel(err)
					return
				}
			}
		}()
	}
	ready := func() { fmt.Println(readyLine) }
	if c.River != nil {
		pool, err := newPool(ctx, c.URL, callers, tracer)
		if err != nil {
			return err
		}
		defer pool.Close()
		return workJobs(ctx, pool, *c.River, ready, func(ids []int64) error { return tell(message{Ended: ids}) })
	}
	p := &parking{slots: make(chan struct{})}
	go p.run(conn)
	s, err := serve(ctx, c.URL, setup{
		engine: postgres.Options{Lease: c.Lease}, tracer: tracer,
		server: server.Config{Concurrency: c.Slots, Drain: -1}, handle: handler(p.park),
	})
	if err != nil {
		return err
	}
	ready()
	return errors.Join(s.Work(ctx), s.close())
}

// parking holds handlers until they are released.
type parking struct{ slots chan struct{} }

func (p *parking) park(ctx context.Context) {
	select {
	case <-p.slots:
	case <-ctx.Done():
	}
}

// run releases handlers at the rate that it is told, until the connection ends.
func (p *parking) run(conn net.Conn) {
	lines := json.NewDecoder(conn)
	for {
		var m message
		if lines.Decode(&m) != nil {
			return
		}
		begin := time.Now()
		for released := 0; ; {
			due := int(time.Since(begin).Seconds() * float64(m.Release))
			for ; released < due; released++ {
				select {
				case p.slots <- struct{}{}:
				case <-time.After(time.Second):
				}
			}
			if time.Since(begin) > time.Minute {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
}
