//go:build unix

package faulttest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/internal/child"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
	"github.com/go-lro/lro/server/engine/postgres"
)

// limit is for what takes a second or two on a machine that is not busy. No test
// measures anything with it.
const limit = 2 * time.Minute

// idle is a parameter of URLs. A transaction in which a process was stopped or
// cut off holds its operation until the server ends it.
const idle = "&pool_max_conns=6&options=-c%20idle_in_transaction_session_timeout%3D1000"

// world is a schema, with an engine of this process to start operations, and
// what it has acknowledged.
type world struct {
	t      *testing.T
	url    string // straight to the server
	config workerConfig
	pool   *pgxpool.Pool // straight to the server; not the engine's
	engine *postgres.Engine
	server *server.Server

	mu     sync.Mutex
	ops    map[string]*op // by echo
	errors int            // of starts
}

// op is an operation that was acknowledged.
type op struct {
	name  string
	steps int
	ended *lropb.SimulateResponse // as it was seen; nil for not yet
}

// newWorld makes a schema on the server at url. The engine uses through, or url
// where it is empty.
func newWorld(t *testing.T, url string, c workerConfig) *world {
	t.Helper()
	w := &world{t: t, url: url, config: c, ops: make(map[string]*op)}
	w.config.Schema = "fault_" + enginekit.Random(8)
	if w.config.URL == "" {
		w.config.URL = url + "&pool_max_conns=6"
	}
	var err error
	if w.pool, err = pgxpool.New(t.Context(), url+"&pool_max_conns=4"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.pool.Close)
	if _, _, err := postgres.Migrate(t.Context(), w.pool, w.config.Schema); err != nil {
		t.Fatalf("Migrate() = %v", err)
	}
	t.Cleanup(func() { w.exec("DROP SCHEMA " + pgx.Identifier{w.config.Schema}.Sanitize() + " CASCADE") })
	for name, columns := range map[string]string{
		"attempt": "seq bigint, name text, attempt int, step int, pid int, at timestamptz",
		"effect":  "name text, step int, attempt int",
		"refused": "name text, attempt int, step int, fenced boolean, error text",
		"holding": "name text",
	} {
		w.exec("CREATE TABLE " + w.table(name) + " (" + columns + ")")
	}
	pool, e, err := w.config.open(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
		pool.Close()
	})
	w.engine = e
	if w.server, err = server.New(e, server.Config{PageKey: e.PageKey()}, work.Handle((&handler{}).run)); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) table(name string) string { return pgx.Identifier{w.config.Schema, name}.Sanitize() }

func (w *world) exec(sql string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if _, err := w.pool.Exec(ctx, sql); err != nil {
		w.t.Errorf("%s: %v", sql, err)
	}
}

// query returns the rows of a query of one type.
func query[T any](w *world, to pgx.RowToFunc[T], sql string, args ...any) []T {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	rows, err := w.pool.Query(ctx, sql, args...)
	if err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	out, err := pgx.CollectRows(rows, to)
	if err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return out
}

// worker starts a process that runs operations.
func (w *world) worker() *child.Process { return w.workerWith(w.config) }

func (w *world) workerWith(c workerConfig) *child.Process {
	w.t.Helper()
	p, err := w.spawn(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) spawn(c workerConfig) (*child.Process, error) {
	encoded, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), workerEnv+"="+string(encoded))
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	p, _, err := child.Start(ctx, cmd, child.Prefix("ready"))
	if err != nil {
		return nil, err
	}
	w.t.Cleanup(func() {
		p.Kill()
		if w.t.Failed() {
			w.t.Logf("worker %d wrote at last:\n%s", p.PID(), p.Output())
		}
	})
	return p, nil
}

func (w *world) workers(n int) []*child.Process {
	w.t.Helper()
	all := make([]*child.Process, n)
	for i := range all {
		all[i] = w.worker()
	}
	return all
}

// try starts an operation, the same one for the same echo, and notes it when it
// is acknowledged.
func (w *world) try(ctx context.Context, echo string, steps int, took time.Duration) (string, error) {
	started, err := work.Start(ctx, w.server, &lropb.SimulateRequest{Duration: durationpb.New(took), Steps: int32(steps), Echo: echo},
		&server.StartOptions{RequestID: echo})
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.errors++
		return "", err
	}
	if known := w.ops[echo]; known != nil && known.name != started.GetName() {
		w.t.Errorf("start of %q = %q, and %q before", echo, started.GetName(), known.name)
	}
	if w.ops[echo] == nil {
		w.ops[echo] = &op{name: started.GetName(), steps: steps}
	}
	return started.GetName(), nil
}

// start is try that succeeds.
func (w *world) start(echo string, steps int, took time.Duration) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	name, err := w.try(ctx, echo, steps, took)
	if err != nil {
		w.t.Fatalf("start of %q: %v", echo, err)
	}
	return name
}

// load has callers start operations of four steps and wait for them, one after
// the other, until stop. Each start has to be acknowledged in the end.
func (w *world) load(callers int, took time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var running sync.WaitGroup
	for c := range callers {
		running.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				echo := fmt.Sprintf("%d/%d", c, i)
				name, err := w.try(w.t.Context(), echo, 4, took)
				for err != nil && w.t.Context().Err() == nil {
					enginekit.Pause(w.t.Context(), 50*time.Millisecond)
					name, err = w.try(w.t.Context(), echo, 4, took)
				}
				if rec, err := w.engine.Wait(ctx, name); err == nil {
					w.ended(echo, rec)
				}
			}
		})
	}
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	w.t.Cleanup(stop)
	return stop
}

// ended notes how an operation has ended, which must not change.
func (w *world) ended(echo string, rec *engine.Record) {
	resp := new(lropb.SimulateResponse)
	if rec.State != engine.Succeeded {
		w.t.Errorf("operation %q is %v, with the error %v; want success", echo, rec.State, rec.Error)
		return
	}
	if err := rec.Response.UnmarshalTo(resp); err != nil {
		w.t.Errorf("response of %q: %v", echo, err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.ops[echo]
	if o.ended != nil && o.ended.String() != resp.String() {
		w.t.Errorf("operation %q has ended with %v, and with %v before", echo, resp, o.ended)
	}
	o.ended = resp
}

// check waits for the end of all that was acknowledged: each has succeeded once,
// and each of its effects is there once, the last one by the attempt that has
// ended it. Every attempt has begun at the last checkpoint before it.
func (w *world) check() map[string]*engine.Record {
	w.t.Helper()
	w.mu.Lock()
	ops := maps.Clone(w.ops)
	errors := w.errors
	w.mu.Unlock()
	if len(ops) == 0 {
		w.t.Fatal("nothing was started")
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	records := make(map[string]*engine.Record, len(ops))
	crashes := 0
	for echo, o := range ops {
		rec, err := w.engine.Wait(ctx, o.name)
		for err != nil && ctx.Err() == nil && !isNotFound(err) {
			enginekit.Pause(ctx, 100*time.Millisecond)
			rec, err = w.engine.Wait(ctx, o.name)
		}
		if err != nil {
			w.t.Errorf("Wait(%q) = %v, and its start was acknowledged", o.name, err)
			continue
		}
		w.ended(echo, rec)
		if o = w.ops[echo]; o.ended.GetEcho() != echo {
			w.t.Errorf("operation %q has the response %v", echo, o.ended)
		}
		records[echo] = rec
		crashes += rec.Crashes
	}
	w.t.Logf("%d operations acknowledged, %d starts with an error, %d attempts crashed", len(ops), errors, crashes)
	type effect struct {
		Name          string
		Step, Attempt int
	}
	effects := make(map[string]map[int]int) // name, step: attempt
	for _, e := range query(w, pgx.RowToStructByPos[effect], "SELECT name, step, attempt FROM "+w.table("effect")) {
		if effects[e.Name] == nil {
			effects[e.Name] = make(map[int]int)
		}
		if before, ok := effects[e.Name][e.Step]; ok {
			w.t.Errorf("step %d of %q has effects of attempts %d and %d", e.Step, e.Name, before, e.Attempt)
		}
		effects[e.Name][e.Step] = e.Attempt
	}
	for echo, o := range ops {
		got := effects[o.name]
		for step := 1; step <= o.steps+1; step++ {
			if got[step] == 0 {
				w.t.Errorf("operation %q has no effect of step %d", echo, step)
			}
		}
		if len(got) != o.steps+1 || got[o.steps+1] != int(o.ended.GetAttempts()) {
			w.t.Errorf("operation %q with the response %v has effects %v, by step", echo, o.ended, got)
		}
		delete(effects, o.name)
	}
	for name := range effects {
		w.t.Errorf("%q has effects, and its start was not acknowledged", name)
	}
	for _, text := range query(w, pgx.RowTo[string], `SELECT concat(a.name, ' attempt ', a.attempt, ' at step ', a.step, ', want ', coalesce(max(e.step), 0))
		FROM `+w.table("attempt")+` a LEFT JOIN `+w.table("effect")+` e ON e.name = a.name AND e.attempt < a.attempt
		GROUP BY a.name, a.attempt, a.step HAVING a.step <> coalesce(max(e.step), 0)`) {
		w.t.Errorf("not from its checkpoint: %s", text)
	}
	return records
}

// eventually waits for a condition that takes a second or two.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	begin := time.Now()
	for !is() {
		if time.Since(begin) > limit {
			t.Fatalf("not so after %v: %s", limit, what)
		}
		enginekit.Pause(t.Context(), 20*time.Millisecond)
	}
}

// leave asks a worker to stop (SIGTERM), which must succeed.
func (w *world) leave(p *child.Process) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		w.t.Error(err)
	}
}
