package postgres

import (
	"context"
	"time"

	"github.com/go-lro/lro/server/engine/enginekit"
)

const (
	// persistEvery is how often reported progress is written.
	persistEvery = 100 * time.Millisecond
	// maxPersistPause bounds the pause while the store refuses progress.
	maxPersistPause = 5 * time.Second
)

// runProgress stores reported progress, at most every persistEvery.
func (e *Engine) runProgress(ctx context.Context) {
	every := persistEvery
	for {
		select {
		case <-e.dirtyKick:
		case <-ctx.Done():
			return
		}
		if !pause(ctx, every, nil) {
			return
		}
		if err := e.storeProgress(ctx); err != nil && ctx.Err() == nil {
			every = min(2*every, maxPersistPause)
			e.opts.Logger.Warn("progress could not be stored, will try again", "error", err, "after", every)
			kick(e.dirtyKick)
			continue
		}
		every = persistEvery
	}
}

// report is the progress of one attempt on its way into the database.
type report struct {
	attempt  *attempt
	revision int64
	at       time.Time
	metadata []byte
}

// storeProgress writes the metadata of all attempts that reported.
func (e *Engine) storeProgress(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	reports := e.takeReports()
	if len(reports) == 0 {
		return nil
	}
	defer func() {
		for _, r := range reports {
			<-r.attempt.writing
		}
	}()
	var numbers, fences, revisions []int64
	var metadata [][]byte
	var times []time.Time
	for _, r := range reports {
		numbers, fences = append(numbers, r.attempt.seq), append(fences, r.attempt.rec.Fence)
		metadata, revisions, times = append(metadata, r.metadata), append(revisions, r.revision), append(times, r.at)
	}
	stored := make(map[int64]int64)
	err := e.keyed(ctx, e.ownPool, func() statement {
		clear(stored)
		return statement{sql: e.sql.progress, args: []any{numbers, fences, metadata, revisions, times}, scan: func(r rows) error {
			var seq, revision int64
			err := r.Scan(&seq, &revision)
			stored[seq] = revision
			return err
		}}
	})
	var changes []news
	again := false
	e.mu.Lock()
	for _, r := range reports {
		a := r.attempt
		revision, ok := stored[a.seq]
		switch {
		case err == nil && ok:
			changes = append(changes, news{seq: a.seq, lives: true})
			if a.revision == r.revision { // nothing was reported since
				a.unsaved = false
			}
			a.revision = max(a.revision, revision)
		case e.attempts[a.seq] == a && !a.finishing:
			// The store refused it, or another transaction holds the operation.
			e.dirty[a.seq] = struct{}{}
			again = true
		}
	}
	e.mu.Unlock()
	if again && err == nil {
		kick(e.dirtyKick)
	}
	e.news.queue(changes) // it is known here
	return err
}

// takeReports returns what is to be stored, of attempts that store nothing else
// now.
func (e *Engine) takeReports() []report {
	e.mu.Lock()
	defer e.mu.Unlock()
	var reports []report
	bytes := 0
	for seq := range e.dirty {
		if bytes > maxStatement {
			kick(e.dirtyKick) // the rest is next
			break
		}
		a := e.attempts[seq]
		if a == nil || a.finishing || !a.unsaved {
			delete(e.dirty, seq)
			continue
		}
		select {
		case a.writing <- struct{}{}:
		default:
			kick(e.dirtyKick)
			continue
		}
		delete(e.dirty, seq)
		metadata, err := enginekit.EncodeAny(a.progress)
		if err != nil {
			// Its own fault: the others are stored.
			e.opts.Logger.Error("progress could not be stored", "operation", a.rec.Name, "error", err)
			<-a.writing
			continue
		}
		bytes += len(metadata)
		reports = append(reports, report{a, a.revision, a.reported, metadata})
	}
	return reports
}
