package sqlite

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/go-lro/lro/server/engine"
)

var killRounds = flag.Int("kill-rounds", 30, "how often TestKill kills its process")

// Environment of a process that a test starts as a copy of itself.
const (
	childEnv = "LRO_SQLITE_CHILD" // what it does
	pathEnv  = "LRO_SQLITE_PATH"  // its database
)

// childMain is the main function of such a process. It tells on its standard
// output what the engine has acknowledged, a line at a time.
func childMain(do string) {
	var mu sync.Mutex
	tell := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	ctx := context.Background()
	e, err := Open(ctx, os.Getenv(pathEnv), nil)
	if err != nil {
		tell("error %v", err)
		os.Exit(1)
	}
	tell("open")
	// The process ends by a kill, or with its standard input.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	go func() {
		err := e.Work(ctx, engine.Worker{Run: childAttempt(tell), Kinds: map[string]int{"work": 0, "killer": 0}, Concurrency: 8})
		tell("error Work returned: %v", err)
	}()
	if do == "start" {
		for c := range 8 {
			go childStarts(ctx, e, c, tell)
		}
	}
	select {}
}

// childStarts starts operations as fast as it can, and waits for every third.
func childStarts(ctx context.Context, e *Engine, c int, tell func(string, ...any)) {
	for i := 0; ; i++ {
		label := fmt.Sprintf("%d/%d/%d", os.Getpid(), c, i)
		rec, err := e.Start(ctx, engine.Spec{Kind: "work", Request: textAny(label), RequestID: label, CrashLimit: 1 << 30})
		if err != nil {
			tell("error Start: %v", err)
			continue
		}
		tell("started %s %s", rec.Name, label)
		if i%3 > 0 {
			continue
		}
		if rec, err = e.Wait(ctx, rec.Name); err != nil {
			tell("error Wait: %v", err)
			continue
		}
		tell("ended %s %v %s", rec.Name, rec.State, unpack(rec.Response))
	}
}

// childAttempt goes three steps, with a checkpoint after each, and answers
// with the label of the request.
func childAttempt(tell func(string, ...any)) func(context.Context, engine.Attempt) engine.Outcome {
	return func(ctx context.Context, a engine.Attempt) engine.Outcome {
		rec := a.Record()
		if rec.Kind == "killer" {
			p, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = p.Kill()
			}
			tell("error kill myself: %v", err)
			select {}
		}
		step, _ := strconv.Atoi(string(rec.Checkpoint))
		tell("attempt %s %d %d", rec.Name, rec.Attempt, step)
		for step < 3 {
			step++
			a.Report(textAny(strconv.Itoa(step)))
			if err := a.Save(ctx, []byte(strconv.Itoa(step))); err != nil {
				tell("error Save: %v", err)
			}
			tell("saved %s %d", rec.Name, step)
		}
		return engine.Outcome{Response: textAny("response to " + unpack(rec.Request))}
	}
}

// child is a running copy of the test.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines chan string // closed when it has died
}

func startChild(t *testing.T, do, path string) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"="+do, pathEnv+"="+path)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: cmd, stdin: stdin, lines: make(chan string, 1000)}
	go func() {
		defer close(c.lines)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			c.lines <- lines.Text()
		}
	}()
	return c
}

// kill ends the process as kill -9 does, and has read all it wrote.
func (c *child) kill(t *testing.T, read func(string)) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Errorf("kill: %v", err)
	}
	for line := range c.lines {
		read(line)
	}
	_ = c.cmd.Wait() // killed
	_ = c.stdin.Close()
}

// ledger is what the processes of a test have told.
type ledger struct {
	t      *testing.T
	labels map[string]string // of started operations, by name
	ends   map[string]string // state and response
	saved  map[string]int    // last checkpoint that was acknowledged
}

func (l *ledger) read(line string) {
	fields := strings.SplitN(line, " ", 3)
	if len(fields) < 3 && line != "open" {
		l.t.Errorf("the process wrote %q", line)
		return
	}
	switch fields[0] {
	case "started":
		l.labels[fields[1]] = fields[2]
	case "ended":
		l.ends[fields[1]] = fields[2]
	case "saved":
		n, err := strconv.Atoi(fields[2])
		if err != nil {
			l.t.Errorf("the process wrote %q: %v", line, err)
			return
		}
		l.saved[fields[1]] = max(n, l.saved[fields[1]])
	case "attempt":
		var attempt, step int
		if _, err := fmt.Sscan(fields[2], &attempt, &step); err == nil && step < l.saved[fields[1]] {
			l.t.Errorf("attempt %d of %q begins at checkpoint %d, and %d had been saved", attempt, fields[1], step, l.saved[fields[1]])
		}
	case "error":
		l.t.Error(line)
	}
}

// TestKill kills a process that starts and runs operations, at random points,
// again and again. Every start that was acknowledged comes to one end, which
// is the one that was seen, if it was.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := *killRounds
	if testing.Short() {
		rounds = min(rounds, 5)
	}
	path := filepath.Join(t.TempDir(), "operations.db")
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	l := &ledger{t: t, labels: make(map[string]string), ends: make(map[string]string), saved: make(map[string]int)}
	for range rounds {
		c := startChild(t, "start", path)
		// After some lines, or within the opening.
		lines, limit := rnd.IntN(300), time.Duration(1+rnd.IntN(1000))*time.Millisecond
		if rnd.IntN(4) > 0 {
			limit = time.Minute
		}
		l.readSome(c, lines, limit)
		c.kill(t, l.read)
	}
	if len(l.labels) == 0 {
		t.Fatalf("nothing was started in %d rounds", rounds)
	}
	e := mustOpen(t, path, nil)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- e.Work(ctx, engine.Worker{Kinds: map[string]int{"work": 0},
			Run: childAttempt(func(format string, args ...any) {
				if line := fmt.Sprintf(format, args...); strings.HasPrefix(line, "error") {
					t.Error(line)
				}
			})})
	}()
	t.Logf("%d rounds, %d starts acknowledged, %d ends seen (seed %d)", rounds, len(l.labels), len(l.ends), seed)
	for name, label := range l.labels {
		rec, err := e.Wait(t.Context(), name)
		if err != nil {
			t.Errorf("Wait(%q) = %v, and Start had acknowledged it", name, err)
			continue
		}
		end := fmt.Sprintf("%v %s", rec.State, unpack(rec.Response))
		if want := "SUCCEEDED response to " + label; end != want {
			t.Errorf("%q ended with %q, want %q", name, end, want)
		}
		if seen := l.ends[name]; seen != "" && seen != end {
			t.Errorf("%q ended with %q, and with %q before", name, end, seen)
		}
		if rec.Attempt > rounds+1 || rec.Attempt != rec.Crashes+1 {
			t.Errorf("%q took %d attempts with %d crashes, want at most %d, one more than crashes", name, rec.Attempt, rec.Crashes, rounds+1)
		}
		if rec.Attempt == 0 || string(rec.Checkpoint) != "3" {
			t.Errorf("%q ended in attempt %d at checkpoint %q, want it run to the end", name, rec.Attempt, rec.Checkpoint)
		}
		again, err := e.Start(t.Context(), engine.Spec{Kind: "work", Request: textAny(label), RequestID: label})
		if err != nil || again.Name != name {
			t.Errorf("Start with the request ID of %q = %v, %v; want that operation", name, again, err)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Work() = %v", err)
	}
	if err := e.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	checkSound(t, path)
}

// readSome reads lines, until there were enough, or time is over.
func (l *ledger) readSome(c *child, lines int, limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for range lines {
		select {
		case line, ok := <-c.lines:
			if !ok {
				l.t.Error("the process died by itself")
				return
			}
			l.read(line)
		case <-timer.C:
			return
		}
	}
}

// TestKiller has an operation that kills its process each time: it is given up
// after the limit, and the others run.
func TestKiller(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	e := mustOpen(t, path, nil)
	start := func(kind string, limit int) *engine.Record {
		rec, err := e.Start(t.Context(), engine.Spec{Kind: kind, Request: textAny(kind), CrashLimit: limit})
		if err != nil {
			t.Fatalf("Start() = %v", err)
		}
		return rec
	}
	// The other one may be running whenever the process dies.
	killer, other := start("killer", 3), start("work", 100)
	if err := e.Close(); err != nil {
		t.Fatalf("Close() = %v", err)
	}
	for range 3 {
		c := startChild(t, "run", path)
		for range c.lines {
			continue // until it has killed itself
		}
		_ = c.cmd.Wait()
		_ = c.stdin.Close()
	}
	e = mustOpen(t, path, nil)
	rec, err := e.Wait(t.Context(), killer.Name)
	if err != nil {
		t.Fatalf("Wait() = %v", err)
	}
	if rec.State != engine.Failed || rec.Error.GetCode() != int32(code.Code_ABORTED) || rec.Crashes != 3 {
		t.Errorf("state %v, error %v, crashes %d; want it ABORTED after 3", rec.State, rec.Error, rec.Crashes)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- e.Work(ctx, engine.Worker{Kinds: map[string]int{"work": 0}, Run: childAttempt(func(string, ...any) {})})
	}()
	rec, err = e.Wait(t.Context(), other.Name)
	if err != nil || rec.State != engine.Succeeded {
		t.Errorf("Wait() of the other one = %v, %v; want SUCCEEDED", rec, err)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("Work() = %v", err)
	}
}
