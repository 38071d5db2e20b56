package sqlite

import (
	"context"
	"time"

	"github.com/go-lro/lro/server/engine"
)

// maxPersistPause bounds the pause while the store refuses progress.
const maxPersistPause = 5 * time.Second

// runProgress persists reported progress, at most every persistEvery.
func (e *Engine) runProgress() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	pause := persistEvery
	for {
		select {
		case <-e.dirtyKick:
		case <-e.stop:
			return
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-e.stop:
			return
		}
		err := e.persistProgress()
		switch {
		case err == nil:
			pause = persistEvery
		case !isDown(err):
			pause = min(2*pause, maxPersistPause)
			e.opts.Logger.Warn("progress could not be persisted, will try again", "error", err, "after", pause)
		}
	}
}

// persistProgress writes the metadata of all operations that reported.
func (e *Engine) persistProgress() error {
	e.mu.Lock()
	dirty := e.dirty
	e.dirty = make(map[int64]struct{})
	e.mu.Unlock()
	if len(dirty) == 0 {
		return nil
	}
	err := e.write(context.Background(), 0, func(b *batch) error {
		for seq := range dirty {
			r, err := b.load(seq)
			if err != nil {
				return err
			}
			if r == nil || r.rec.State != engine.Running {
				continue
			}
			if err := b.updateMetadata(r, r); err != nil && b.err == nil {
				// Its own fault: the others are stored.
				e.opts.Logger.Error("progress could not be persisted", "operation", r.rec.Name, "error", err)
			}
		}
		return b.err
	})
	if err == nil {
		return nil
	}
	e.mu.Lock()
	for seq := range dirty {
		if en := e.cache.entries[seq]; en != nil && en.attempt != nil {
			e.dirty[seq] = struct{}{}
		}
	}
	e.mu.Unlock()
	kick(e.dirtyKick)
	return err
}
