package sqlite

import (
	"container/heap"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// claim is a PENDING operation that was picked for a worker, and a slot of the
// worker that was taken for it.
type claim struct {
	seq     int64
	kind    string
	worker  *worker
	attempt *attempt // that it has led to; nil when the operation was not available
}

// seqHeap orders sequence numbers, oldest first.
type seqHeap []int64

func (h seqHeap) Len() int           { return len(h) }
func (h seqHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h seqHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *seqHeap) Push(x any)        { *h = append(*h, x.(int64)) }
func (h *seqHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// push makes an operation ready to be claimed.
func (e *Engine) push(kind string, seq int64) {
	h := e.ready[kind]
	if h == nil {
		h = new(seqHeap)
		e.ready[kind] = h
	}
	heap.Push(h, seq)
}

// pickClaims takes ready operations for workers with free slots, in turns.
func (e *Engine) pickClaims() []*claim {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.down != nil {
		return nil
	}
	var claims []*claim
	for len(claims) < maxGroup {
		picked := false
		for _, w := range e.workers {
			if c := e.pick(w); c != nil {
				claims = append(claims, c)
				picked = true
			}
		}
		if !picked {
			break
		}
	}
	return claims
}

// pick takes the oldest operation that w may run now, nil for none.
func (e *Engine) pick(w *worker) *claim {
	if w.active >= w.concurrency {
		return nil
	}
	var best *seqHeap
	var kind string
	for k, limit := range w.Kinds {
		h := e.ready[k]
		if h == nil || limit > 0 && w.running[k] >= limit {
			continue
		}
		if best == nil || (*h)[0] < (*best)[0] {
			best, kind = h, k
		}
	}
	if best == nil {
		return nil
	}
	c := &claim{seq: heap.Pop(best).(int64), kind: kind, worker: w}
	if best.Len() == 0 {
		delete(e.ready, kind)
	}
	w.active++
	w.running[kind]++
	return c
}

// unclaim gives back what a failed batch had claimed.
func (e *Engine) unclaim(claims []*claim) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range claims {
		e.push(c.kind, c.seq)
		c.worker.release(c.kind)
	}
}

// claim stages that a worker's attempt owns an operation. An operation that
// cannot be claimed any more is left alone.
func (b *batch) claim(c *claim) {
	if b.err != nil {
		return
	}
	r, err := b.load(c.seq)
	if err != nil || r == nil || r.rec.State != engine.Pending {
		return
	}
	at := now()
	after := r.edit()
	rec := after.rec
	if r.unrunnable {
		b.e.opts.Logger.Error("operation cannot be run", "operation", rec.Name, "error", rec.Damaged)
		if err := b.failWith(r, after, enginekit.DataLoss(rec), at); err != nil {
			b.fail(err)
		}
		return
	}
	rec.State = engine.Running
	rec.Attempt++
	rec.Fence++
	rec.Revision++
	rec.UpdateTime = at
	if rec.StartTime.IsZero() {
		rec.StartTime = at
	}
	after.due = noTime
	after.addEvent(at, engine.EventAttemptStarted, "")
	change, err := b.update(r, after)
	if err != nil {
		b.fail(err)
		return
	}
	c.attempt = &attempt{e: b.e, worker: c.worker, seq: c.seq, fence: rec.Fence, kind: c.kind}
	change.attempt = c.attempt
}
