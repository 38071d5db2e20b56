package lro

import (
	"container/heap"
	"time"
)

// groupEntry is one operation in one group. It is kept small, since a group
// may hold a million: what few entries need is in rare.
type groupEntry struct {
	op    Handle
	group *Group
	next  *groupEntry // of the same operation, in another group; guarded by its mu

	// Guarded by group.mu.
	due     time.Duration // since group.base
	began   time.Duration // of the first call, since group.base; 0 before
	learnt  int64         // view.at when the next call was decided
	timeout time.Duration
	rare    *entryRare
	index   int32 // in group.due; -1 outside
	polls   int32
	action  action
	slot    longPollSlot
	decided bool
	calling bool // a call is under way
	over    bool // ended: yielded, or to be
}

// entryRare is what an entry has only when something special is set or happens.
type entryRare struct {
	seen  observedWait
	hint  func(Raw, time.Duration) time.Duration
	held  view // what WaitOperation said, to be confirmed
	last  error
	final error
}

func (e *groupEntry) more() *entryRare {
	if e.rare == nil {
		e.rare = &entryRare{}
	}
	return e.rare
}

// err is what waiting for the operation ended with; nil when it is done.
func (e *groupEntry) err() error {
	if e.rare == nil {
		return nil
	}
	return e.rare.final
}

// unlink makes the operation forget the entry.
func (e *groupEntry) unlink() {
	c := e.op.untyped()
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := &c.entry; *p != nil; p = &(*p).next {
		if *p == e {
			*p = e.next
			return
		}
	}
}

// entryHeap orders entries by when they are due.
type entryHeap []*groupEntry

func (h *entryHeap) push(e *groupEntry) { heap.Push(h, e) }

func (h *entryHeap) remove(e *groupEntry) {
	if e.index >= 0 {
		heap.Remove(h, int(e.index))
	}
}

// Len, Less, Swap, Push and Pop are for container/heap.
func (h entryHeap) Len() int           { return len(h) }
func (h entryHeap) Less(i, j int) bool { return h[i].due < h[j].due }

func (h entryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = int32(i), int32(j)
}

func (h *entryHeap) Push(x any) {
	e := x.(*groupEntry)
	e.index = int32(len(*h))
	*h = append(*h, e)
}

func (h *entryHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	e.index = -1
	return e
}
