package postgres

import (
	"context"
	"sync"
	"time"
)

// process is what the engine's process is in table proc: the owner of the
// operations that run here. It joins when the first operation is claimed.
type process struct {
	e *Engine

	mu      sync.Mutex
	owner   int64         // 0 before it has joined, and after its lease has ended
	started time.Time     // in the table, too: claims made with another value take nothing
	until   time.Time     // the lease is good so long, by this process's clock
	offset  time.Duration // of the database's clock from ours
}

// id returns the owner that claims are made for, and when it started.
func (p *process) id(ctx context.Context) (owner int64, started time.Time, err error) {
	p.mu.Lock()
	owner, started, until := p.owner, p.started, p.until
	p.mu.Unlock()
	if owner != 0 && time.Now().Before(until) {
		return owner, started, nil
	}
	begin, old := time.Now(), owner
	err = p.e.own(ctx, func(q querier) error {
		return each(ctx, q, p.e.sql.join, func(r rows) error { return r.Scan(&owner, &started) },
			p.e.opts.Identity, p.e.opts.Lease.Microseconds())
	})
	if err != nil {
		return 0, time.Time{}, err
	}
	p.mu.Lock()
	p.owner, p.started, p.until = owner, started, begin.Add(p.e.opts.Lease)
	p.mu.Unlock()
	if old != 0 {
		p.e.loseAll(old)
	}
	return owner, started, nil
}

// voidClaims waits for claims of the process that have begun, and has those take nothing
// that have not: a statement may arrive long after its connection was lost. It reports
// false when the lease has ended.
func (p *process) voidClaims(ctx context.Context, owner int64) (held bool, err error) {
	if !p.holds(owner) {
		return false, nil
	}
	var started time.Time
	err = p.e.within(ctx, p.e.ownPool, func(f frame) error {
		held = false
		return f.run(ctx, statement{sql: p.e.sql.hold, args: []any{owner}}, statement{sql: p.e.sql.voidClaims, args: []any{owner}, scan: func(r rows) error {
			held = true
			return r.Scan(&started)
		}})
	})
	if err != nil || !held {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.owner != owner {
		return false, nil
	}
	p.started = started
	return true, nil
}

// holds reports whether the lease of an owner has not ended. Its attempts are lost
// after this has become false.
func (p *process) holds(owner int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.owner == owner
}

// run renews the lease.
func (p *process) run(ctx context.Context) {
	for pause(ctx, p.next(), nil) {
		p.renew(ctx)
	}
}

// next is how long to wait for the next renewal. It is never beyond the end of the
// lease: the attempts must have ended by then.
func (p *process) next() time.Duration {
	every := p.e.opts.Lease / 5
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.owner == 0 {
		return every
	}
	return max(0, min(every, time.Until(p.until)))
}

func (p *process) renew(ctx context.Context) {
	p.mu.Lock()
	owner, until := p.owner, p.until
	p.mu.Unlock()
	if owner == 0 {
		return
	}
	begin := time.Now()
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	n := 0
	err := p.e.own(ctx, func(q querier) (err error) {
		n, err = exec(ctx, q, p.e.sql.renew, owner, p.e.opts.Lease.Microseconds())
		return err
	})
	p.e.measured.renewed(time.Since(begin), err == nil && n > 0)
	switch {
	case err == nil && n > 0:
		p.set(owner, owner, begin.Add(p.e.opts.Lease))
	case err == nil || !time.Now().Before(until):
		p.lose(owner, err)
	default:
		p.e.outages.warn("the lease of this process could not be renewed, will try again", err)
	}
}

// lose notes that the lease of an owner has ended.
func (p *process) lose(owner int64, err error) {
	if !p.holds(owner) {
		return // it is known
	}
	p.e.opts.Logger.Error("the lease of this process has ended, its attempts have lost their operations", "error", err)
	p.set(owner, 0, time.Time{})
	p.e.loseAll(owner)
}

// set changes the owner, unless it is no longer old.
func (p *process) set(old, owner int64, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.owner == old {
		p.owner, p.until = owner, until
	}
}

// leave gives the lease back. What is still owned is taken over at once.
func (p *process) leave() {
	p.mu.Lock()
	owner := p.owner
	p.owner = 0
	p.mu.Unlock()
	if owner == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.e.opts.Lease)
	defer cancel()
	id := []any{owner}
	err := p.e.within(ctx, p.e.ownPool, func(f frame) error {
		return f.run(ctx, statement{sql: p.e.sql.hold, args: id}, statement{sql: p.e.sql.leave, args: id}, statement{sql: p.e.sql.expireProc, args: id})
	})
	if err != nil {
		p.e.opts.Logger.Warn("the lease of this process could not be given back, and will end", "error", err)
	}
}

// observe notes the time by the database's clock.
func (p *process) observe(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.offset = time.Until(now)
}

// now is the time by the database's clock, roughly, as it can be stored.
func (p *process) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Add(p.offset).UTC().Truncate(time.Microsecond)
}

// loseAll ends the attempts of an owner whose lease has ended.
func (e *Engine) loseAll(owner int64) {
	e.mu.Lock()
	var lost []*attempt
	for _, a := range e.attempts {
		if a.owner == owner {
			lost = append(lost, a)
		}
	}
	e.mu.Unlock()
	for _, a := range lost {
		a.lose()
	}
}
