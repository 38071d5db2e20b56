package postgres

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// news is that an operation has changed.
type news struct {
	seq     int64
	kind    string         // has become PENDING; empty otherwise
	deleted *engine.Record // its last state; nil otherwise
	ended   *engine.Record // its last state, once it has ended; without a name when another process sent it; nil otherwise
	told    string         // its end as another process sent it; not decoded yet
	lives   bool           // has not ended
	own     bool           // by its own attempt, which knows
	known   bool           // to the polls before, and gone from the last
}

func startedNews(rec *engine.Record) news {
	seq, _ := enginekit.ParseSeqName(rec.Name)
	if rec.External {
		return news{seq: seq, lives: true}
	}
	return news{seq: seq, kind: rec.Kind, lives: true}
}

// newsOf returns how before has changed. A nil after was removed.
func newsOf(before, after *row) news {
	switch {
	case after == nil || after.hidden:
		if before.hidden {
			return news{seq: before.seq} // nothing that can be seen
		}
		return news{seq: before.seq, deleted: before.rec}
	case after.rec.State == engine.Pending && before.rec.State != engine.Pending:
		return news{seq: after.seq, kind: after.rec.Kind, lives: true}
	case after.rec.State.Terminal():
		return news{seq: after.seq, ended: after.rec}
	}
	return news{seq: after.seq, lives: true}
}

// maxRecent bounds the numbers in recent.
const maxRecent = 1000

// recent has the numbers that were added last.
type recent struct {
	in    map[int64]bool
	order []int64
}

func (r *recent) has(seq int64) bool { return r.in[seq] }

func (r *recent) add(seq int64) {
	if r.in == nil {
		r.in = make(map[int64]bool)
	}
	if r.in[seq] {
		return
	}
	if len(r.order) == maxRecent {
		delete(r.in, r.order[0])
		r.order = r.order[1:]
	}
	r.in[seq], r.order = true, append(r.order, seq)
}

// The lines of a notification. They are exchanged between processes of different
// versions: unknown ones are left out.
const (
	lineChanged = "c" // seq, then lineLives, or the end where that is short
	linePending = "p" // seq kind
	lineDeleted = "d" // seq name
	lineMissed  = "m" // more than can be sent
	linePing    = "i" // number

	lineLives = "-"
)

func (n news) line() string {
	seq := strconv.FormatInt(n.seq, 10)
	switch {
	case n.deleted != nil:
		return lineDeleted + " " + seq + " " + n.deleted.Name
	case n.kind != "":
		return linePending + " " + seq + " " + n.kind
	case n.lives:
		return lineChanged + " " + seq + " " + lineLives
	case n.ended != nil:
		if end, ok := encodeEnd(n.ended); ok {
			return lineChanged + " " + seq + " " + end
		}
	}
	return lineChanged + " " + seq
}

// parseLine reports false for what line cannot have made.
func parseLine(line string) (news, bool) {
	what, rest, _ := strings.Cut(line, " ")
	number, rest, _ := strings.Cut(rest, " ")
	seq, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return news{}, false
	}
	switch what {
	case lineChanged:
		if rest == lineLives {
			return news{seq: seq, lives: true}, true
		}
		return news{seq: seq, told: rest}, true
	case linePending:
		return news{seq: seq, kind: rest, lives: true}, true
	case lineDeleted:
		id, ok := enginekit.ParseName(rest)
		parent := strings.TrimSuffix(strings.TrimSuffix(rest, "operations/"+id), "/")
		return news{seq: seq, deleted: &engine.Record{Name: rest, Parent: parent}}, ok
	}
	return news{}, false
}

// tell makes changes known here and to other processes.
func (e *Engine) tell(changes []news) {
	e.hear(changes)
	e.news.queue(changes)
}

// hear acts on changes made here or elsewhere.
func (e *Engine) hear(changes []news) {
	kinds := make(map[string]bool)
	for _, n := range changes {
		if n.kind != "" && !kinds[n.kind] {
			kinds[n.kind] = true
			e.wakeWorkers(n.kind)
		}
		if n.deleted != nil {
			e.polled.drop(n.seq)
		}
		if !e.interested(n) {
			continue
		}
		if n.told != "" {
			n.ended = decodeEnd(n.told)
		}
		if n.ended == nil || !e.hearEnd(n) {
			e.fetch(n)
		}
	}
}

// hearEnd hands an end to all that wait for it. It reports false when that is not
// all that depends on it.
func (e *Engine) hearEnd(n news) bool {
	e.waits.End(n.seq, n.ended, nil)
	e.mu.Lock()
	a := e.attempts[n.seq]
	e.mu.Unlock()
	if a != nil && !n.own {
		a.lose()
	}
	return !e.feed.Used()
}

// interested reports whether anything here depends on the state of an operation.
func (e *Engine) interested(n news) bool {
	if e.feed.Used() || !n.lives && e.waits.Waiting(n.seq) {
		return true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.attempts[n.seq] != nil && !n.own
}

// fetch has the state of an operation read and handed to all that depend on it.
func (e *Engine) fetch(n news) {
	e.mu.Lock()
	e.fetches = append(e.fetches, n)
	e.mu.Unlock()
	kick(e.fetchKick)
}

// runFetch reads what fetch was given: at once after a while without a read, else
// together.
func (e *Engine) runFetch(ctx context.Context) {
	var batch []news
	var turn time.Time // to read the batch; zero while none is taken
	for {
		wait := time.Hour
		if len(batch) > 0 {
			wait = time.Until(turn)
		}
		if !pause(ctx, wait, e.fetchKick) {
			return
		}
		e.mu.Lock()
		batch = append(batch, e.fetches...)
		e.fetches = nil
		e.mu.Unlock()
		if batch = e.publishEnds(batch); len(batch) == 0 {
			continue
		}
		if turn.IsZero() {
			turn = e.turns.take()
		}
		if time.Until(turn) > 0 {
			continue
		}
		turn = time.Time{}
		if err := e.fetchNow(ctx, batch); err != nil && ctx.Err() == nil {
			// Waits and attempts are watched besides; a subscriber has lost changes.
			e.outages.warn("changed operations could not be read", err)
			e.feed.End(engine.ErrLagged)
		}
		batch = nil
	}
}

// publishEnds sends the ends of a batch that need not be read, and returns the
// rest, without what those operations were before.
func (e *Engine) publishEnds(batch []news) []news {
	known := make(map[int64]bool)
	for _, n := range batch {
		if n.ended == nil || n.ended.Name == "" {
			continue
		}
		known[n.seq] = true
		e.mu.Lock()
		if !e.removed.has(n.seq) { // a delete may be published before the end that it followed
			e.feed.Send(engine.Change{Record: n.ended})
		}
		e.mu.Unlock()
	}
	return slices.DeleteFunc(batch, func(n news) bool { return known[n.seq] && n.deleted == nil })
}

func (e *Engine) fetchNow(ctx context.Context, batch []news) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	wanted := make([]int64, 0, len(batch))
	for _, n := range batch {
		wanted = append(wanted, n.seq)
	}
	found := make(map[int64]*row)
	for len(wanted) > 0 {
		n := min(len(wanted), maxGets)
		part, err := e.readMany(ctx, wanted[:n], e.endWaits)
		if err != nil {
			return err
		}
		maps.Copy(found, part)
		wanted = wanted[n:]
	}
	sent := make(map[int64]bool)
	for _, n := range batch {
		r := found[n.seq]
		if sent[n.seq] && n.deleted == nil && !n.known {
			continue
		}
		sent[n.seq] = true
		e.publish(n, r)
	}
	return nil
}

// publish hands the state of an operation to all that depend on it, but those for
// which endWaits has done it; nil when it is not there.
func (e *Engine) publish(n news, r *row) {
	gone := r == nil || r.hidden
	if r == nil {
		e.waits.End(n.seq, nil, engine.ErrNotFound)
	}
	e.mu.Lock()
	a := e.attempts[n.seq]
	switch {
	case gone && n.deleted != nil:
		e.removed.add(n.seq)
		e.feed.Send(engine.Change{Record: n.deleted, Deleted: true})
	case r != nil && r.hidden && n.known: // else its delete is news of its own
		e.feed.Send(engine.Change{Record: r.rec, Deleted: true})
	case !gone && e.feed.Used():
		e.feed.Send(engine.Change{Record: e.shownLocked(r)})
	}
	if a != nil && gone {
		a.hidden = true
	}
	e.mu.Unlock()
	switch {
	case a == nil:
	case r != nil && r.rec.Revision < a.rec.Revision: // read before the attempt was claimed
	case r == nil || !r.owned(a.lease()):
		a.lose()
	case !r.rec.CancelTime.IsZero():
		a.cancelRequested()
	}
}
