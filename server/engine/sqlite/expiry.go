package sqlite

import (
	"context"
	"time"
)

const (
	// expireBatch bounds the operations that one transaction removes, so that
	// starts do not wait long for it.
	expireBatch = 50

	// expireRetry is the pause after the store refused to remove.
	expireRetry = 10 * time.Second

	// maxSleep bounds the sleep until the next expiry: timers do not follow a
	// wall clock that is set.
	maxSleep = time.Hour
)

// noteExpiry passes an operation that expires to the sweeper. The caller holds
// Engine.mu.
func (e *Engine) noteExpiry(at time.Time) {
	if at.IsZero() || !e.expire.IsZero() && !at.Before(e.expire) {
		return
	}
	e.expire = at
	kick(e.expireKick)
}

// runExpiry removes operations whose time is over.
func (e *Engine) runExpiry() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait := maxSleep
		e.mu.RLock()
		next := e.expire
		e.mu.RUnlock()
		if !next.IsZero() {
			wait = min(time.Until(next), maxSleep)
		}
		kick := e.expireKick
		if wait <= 0 {
			wait = e.expireDue()
			if wait == expireRetry {
				kick = nil
			}
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-kick:
		case <-e.stop:
			return
		}
	}
}

// expireDue removes one batch, and returns how long to sleep before the next.
func (e *Engine) expireDue() time.Duration {
	// What ends while the batch is under way is noted anew.
	e.mu.Lock()
	due := e.expire
	e.expire = time.Time{}
	e.mu.Unlock()
	var next time.Time
	err := e.write(context.Background(), 0, func(b *batch) error {
		var err error
		next, err = b.expire(now())
		return err
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.noteExpiry(due)
		if !isDown(err) {
			e.opts.Logger.Error("expired operations could not be removed, will try again", "error", err)
		}
		return expireRetry
	}
	e.noteExpiry(next)
	return maxSleep
}

// expire stages the removal of the operations that expired longest ago, and
// returns when the next one expires.
func (b *batch) expire(at time.Time) (next time.Time, err error) {
	seqs, err := b.seqs(`SELECT seq FROM op WHERE expire_time IS NOT NULL AND expire_time <= ?
		ORDER BY expire_time LIMIT ?`, at, expireBatch)
	if err != nil {
		return next, err
	}
	for _, seq := range seqs {
		r, err := b.load(seq)
		if err != nil {
			return next, err
		}
		if r == nil {
			continue
		}
		if _, err := b.remove(r); err != nil {
			return next, err
		}
	}
	return b.nextExpiry()
}

func (b *batch) nextExpiry() (time.Time, error) {
	ns, err := b.seqs("SELECT expire_time FROM op WHERE expire_time IS NOT NULL ORDER BY expire_time LIMIT 1")
	if err != nil || len(ns) == 0 {
		return time.Time{}, err
	}
	return time.Unix(0, ns[0]).UTC(), nil
}
