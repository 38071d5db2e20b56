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

// put makes the scheduler visit a wait at the time key. The core's mu must be held,
// here and in the methods below.
func (l *lane) put(c *core, key time.Duration) {
	s := l.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	l.agenda.put(c, key)
	s.wakeLocked(key)
}

// remove removes a wait that has ended or moves to another lane.
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

// opened counts a call that begins now.
func (l *lane) opened(k *call) {
	s := l.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = max(s.next, k.begun-burst) + s.period
	l.client.rate.spend(k.begun)
	if k.timeout > 0 {
		l.client.longCalls.add(k)
	}
	if k.turn = -1; s.client == nil || k.timeout == 0 {
		k.turn = l.turn
		l.open++
	}
}

// returned frees the place of a call that has returned.
func (l *lane) returned(k *call) {
	s := l.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.timeout > 0 {
		l.client.longCalls.drop(k)
	}
	if k.turn == l.turn {
		l.open--
	}
	if s.full {
		s.wakeLocked(0)
	}
}

// agenda is a heap of waits or callers by the time when they are due.
type agenda[T scheduled] []T

// scheduled is what an agenda holds. place returns its fields for the time when it
// is due and its index plus 1, which is 0 outside of an agenda.
type scheduled interface {
	place() (at *time.Duration, index *int32)
}

func (c *core) place() (*time.Duration, *int32)   { return &c.wait.at, &c.wait.index }
func (k *caller) place() (*time.Duration, *int32) { return &k.at, &k.index }

// put adds x, or moves it if it is in the agenda.
func (a *agenda[T]) put(x T, due time.Duration) {
	at, index := x.place()
	if *at = due; *index > 0 {
		heap.Fix(a, int(*index-1))
	} else {
		heap.Push(a, x)
	}
}

// drop removes x if it is in the agenda.
func (a *agenda[T]) drop(x T) {
	if _, index := x.place(); *index > 0 {
		heap.Remove(a, int(*index-1))
	}
}

// first returns what is due first, and when; forever if the agenda is empty.
func (a agenda[T]) first() (x T, due time.Duration) {
	if len(a) == 0 {
		return x, forever
	}
	at, _ := a[0].place()
	return a[0], *at
}

// Len, Less, Swap, Push and Pop are for container/heap.
func (a agenda[T]) Len() int { return len(a) }

func (a agenda[T]) Less(i, j int) bool {
	one, _ := a[i].place()
	other, _ := a[j].place()
	return *one < *other
}

func (a agenda[T]) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a.indexed(i)
	a.indexed(j)
}

func (a *agenda[T]) Push(x any) {
	*a = append(*a, x.(T))
	a.indexed(len(*a) - 1)
}

func (a *agenda[T]) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	clear((*a)[last:])
	*a = (*a)[:last]
	_, index := x.place()
	*index = 0
	return x
}

func (a agenda[T]) indexed(i int) {
	_, index := a[i].place()
	*index = int32(i + 1)
}
