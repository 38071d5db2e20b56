package temporal

import "sync"

// maxRuns is how many are remembered, of about 100 bytes each.
const maxRuns = 10_000

// runs remembers the run of an operation's activity, which never changes: to
// find the latest one costs Temporal a read of its store.
type runs struct {
	mu  sync.Mutex
	ids map[string]string // by name
}

func (r *runs) get(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ids[name]
}

func (r *runs) put(name, runID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids == nil {
		r.ids = make(map[string]string)
	}
	r.ids[name] = runID
	for other := range r.ids { // any of them
		if len(r.ids) <= maxRuns {
			break
		}
		delete(r.ids, other)
	}
}

func (r *runs) drop(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.ids, name)
}
