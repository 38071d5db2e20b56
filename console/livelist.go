package console

import (
	"context"
	"errors"
	"net/url"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// recountEvery is how often the numbers on the tabs change, at most.
	recountEvery = time.Second
	// lookEvery is how often a page looks for newer operations, at most; more
	// rarely where that takes long.
	lookEvery = 2 * time.Second
	// maxGone bounds how many rows that a list did not return are asked for one
	// by one.
	maxGone = 20
)

// liveList is the live page of a list. Its rows stay where they are: what is
// newer is only counted.
type liveList struct {
	h     *Handler
	view  view
	query listQuery
	names []string // of the rows, in their order
	shown map[string]bool

	ended     map[string]bool // rows that will not change any more but by their deletion
	counted   time.Time
	lookAgain time.Time // not before this
	stale     bool      // changes came that the numbers do not show yet
	arrived   bool      // changes came that may be newer operations
	freshness fresh
	states    bool
	asked     bool // states is known
}

func newLiveList(h *Handler, mine view, v url.Values) *liveList {
	l := &liveList{h: h, view: mine, query: listQueryOf(v), shown: map[string]bool{}, ended: map[string]bool{}}
	for _, name := range v["name"] {
		if len(l.names) < pageSize && !l.shown[name] && mine.may(name) {
			l.names, l.shown[name] = append(l.names, name), true
		}
	}
	return l
}

// wants takes every change: each may move the numbers.
func (l *liveList) wants(Change) bool { return true }

func (l *liveList) every(fed bool) time.Duration {
	if fed {
		return 0
	}
	return l.h.config.Poll
}

func (l *liveList) update(ctx context.Context, whole bool, changes map[string]Change) (update, error) {
	u := update{parts: map[string]string{}}
	fed := changes != nil
	var err error
	switch {
	case fed:
		err = l.reread(ctx, &u, whole, changes)
	default:
		err = l.relist(ctx, &u)
	}
	if err != nil {
		return update{}, err
	}
	l.stale = l.stale || whole || len(changes) > 0
	l.arrived = l.arrived || whole
	for name := range changes {
		l.arrived = l.arrived || !l.shown[name]
	}
	if err := l.recount(ctx, &u); err != nil {
		return update{}, err
	}
	if fed {
		err = l.look(ctx, &u)
	}
	return u, err
}

// reread reads the rows that changed, or all.
func (l *liveList) reread(ctx context.Context, u *update, whole bool, changes map[string]Change) error {
	for _, name := range l.names {
		change, changed := changes[name]
		if !whole && !changed {
			continue
		}
		if changed && change.Deleted {
			if err := l.gone(u, name); err != nil {
				return err
			}
			continue
		}
		if err := l.read(ctx, u, name); err != nil {
			return err
		}
	}
	return nil
}

func (l *liveList) read(ctx context.Context, u *update, name string) error {
	op, err := l.view.get(ctx, name)
	switch {
	case status.Code(err) == codes.NotFound:
		return l.gone(u, name)
	case status.Code(err) == codes.PermissionDenied:
		return nil // the viewer may not see it any more; the others still move
	case err != nil:
		return err
	}
	return l.show(ctx, u, op)
}

func (l *liveList) show(ctx context.Context, u *update, op Operation) error {
	r := l.h.rowOf(ctx, op)
	l.ended[op.Message.GetName()] = op.Message.GetDone()
	html, err := part("list", "row", r)
	u.parts[r.ID] = html
	return err
}

func (l *liveList) gone(u *update, name string) error {
	r := row{ID: elementID(name), Name: name, Gone: true}
	r.Parent, r.Short = splitName(name)
	html, err := part("list", "row", r)
	u.parts[r.ID] = html
	return err
}

// relist reads the page again, for a source that does not tell of changes, and
// one by one those rows that are not on it any more and had not ended.
func (l *liveList) relist(ctx context.Context, u *update) error {
	got, err := l.view.fill(ctx, l.query)
	if err != nil {
		return err
	}
	found := map[string]bool{}
	newer := 0
	for _, op := range got.Operations {
		name := op.Message.GetName()
		found[name] = true
		if l.shown[name] {
			if err := l.show(ctx, u, op); err != nil {
				return err
			}
		} else if len(found) == newer+1 {
			newer++ // nothing that is shown stood before it
		}
	}
	reads := 0
	for _, name := range l.names {
		if found[name] || l.ended[name] || reads == maxGone {
			continue
		}
		reads++
		if err := l.read(ctx, u, name); err != nil {
			return err
		}
	}
	if l.query.Token == "" {
		l.tell(u, fresh{Count: newer, More: newer == len(got.Operations) && got.Next != "" && newer > 0})
	}
	return nil
}

// recount updates the tabs.
func (l *liveList) recount(ctx context.Context, u *update) error {
	if !l.stale {
		return nil
	}
	if wait := recountEvery - time.Since(l.counted); wait > 0 {
		u.want(wait)
		return nil
	}
	counts, err := l.view.counts(ctx)
	if err != nil {
		if errors.Is(err, errors.ErrUnsupported) || status.Code(err) == codes.PermissionDenied {
			l.stale = false
			return nil
		}
		return err
	}
	l.stale, l.counted = false, time.Now()
	if !l.asked {
		l.states, l.asked = l.h.filtersState(ctx), true
	}
	html, err := part("list", "tabs", tabsOf(l.query, l.states, counts))
	u.parts["tabs"] = html
	return err
}

// look counts the operations that are newer than the page.
func (l *liveList) look(ctx context.Context, u *update) error {
	if !l.arrived || l.query.Token != "" {
		return nil
	}
	begin := time.Now()
	if wait := l.lookAgain.Sub(begin); wait > 0 {
		u.want(wait)
		return nil
	}
	// One page only: behind it may be many operations that do not match.
	got, err := l.view.list(ctx, Query{Filter: l.query.filter(), PageSize: pageSize})
	if err != nil {
		return err
	}
	l.arrived, l.lookAgain = false, time.Now().Add(max(lookEvery, 10*time.Since(begin)))
	newer := fresh{More: len(got.Operations) == pageSize}
	for _, op := range got.Operations {
		if l.shown[op.Message.GetName()] {
			newer.More = false
			break
		}
		newer.Count++
	}
	l.tell(u, newer)
	return nil
}

// tell lets the page know how many newer operations there are, if that is news.
func (l *liveList) tell(u *update, f fresh) {
	if f.Count == 0 {
		f.More = false
	}
	if f != l.freshness {
		l.freshness = f
		u.fresh = &f
	}
}

// want schedules another update after d, unless one is due sooner.
func (u *update) want(d time.Duration) {
	if u.again == 0 || d < u.again {
		u.again = d
	}
}
