package sqlite

import (
	"container/list"
	"sync/atomic"

	"github.com/go-lro/lro/server/engine"
)

// cache keeps operations in memory: all that run, and of the others as many as
// fit, those used recently. It is guarded by Engine.mu.
type cache struct {
	entries map[int64]*entry
	loads   map[int64]*load
	recent  list.List // of the sequence numbers of those that do not run, in the order in which they came
	size    int64     // of those
	limit   int64
}

// cached is the cache's part of an entry.
type cached struct {
	row  *row
	size int64         // counted for the limit; 0 while it runs
	elem *list.Element // of recent; nil while it runs
	used atomic.Bool
}

// load is one read of an operation from the database, shared by all who want
// it at the same time.
type load struct {
	done  chan struct{}
	stale bool // a change was published since; under Engine.mu
	row   *row
	err   error
}

func newCache(limit int64) cache {
	return cache{
		entries: make(map[int64]*entry),
		loads:   make(map[int64]*load),
		limit:   max(limit, 0),
	}
}

// put makes r the latest state of its operation.
func (c *cache) put(r *row) *entry {
	en := c.entries[r.seq]
	if en == nil {
		en = new(entry)
		c.entries[r.seq] = en
	}
	c.size -= en.size
	en.row, en.size = r, 0
	if r.rec.State == engine.Running {
		c.unlist(en)
		return en
	}
	en.size = r.size()
	c.size += en.size
	if en.elem == nil {
		en.elem = c.recent.PushBack(r.seq)
	}
	c.evict()
	return en
}

// drop forgets an operation.
func (c *cache) drop(seq int64) {
	en := c.entries[seq]
	if en == nil {
		return
	}
	c.size -= en.size
	c.unlist(en)
	delete(c.entries, seq)
}

func (c *cache) unlist(en *entry) {
	if en.elem != nil {
		c.recent.Remove(en.elem)
		en.elem = nil
	}
}

// evict makes room: those in recent that were used since they were last looked
// at get a second chance.
func (c *cache) evict() {
	for c.size > c.limit && c.recent.Len() > 0 {
		oldest := c.recent.Front()
		seq := oldest.Value.(int64)
		if c.entries[seq].used.Swap(false) {
			c.recent.MoveToBack(oldest)
			continue
		}
		c.drop(seq)
	}
}

// changed marks a read of the operation that is under way as old. Only calls that
// wait for it already may still return it: those that begin now come after the
// change, and read for themselves.
func (c *cache) changed(seq int64) {
	if l := c.loads[seq]; l != nil {
		l.stale = true
		delete(c.loads, seq)
	}
}
