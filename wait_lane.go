package lro

import (
	"container/heap"
	"time"
)

// lane is where a scheduler keeps the waits of one client.
type lane struct {
	scheduler *scheduler
	client    *Client
	agenda    agenda[*core]
	waits     int // that belong here, in the agenda or not

	open   int // calls that count: of a client, those since the last turn
	turn   int
	turned time.Duration
}

// put has the scheduler look at a wait at the time key. Its core's mu must be
// held, here and below.
func (l *lane) put(c *core, key time.Duration) {
	s := l.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	l.agenda.put(c, key)
	s.wakeLocked(key)
}

// remove takes out a wait that has ended or moves elsewhere.
func (l *lane) remove(c *core) {
	s := l.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	l.agenda.drop(c)
	l.waits--
	s.waits--
	if s.waits == 0 {
		s.wakeLocked(0)
	}
}

// opened counts a call that is made now.
func (l *lane) opened(k *call) {
	s := l.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = max(s.next, k.begun-burst) + s.period
	l.client.rate.spend(k.begun)
	if k.long {
		l.client.longCalls.add(k)
	}
	if k.counts = s.client == nil || !k.long; k.counts {
		k.turn = l.turn
		l.open++
	}
}

// returned makes the room of a call free.
func (l *lane) returned(k *call) {
	s := l.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.long {
		l.client.longCalls.drop(k)
	}
	if k.counts && k.turn == l.turn {
		l.open--
	}
	if s.full {
		s.wakeLocked(0)
	}
}

// agenda is a heap of waits or callers by the time when they are due.
type agenda[T interface{ place() *entry }] []T

// entry is the place of something in an agenda.
type entry struct {
	at    time.Duration
	index int32 // plus 1; 0 outside of it
}

func (e *entry) place() *entry { return e }
func (c *core) place() *entry  { return &c.wait.entry }

// put puts x in, or moves it if it is in.
func (a *agenda[T]) put(x T, at time.Duration) {
	e := x.place()
	if e.at = at; e.index > 0 {
		heap.Fix(a, int(e.index-1))
	} else {
		heap.Push(a, x)
	}
}

// drop takes x out if it is in.
func (a *agenda[T]) drop(x T) {
	if i := x.place().index; i > 0 {
		heap.Remove(a, int(i-1))
	}
}

// first returns what is due first, and when; forever when there is nothing.
func (a agenda[T]) first() (x T, at time.Duration) {
	if len(a) == 0 {
		return x, forever
	}
	return a[0], a[0].place().at
}

// Len, Less, Swap, Push and Pop are for container/heap.
func (a agenda[T]) Len() int           { return len(a) }
func (a agenda[T]) Less(i, j int) bool { return a[i].place().at < a[j].place().at }

func (a agenda[T]) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].place().index, a[j].place().index = int32(i+1), int32(j+1)
}

func (a *agenda[T]) Push(x any) {
	*a = append(*a, x.(T))
	x.(T).place().index = int32(len(*a))
}

func (a *agenda[T]) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	clear((*a)[last:])
	*a = (*a)[:last]
	x.place().index = 0
	return x
}
