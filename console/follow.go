package console

import (
	"context"
	"time"
)

// livePage is a page that is updated while a viewer has it open.
type livePage interface {
	// wants reports whether a change is one that the page shows. It is called
	// by another goroutine than the rest.
	wants(c Change) bool
	// update brings the page up to date. whole means that anything may have
	// changed; otherwise changes has what the page wanted to know of, by name.
	update(ctx context.Context, whole bool, changes map[string]Change) (update, error)
	// every is how often the page is updated as a whole: fed reports whether
	// changes are told besides. 0 means never.
	every(fed bool) time.Duration
}

// update is what a page looks like now.
type update struct {
	parts map[string]string // HTML by the id of the element it takes the place of
	fresh *fresh            // nil if that has not changed
	again time.Duration     // when it wants to be updated once more; 0 for not by itself
}

// fresh reports operations that are newer than those on the page.
type fresh struct {
	Count int  `json:"count"`
	More  bool `json:"more"` // there are more than Count
}

// trouble is what a page says while its source fails.
type trouble struct {
	Text string `json:"text"`
}

// follow keeps a page up to date until ctx ends.
func (h *Handler) follow(ctx context.Context, s *stream, p livePage) error {
	watching, stop := context.WithCancel(ctx)
	f := h.watch(watching, p)
	defer f.wait()
	defer stop()
	fed := f != nil
	greeting := hello{Version: version(), Now: time.Now().UnixMilli()}
	if every := p.every(fed); every > 0 {
		greeting.Every = pace(every)
	}
	if err := s.send("hello", greeting); err != nil {
		return err
	}
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	plan := newPlan(p.every(fed))
	defer plan.timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-beat.C:
			if err := s.beat(); err != nil {
				return err
			}
		case <-f.kicked():
			plan.kicked()
		case <-plan.timer.C:
			if err := h.refresh(ctx, s, p, f, plan); err != nil {
				return err
			}
		}
	}
}

// refresh updates the page once. It fails when the viewer has gone.
func (h *Handler) refresh(ctx context.Context, s *stream, p livePage, f *feed, plan *plan) error {
	limited, cancel := context.WithTimeoutCause(ctx, h.config.Timeout, errSlow)
	defer cancel()
	lost, changes := f.take()
	begin := time.Now()
	whole := lost || plan.due(begin)
	u, err := p.update(limited, whole, changes)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		f.miss() // what was taken has not been shown
		plan.failed()
		return s.send("trouble", trouble{h.problemOf(limited, err).sentence()})
	}
	if plan.failures > 0 {
		if err := s.send("calm", struct{}{}); err != nil {
			return err
		}
	}
	plan.done(begin, whole, u.again)
	if err := s.sendParts(u.parts); err != nil {
		return err
	}
	if u.fresh == nil {
		return nil
	}
	return s.send("fresh", u.fresh)
}

// plan says when a page is updated.
type plan struct {
	timer    *time.Timer
	at       time.Time     // when timer fires
	last     time.Time     // end of the last update
	gap      time.Duration // least pause after it
	every    time.Duration // see livePage.every
	regular  time.Time     // when the page is due as a whole
	failures int           // updates that failed, in a row
}

func newPlan(every time.Duration) *plan {
	now := time.Now()
	return &plan{timer: time.NewTimer(0), at: now, gap: streamGap, every: every, regular: now}
}

func (p *plan) due(now time.Time) bool { return !now.Before(p.regular) }

func (p *plan) set(at time.Time) {
	p.at = at
	p.timer.Reset(time.Until(at))
}

// kicked makes the next update come soon, unless the source fails.
func (p *plan) kicked() {
	if at := p.last.Add(p.gap); p.failures == 0 && at.Before(p.at) {
		p.set(at)
	}
}

// failed makes the next update come later each time.
func (p *plan) failed() {
	p.failures++
	p.last, p.regular = time.Now(), time.Time{}
	p.set(p.last.Add(min(time.Second<<min(p.failures-1, 4), 10*time.Second)))
}

// done plans the next update after one that began then. What takes long, in the
// source or here, is done less often. again is when the page wants another; 0
// for not by itself.
func (p *plan) done(began time.Time, whole bool, again time.Duration) {
	p.failures, p.last = 0, time.Now()
	took := p.last.Sub(began)
	p.gap = max(streamGap, 4*took)
	switch {
	case p.every == 0:
		p.regular = p.last.Add(2 * streamLife)
	case whole:
		p.regular = p.last.Add(max(p.every, min(10*took, 30*time.Second)))
	}
	next := p.regular
	if again > 0 && p.last.Add(again).Before(next) {
		next = p.last.Add(again)
	}
	p.set(next)
}

// sentence is a problem in one line.
func (p problem) sentence() string {
	if p.Text == "" {
		return p.Title + "."
	}
	return p.Title + ": " + p.Text
}
