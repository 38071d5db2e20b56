package lro

import (
	"container/heap"
	"time"
)

// lane is where a scheduler keeps the waits of one client.
type lane struct {
	scheduler *scheduler
	client    *Client
	heap      waitHeap
	waits     int     // that belong here, in the heap or not
	open      int     // calls that count
	calls     []*call // that may count, the oldest first
}

const (
	outside = -1 // of the heap
	popped  = -2 // by the scheduler, which is about to open a call
)

// put has the scheduler look at a wait at the time key. Its core's mu must be
// held, here and below.
func (l *lane) put(c *core, key time.Duration) {
	s, w := l.scheduler, &c.wait
	s.mu.Lock()
	defer s.mu.Unlock()
	w.key, w.long = key, w.phase == pausing && w.timeout() > 0
	if w.index >= 0 {
		heap.Fix(&l.heap, int(w.index))
	} else {
		heap.Push(&l.heap, c)
	}
	s.wakeLocked(key)
}

// claim takes a wait that the scheduler has popped. It reports false when the
// wait has ended, or was put elsewhere or anew, meanwhile.
func (l *lane) claim(c *core) bool {
	l.scheduler.mu.Lock()
	defer l.scheduler.mu.Unlock()
	if c.wait.lane != l || c.wait.index != popped {
		return false
	}
	c.wait.index = outside
	return true
}

// remove takes out a wait that has ended or moves elsewhere.
func (l *lane) remove(c *core) {
	s := l.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := c.wait.index; i >= 0 {
		heap.Remove(&l.heap, int(i))
	}
	c.wait.index = outside
	l.waits--
	s.waits--
	if s.waits == 0 {
		s.wakeLocked(0)
	}
}

// first is when the scheduler is to look at the lane.
func (l *lane) first() time.Duration {
	if len(l.heap) == 0 {
		return forever
	}
	return l.heap[0].wait.key
}

// waitHeap orders waits by their keys.
type waitHeap []*core

func (h *waitHeap) pop() *core {
	c := heap.Pop(h).(*core)
	c.wait.index = popped
	return c
}

// Len, Less, Swap, Push and Pop are for container/heap.
func (h waitHeap) Len() int           { return len(h) }
func (h waitHeap) Less(i, j int) bool { return h[i].wait.key < h[j].wait.key }

func (h waitHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].wait.index, h[j].wait.index = int32(i), int32(j)
}

func (h *waitHeap) Push(x any) {
	c := x.(*core)
	c.wait.index = int32(len(*h))
	*h = append(*h, c)
}

func (h *waitHeap) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	c.wait.index = outside
	return c
}
