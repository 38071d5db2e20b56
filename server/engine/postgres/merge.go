package postgres

import (
	"context"
	"runtime"
	"sync"
)

// merger runs calls that come at the same time in one statement. A lone call
// runs at once, in the goroutine of its caller; those that come while as many
// groups as allowed are under way gather for the next one. After a group of several,
// a call waits for the others that are about to come.
type merger[Q, R any] struct {
	groups int // under way at the same time, at most
	size   int // calls of a group, at most
	// weigh returns how many bytes a call takes in the statement of its group, which
	// has [maxStatement] at most, or one call. Nil for next to none.
	weigh func(Q) int
	// run fills in the results of a group. ctx is that of the caller for a lone
	// call, else the engine's.
	run func(ctx context.Context, group []*call[Q, R])
	// background runs a function on a goroutine that Close waits for. It reports
	// false once the engine is closing.
	background func(func(context.Context)) bool

	mu      sync.Mutex
	running int
	latest  int // how many calls the group had that began last
	waiting []*call[Q, R]
}

// maxStatement bounds the payloads of one statement, in bytes. PostgreSQL refuses
// messages of 1 GiB: of 100 calls with 16 MiB each, none would succeed.
const maxStatement = 64 << 20

type call[Q, R any] struct {
	query  Q
	result R
	err    error
	done   chan struct{} // closed with result and err; nil for a lone call
}

// do runs a call, and returns ctx's error when that ends first. The call may
// still have happened then.
func (m *merger[Q, R]) do(ctx context.Context, query Q) (R, error) {
	c := &call[Q, R]{query: query}
	m.mu.Lock()
	idle := m.running < m.groups
	if idle {
		m.running++
	}
	if idle && m.latest <= 1 {
		m.mu.Unlock()
		m.run(ctx, []*call[Q, R]{c})
		if group := m.next(); group != nil {
			m.begin(func(ctx context.Context) { m.work(ctx, group) })
		}
		return c.result, c.err
	}
	c.done = make(chan struct{})
	m.waiting = append(m.waiting, c)
	m.mu.Unlock()
	if idle {
		m.begin(func(ctx context.Context) {
			runtime.Gosched() // those that the last group has woken call before this goes on
			m.work(ctx, m.next())
		})
	}
	select {
	case <-c.done:
		return c.result, c.err
	case <-ctx.Done():
		var none R
		return none, ctx.Err()
	}
}

// work runs a group, and those after it until no call waits.
func (m *merger[Q, R]) work(ctx context.Context, group []*call[Q, R]) {
	for ; group != nil; group = m.next() {
		m.run(ctx, group)
		for _, c := range group {
			close(c.done)
		}
	}
}

// next returns the group after one that has ended. Without one, nil, that was the
// last one of those under way.
func (m *merger[Q, R]) next() []*call[Q, R] {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := min(len(m.waiting), m.size)
	if n == 0 {
		m.running--
		m.waiting = nil
		return nil
	}
	if m.weigh != nil {
		bytes := m.weigh(m.waiting[0].query)
		for i, c := range m.waiting[1:n] {
			if bytes += m.weigh(c.query); bytes > maxStatement {
				n = i + 1
				break
			}
		}
	}
	group := m.waiting[:n:n]
	m.waiting, m.latest = m.waiting[n:], n
	return group
}

// begin runs f in the background, or here with an ended ctx once the engine is closing.
func (m *merger[Q, R]) begin(f func(context.Context)) {
	if !m.background(f) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		f(ctx)
	}
}

// fail gives all calls of a group an error.
func fail[Q, R any](group []*call[Q, R], err error) {
	for _, c := range group {
		c.err = err
	}
}
