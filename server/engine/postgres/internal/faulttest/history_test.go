//go:build unix

package faulttest

import (
	"cmp"
	"encoding/json"
	"flag"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/jackc/pgx/v5"

	"github.com/go-lro/lro/internal/child"
	"github.com/go-lro/lro/internal/oracle"
	"github.com/go-lro/lro/internal/pgtest"
	"github.com/go-lro/lro/server/engine/enginekit"
)

var killRounds = flag.Int("kill-rounds", 10, "how often TestHistory kills a process")

// TestHistory kills two processes (kill -9) at random points, again and again.
// Both call the engine and run operations. There must be an order of all that they
// called, answered and did, within the time each took, that the oracle's model of
// an operation allows, and each effect is there once.
func TestHistory(t *testing.T) {
	t.Parallel()
	rounds(t)
	w := newWorld(t, pgtest.URL(t), workerConfig{Lease: 2 * time.Second})
	w.config.History = &historyConfig{File: filepath.Join(t.TempDir(), "history"), Callers: 3, Begin: time.Now()}
	var (
		mu     sync.Mutex
		deaths []*oracle.Event
		lanes  sync.WaitGroup
	)
	kill := func(p *child.Process) {
		select {
		case <-p.Ended():
			t.Errorf("a worker has ended by itself; its output:\n%s", p.Output())
		default:
		}
		d := &oracle.Event{Key: -1, By: "test", Do: oracle.Die, Out: oracle.Unknown, Lived: p.PID(), Call: int(time.Now().UnixNano())}
		p.Kill()
		mu.Lock()
		defer mu.Unlock()
		deaths = append(deaths, d)
	}
	for lane, p := range w.workers(2) {
		lanes.Go(func() {
			for range (*killRounds + lane) / 2 {
				enginekit.Pause(t.Context(), rand.N(600*time.Millisecond))
				kill(p)
				var err error
				if p, err = w.spawn(w.config); err != nil {
					t.Error(err)
					return
				}
			}
			kill(p)
		})
	}
	lanes.Wait()
	w.config.History.Callers = 0
	workers := w.workers(2)
	eventually(t, "all operations have ended", func() bool {
		return len(query(w, pgx.RowTo[int64], "SELECT seq FROM "+w.table("live"))) == 0
	})
	for _, p := range workers {
		w.leave(p)
	}
	w.judge(readHistory(t, w.config.History.File), deaths)
	for _, twice := range query(w, pgx.RowTo[string], "SELECT concat(name, ' step ', step) FROM "+w.table("effect")+" GROUP BY name, step HAVING count(*) > 1") {
		t.Errorf("effect twice: %s", twice)
	}
}

// readHistory returns the events of a file. One that has not returned is unknown.
func readHistory(t *testing.T, file string) []*oracle.Event {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	events := make(map[string]*oracle.Event)
	for line := range strings.Lines(string(content)) {
		var l written
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("line %q of the history: %v", line, err)
		}
		events[l.ID] = &l.Event
	}
	for _, e := range events {
		if e.Return == 0 {
			e.Out, e.Seen = oracle.Unknown, nil
		}
	}
	return slices.Collect(maps.Values(events))
}

// checkTime bounds the search for an order of the events of one request ID.
const checkTime = 5 * time.Second

// judge fails unless the histories of all request IDs can be explained.
func (w *world) judge(events, deaths []*oracle.Event) {
	w.t.Helper()
	byKey := make(map[int][]*oracle.Event)
	known := make(map[string]int)
	for _, e := range events {
		if e.Out == oracle.Unknown && (e.Do == oracle.Get || e.Do == oracle.Wait) {
			continue
		}
		byKey[e.Key] = append(byKey[e.Key], e)
		if e.Seen != nil {
			known[e.Seen.Name] = e.Key
		}
	}
	// How each operation is at last, which nothing changes any more.
	for name, key := range known {
		e := &oracle.Event{Key: key, By: "test", Do: oracle.Get, Name: name, Call: int(time.Now().UnixNano())}
		rec, err := w.engine.Get(w.t.Context(), name)
		switch {
		case isNotFound(err):
			e.Out = oracle.NotFound
		case err != nil:
			w.t.Fatal(err)
		default:
			if e.Seen = viewOf(rec); !e.Seen.Done() {
				w.t.Errorf("operation %q has not ended: %+v", name, e.Seen)
			}
		}
		e.Return = int(time.Now().UnixNano())
		byKey[key] = append(byKey[key], e)
	}
	var unknown int
	var mu sync.Mutex
	var checking sync.WaitGroup
	limited := make(chan struct{}, 2)
	for key, history := range byKey {
		limited <- struct{}{}
		checking.Go(func() {
			defer func() { <-limited }()
			model := oracle.Model(oracle.Rules{CrashLimit: 1 << 30})
			// The search is short with the deaths of those alone that are known to have
			// run the operation. An order without the others is an order.
			result := porcupine.CheckOperationsTimeout(model, ordered(history, ofClaimers(history, deaths)), checkTime)
			if result != porcupine.Ok {
				result = porcupine.CheckOperationsTimeout(model, ordered(history, deaths), checkTime)
			}
			switch result {
			case porcupine.Illegal:
				var lines strings.Builder
				for _, op := range ordered(history, deaths) {
					lines.WriteString(op.Input.(*oracle.Event).String() + "\n")
				}
				w.t.Errorf("no order of the events with request ID %d explains them:\n%s", key, lines.String())
			case porcupine.Unknown:
				mu.Lock()
				defer mu.Unlock()
				unknown++
			}
		})
	}
	checking.Wait()
	w.t.Logf("%d processes killed; histories of %d request IDs with %d operations and %d events, %d of them given up",
		len(deaths), len(byKey), len(known), len(events), unknown)
	if unknown*2 > len(byKey) {
		w.t.Errorf("%d of %d histories were given up", unknown, len(byKey))
	}
}

// ofClaimers are the deaths of processes that had an attempt in a history.
func ofClaimers(history, deaths []*oracle.Event) []*oracle.Event {
	return slices.DeleteFunc(slices.Clone(deaths), func(d *oracle.Event) bool {
		return !slices.ContainsFunc(history, func(e *oracle.Event) bool { return e.Do == oracle.Claim && e.Lived == d.Lived })
	})
}

// ordered are the events of one request ID, with the deaths while it was used.
func ordered(history, deaths []*oracle.Event) []porcupine.Operation {
	first, last := math.MaxInt, 0
	for _, e := range history {
		if e.Do != oracle.Claim { // its time is the database's
			first = min(first, e.Call)
		}
		last = max(last, e.Call, e.Return)
	}
	history = slices.Clone(history)
	for _, d := range deaths {
		if d.Call > first && d.Call < last {
			history = append(history, d)
		}
	}
	slices.SortFunc(history, func(a, b *oracle.Event) int { return cmp.Compare(a.Call, b.Call) })
	var all []porcupine.Operation
	for i, e := range history {
		ret := e.Return
		if e.Out == oracle.Unknown {
			ret = math.MaxInt
		}
		all = append(all, porcupine.Operation{ClientId: i, Input: e, Call: int64(e.Call), Return: int64(ret)})
	}
	return all
}
