package postgres

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

const (
	// sweepBelow is how often a worker looks for fresh operations below its mark.
	sweepBelow = 10 * time.Second
	// markDelay is how long numbers stay above the mark after they were given
	// away: the transactions that got them commit later than they did, and not in
	// their order.
	markDelay = 2 * time.Second
	// claimRetry bounds the pause after a claim that failed.
	claimRetry = 2 * time.Second
	// secondLook is the pause before another look, after a claim that found less
	// than it could take: another process may have held what it saw.
	secondLook = 20 * time.Millisecond
)

// mark is the number from which on a worker looks for fresh operations of a
// kind. All below were claimed, and their dead index entries need not be read
// again, which matters while an open transaction keeps them from being
// removed. Operations that are handed back, or that a caller's transaction has
// started, are found by another index.
type mark struct {
	from    int64     // look from here
	next    int64     // seen by moved
	moved   time.Time // when next became what it is
	highest int64     // seen since
	swept   time.Time // when nothing fresh was left below
}

// begin returns the number to look from: each sweepBelow from the first.
func (m *mark) begin(now time.Time) int64 {
	if now.Sub(m.swept) >= sweepBelow {
		return 0
	}
	return m.from
}

// see notes that nothing fresh is left up to seq.
func (m *mark) see(seq int64, now time.Time) {
	m.highest = max(m.highest, seq)
	if now.Sub(m.moved) >= markDelay {
		m.from, m.next, m.moved = m.next, m.highest, now
	}
}

// claimLoop claims operations for a worker until it is stopped.
func (e *Engine) claimLoop(ctx context.Context, w *worker) {
	looks := 0
	for {
		want, kinds, limits := e.free(w)
		if want < 0 {
			return
		}
		if want == 0 {
			pause(ctx, time.Hour, w.wake)
			continue
		}
		got, wait, err := e.claim(ctx, w, want, kinds, limits)
		switch {
		case err != nil:
			e.outages.log(slog.LevelError, "operations could not be claimed, will try again", err)
			looks = 0
			pause(ctx, claimRetry, nil)
		case got > 0:
			looks = 1 // there may be more
		case looks > 0:
			looks--
			pause(ctx, secondLook, w.wake)
		default:
			pause(ctx, min(wait, e.pollEvery()), w.wake)
		}
	}
}

// free returns how many operations a worker can take, of all and of each kind;
// -1 when it was stopped.
func (e *Engine) free(w *worker) (want int, kinds []string, limits []int32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if w.stopped {
		return -1, nil, nil
	}
	want = min(w.concurrency-w.active, maxGroup)
	if want <= 0 {
		return 0, nil, nil
	}
	for kind, limit := range w.Kinds {
		n := want
		if limit > 0 {
			n = min(n, limit-w.running[kind])
		}
		if n > 0 {
			kinds = append(kinds, kind)
			limits = append(limits, int32(n))
		}
	}
	if len(kinds) == 0 {
		return 0, nil, nil
	}
	return want, kinds, limits
}

// claim claims operations and begins their attempts. wait is how long until one
// is due that has to wait.
func (e *Engine) claim(ctx context.Context, w *worker, want int, kinds []string, limits []int32) (got int, wait time.Duration, err error) {
	// One at a time, so that what is owned by the process and has no attempt is
	// what a claim has lost.
	select {
	case e.claiming <- struct{}{}:
		defer func() { <-e.claiming }()
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	if err := e.handBackLost(ctx); err != nil {
		return 0, 0, err
	}
	owner, started, err := e.process.id(ctx)
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	marks := make([]int64, len(kinds))
	for i, kind := range kinds {
		if w.marks[kind] == nil {
			w.marks[kind] = &mark{moved: begin, swept: begin}
		}
		marks[i] = w.marks[kind].begin(begin)
	}
	var claimed []*row
	var last int64
	var due float64
	held := true
	err = e.keyed(ctx, e.pool, func() statement {
		claimed = nil
		return statement{sql: e.sql.claim, args: []any{owner, kinds, marks, limits, want, started}, scan: scanRows(func(r *row) { claimed = append(claimed, r) })}
	})
	if err == nil && len(claimed) == 0 {
		// Not by its key: a sequence is read as a whole.
		err = e.planned(ctx, func(q querier) error {
			return each(ctx, q, e.sql.claimInfo, func(r rows) error { return r.Scan(&last, &due, &held) }, owner, started)
		})
	}
	if err != nil {
		e.claimLost = owner // the answer may be, and not the claim
		return 0, 0, err
	}
	if !held {
		e.process.lose(owner, nil)
		return 0, 0, nil
	}
	now := time.Now()
	e.measured.claimed(now.Sub(begin))
	below := make(map[string]bool) // kinds of which there may be more below
	for _, r := range claimed {
		if r.rec.Attempt == 1 && r.seq < w.marks[r.rec.Kind].from {
			below[r.rec.Kind] = true
		}
	}
	for i, kind := range kinds {
		if marks[i] == 0 && !below[kind] {
			w.marks[kind].swept = begin
		}
	}
	changes := make([]news, len(claimed))
	for i, r := range claimed {
		changes[i] = news{seq: r.seq, lives: true, own: true}
		w.marks[r.rec.Kind].see(r.seq, now)
	}
	// A claim that had to wait has not looked at what was started meanwhile.
	if len(claimed) == 0 && now.Sub(begin) < markDelay {
		for _, kind := range kinds {
			w.marks[kind].see(last, now)
		}
	}
	for _, r := range claimed {
		e.begin(w, r, owner)
	}
	e.changed(ctx, changes...)
	return len(claimed), time.Duration(due * float64(time.Second)), nil
}

// begin runs the attempt of an operation that was claimed.
func (e *Engine) begin(w *worker, r *row, owner int64) {
	a := &attempt{e: e, worker: w, seq: r.seq, rec: r.rec, owner: owner, hidden: r.hidden, writing: make(chan struct{}, 1)}
	a.ctx, a.cancel = context.WithCancelCause(w.ctx)
	a.told = !r.rec.CancelTime.IsZero()
	if a.told {
		a.cancel(engine.ErrCancelRequested)
	}
	e.process.observe(r.now)
	e.mu.Lock()
	w.active++
	w.running[r.rec.Kind]++
	w.attempts[a] = struct{}{}
	old := e.attempts[r.seq]
	e.attempts[r.seq] = a
	e.mu.Unlock()
	kick(e.watchKick)
	if old != nil {
		old.lose()
	}
	if !e.process.holds(owner) {
		// The lease has ended, maybe before the attempt was known. Another process
		// takes the operation over.
		a.lose()
		go a.end(engine.Outcome{})
		return
	}
	if r.unrunnable {
		e.opts.Logger.Error("operation cannot be run", "operation", r.rec.Name, "error", r.rec.Damaged)
		go a.end(engine.Outcome{Error: enginekit.DataLoss(r.rec)})
		return
	}
	go a.run()
}

// handBackLost makes what a claim has claimed PENDING again when its answer was
// lost. It has not begun, so it is no crash.
func (e *Engine) handBackLost(ctx context.Context) error {
	if e.claimLost == 0 {
		return nil
	}
	// Before the lease is looked at: attempts that lose it are no longer known, and
	// their operations are taken over as crashed.
	here := e.running()
	held, err := e.process.voidClaims(ctx, e.claimLost)
	if err != nil {
		return err
	}
	if !held {
		e.claimLost = 0
		return nil
	}
	var owned []int64
	err = e.keyed(ctx, e.pool, func() statement {
		owned = nil
		return statement{sql: e.sql.allOwned, args: []any{e.claimLost}, scan: scanSeqs(&owned)}
	})
	if err != nil {
		return err
	}
	for _, seq := range owned {
		if here[seq] != nil {
			continue
		}
		_, err := e.changeSeq(ctx, e.pool, seq, func(r *row) (*row, error) {
			if r.rec.State != engine.Running || r.owner != e.claimLost {
				return r, nil
			}
			after := r.edit()
			after.rec.Attempt--
			after.handBack(r.at(), r.at())
			return after, nil
		})
		if err != nil && !isRefusal(err) {
			return err
		}
	}
	e.claimLost = 0
	return nil
}

// isGone reports errors after which the engine's own calls stop.
func isGone(err error) bool {
	return errors.Is(err, engine.ErrClosed) || errors.Is(err, context.Canceled)
}
