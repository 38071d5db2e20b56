package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/go-lro/lro/internal/oracle"
	"github.com/go-lro/lro/server/engine"
)

// Backuper is a [Store] that can be copied while an engine has it open.
type Backuper interface {
	// Backup copies the store that e has open, and returns what the copy has. It
	// fails too when there is something wrong with the copy.
	Backup(ctx context.Context, e engine.Engine) ([]*engine.Record, error)
}

// backupMade is what backups are counted as.
const backupMade = "backup"

// operator is the actor of backups. Callers and faults go on beside it.
const operator = 1000

// backups adds some in one of three programs. They come last, and leave the other
// steps when they were.
func (p *program) backups(r *rand.Rand, pace time.Duration) {
	if r.IntN(3) > 0 {
		return
	}
	for range 1 + r.IntN(3) {
		p.steps = append(p.steps, step{
			Index: len(p.steps), Actor: operator, Do: oracle.Backup, Opens: -1,
			After: time.Duration(r.Float64() * float64(pace) * float64(len(p.steps)) / 4),
		})
	}
}

// withoutBackups returns the steps where nothing can be copied.
func (p *program) withoutBackups() []step {
	return slices.DeleteFunc(slices.Clone(p.steps), func(s step) bool { return s.Do == oracle.Backup })
}

// backup notes what a copy has, unless its process dies meanwhile.
func (h *host) backup() {
	p := h.running()
	store, is := h.store.(Backuper)
	if p == nil || !is {
		return
	}
	w := h.w
	e := w.history.call(oracle.Event{Key: -1, By: actorName(operator), Do: oracle.Backup, Lived: p.number})
	ctx, cancel := context.WithTimeout(context.Background(), w.callTimeout())
	defer cancel()
	records, err := store.Backup(ctx, p.engine)
	if err == nil && p.alive() {
		e.Copy, err = w.copied(p, records)
	}
	switch {
	case err == nil && p.alive():
		w.history.done(e, oracle.OK)
		w.count(backupMade)
		return
	case err != nil && !w.program.faulty():
		w.complain("backup: %v", err)
	}
	w.history.done(e, oracle.Unknown)
}

func (w *world) copied(p *process, records []*engine.Record) ([]oracle.View, error) {
	inspect := p.serve(0).server.Inspect()
	var views []oracle.View
	for _, rec := range records {
		v, err := w.history.view(inspect.View(rec))
		if err != nil {
			return nil, fmt.Errorf("the copy has %v: %w", rec, err)
		}
		views = append(views, *v)
	}
	return views, nil
}

// backups: a copy has all that was known before it was begun, and nothing that was
// gone by then or that never was.
func (c *checker) backups() {
	for _, b := range c.r.Events {
		if b.Do != oracle.Backup || b.Out != oracle.OK {
			continue
		}
		copied := make(map[string]oracle.View)
		for _, v := range b.Copy {
			copied[v.Name] = v
		}
		for name, of := range c.of {
			v, is := copied[name]
			c.copied(b, name, of, v, is)
		}
	}
}

func (c *checker) copied(b *oracle.Event, name string, of *facts, v oracle.View, is bool) {
	before := func(e *oracle.Event) bool { return e.Return > 0 && e.Return < b.Call }
	if is && slices.ContainsFunc(of.deletes, func(d *oracle.Event) bool { return d.Out == oracle.OK && before(d) }) {
		c.complain("the copy of %v has %s, which was deleted", b, name)
	}
	mayBeGone := c.expires(of) || slices.ContainsFunc(of.deletes, func(d *oracle.Event) bool { return d.Call < b.Return })
	for _, s := range of.seen {
		switch {
		case !is:
			if !mayBeGone && before(s.Event) {
				c.complain("the copy of %v lacks %s, which was shown: %+v", b, name, s.View)
				return
			}
		case v.Done() && s.Done() && (v.Result != s.Result || v.End != s.End),
			before(s.Event) && (s.Done() && !v.Done() || s.Cancel && !v.Cancel || v.Attempt < s.View.Attempt):
			c.complain("the copy of %v has %+v, and a call was shown: %+v", b, v, s.View)
			return
		}
	}
}
