package sqlite

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// Engine keeps operations in one SQLite file and runs their handlers. Make it
// with [Open]; all methods are safe for concurrent use.
//
// One goroutine writes to the database, in groups; readers have connections of
// their own. What the running program needs is also in memory, and always
// equals the file, except for progress that is not stored yet.
type Engine struct {
	opts    Options
	path    string
	owned   *ownership
	writer  *conn // used by the writer's goroutine alone
	readers *readers
	queue   *queue

	// Used by the writer's goroutine alone.
	shrinks    bool  // the file gives back what is free, see maintain.go
	owner      int64 // as the database names it; 0 before that
	nextSeq    int64
	noted      int64 // numbers up to it do not come again after a restart, though their rows are gone
	requestIDs requestIDs

	refused atomic.Bool // the last commit failed

	// committing is full from just before a commit until what it changed is in
	// memory. It is no mutex because a test's bubble waits for a channel only. See
	// Engine.settled.
	committing chan struct{}

	mu      sync.RWMutex
	down    error // why no call is answered any more: closed, or lost to another owner; nil while it works
	cache   cache
	waits   enginekit.Waits[int64] // guarded by itself
	ready   map[string]*seqHeap    // PENDING and due, by kind
	timers  map[int64]*time.Timer  // a retry that is not due, or a lease
	workers []*worker
	dirty   map[int64]struct{} // progress is not persisted
	counts  map[tallyKey]int64
	expire  time.Time // earliest known expiry; zero for none

	feed enginekit.Feed // what is sent is sent under mu, so that changes come in their order

	expireKick chan struct{} // expire is earlier now
	dirtyKick  chan struct{} // dirty is not empty now

	closing    chan struct{} // closed when Close begins
	closeOnce  sync.Once
	closeErr   error
	works      sync.WaitGroup // calls of Work
	background sync.WaitGroup // goroutines of the engine but the writer
	stop       chan struct{}  // ends background
	writerStop chan struct{}
	writerDone chan struct{}
}

var _ engine.Engine = (*Engine)(nil)

// entry is what the engine knows about one operation in memory.
type entry struct {
	cached
	attempt  *attempt  // owns the operation and runs here; nil otherwise
	deadline time.Time // of its lease; zero for none
}

// visible returns the latest state of an operation in memory, or nil.
func (e *Engine) visible(seq int64) *row {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if en := e.cache.entries[seq]; en != nil {
		return en.row
	}
	return nil
}

// settled waits until everything that a reader of the database may have seen
// is in memory too.
func (e *Engine) settled() {
	e.committing <- struct{}{}
	<-e.committing
}

func kick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
