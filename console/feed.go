package console

import (
	"context"
	"iter"
	"sync"
	"time"
)

// feed gathers the changes that a page wants. A nil feed is one of a source
// that tells none.
type feed struct {
	kick    chan struct{}
	running sync.WaitGroup

	mu      sync.Mutex
	whole   bool // changes were lost
	changes map[string]Change
}

// maxGathered is how many changes wait for a page before it is read anew.
const maxGathered = 1000

// refeed is the pause before the source is followed again after an error.
const refeed = time.Second

// watches reports whether the source has a change feed.
func (h *Handler) watches(ctx context.Context) bool {
	w, ok := h.source.(Watcher)
	if !ok {
		return false
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, err := w.Watch(ctx)
	return err == nil
}

// watch begins to follow the source for a page. It returns nil if the source
// cannot be followed. The caller waits for the feed after ctx has ended.
func (h *Handler) watch(ctx context.Context, p livePage) *feed {
	w, ok := h.source.(Watcher)
	if !ok {
		return nil
	}
	seq, err := w.Watch(ctx)
	if err != nil {
		return nil
	}
	f := &feed{kick: make(chan struct{}, 1), changes: map[string]Change{}}
	f.running.Go(func() {
		for ctx.Err() == nil {
			if err == nil {
				f.gather(seq, p)
			}
			f.miss()
			select {
			case <-ctx.Done():
			case <-time.After(refeed):
			}
			seq, err = w.Watch(ctx)
		}
	})
	return f
}

// gather takes changes until the source has no more.
func (f *feed) gather(seq iter.Seq2[Change, error], p livePage) {
	for c, err := range seq {
		if err != nil {
			return
		}
		if p.wants(c) {
			f.add(c)
		}
	}
}

func (f *feed) add(c Change) {
	f.mu.Lock()
	if f.changes[c.Name] = c; len(f.changes) > maxGathered {
		f.whole = true
		clear(f.changes)
	}
	f.mu.Unlock()
	f.wake()
}

// miss reports that changes may have been lost.
func (f *feed) miss() {
	if f == nil {
		return
	}
	f.mu.Lock()
	f.whole = true
	f.mu.Unlock()
	f.wake()
}

func (f *feed) wake() {
	select {
	case f.kick <- struct{}{}:
	default:
	}
}

// kicked is ready when there is something to take.
func (f *feed) kicked() <-chan struct{} {
	if f == nil {
		return nil
	}
	return f.kick
}

// take returns what was gathered, and forgets it.
func (f *feed) take() (whole bool, changes map[string]Change) {
	if f == nil {
		return true, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	whole, changes = f.whole, f.changes
	f.whole, f.changes = false, map[string]Change{}
	return whole, changes
}

// wait returns when the feed has ended.
func (f *feed) wait() {
	if f != nil {
		f.running.Wait()
	}
}
