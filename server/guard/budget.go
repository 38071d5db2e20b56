package guard

import "sync"

// budget bounds the bytes that incomplete requests hold, over all connections.
type budget struct {
	limit int64

	mu      sync.Mutex
	total   int64
	holders map[*holder]struct{} // those that hold something
}

// holder is a connection or a body that holds bytes of incomplete requests.
type holder struct {
	end  func() // closes it; called once at most, without a lock
	held int64
	over bool // end was called
}

// add notes that h holds n bytes more, or fewer, and ends the holder with most of
// them if all hold too many.
func (b *budget) add(h *holder, n int64) {
	if n == 0 {
		return
	}
	if most := b.change(h, n); most != nil {
		most.end()
	}
}

// change returns the holder to be ended, nil for none.
func (b *budget) change(h *holder, n int64) *holder {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h.over {
		return nil // its bytes do not count any more
	}
	h.held += n
	b.total += n
	if h.held > 0 {
		b.holders[h] = struct{}{}
	} else {
		delete(b.holders, h)
	}
	if b.total <= b.limit {
		return nil
	}
	most := h
	for other := range b.holders {
		if other.held > most.held {
			most = other
		}
	}
	b.forget(most)
	return most
}

// release forgets what h holds, for good.
func (b *budget) release(h *holder) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget(h)
}

func (b *budget) forget(h *holder) {
	b.total -= h.held
	h.held, h.over = 0, true
	delete(b.holders, h)
}
