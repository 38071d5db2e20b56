package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// Engine keeps operations in a PostgreSQL database and runs their handlers. Make
// it with [Open]; all methods are safe for concurrent use.
type Engine struct {
	opts    Options
	sql     *statements
	mode    []any         // the execution mode of planned statements
	pool    *pgxpool.Pool // the caller's
	ownPool *pgxpool.Pool // of a few connections, for what must not wait for the caller's
	pageKey []byte

	starts *merger[startCall, *engine.Record]
	gets   *merger[int64, *row]
	ends   *merger[endCall, bool]

	outages  *outages
	measured measured
	process  *process
	news     *notifier
	waits    enginekit.Waits[int64]
	polled   polled
	feed     enginekit.Feed // what is sent is sent under mu, so that changes come in their order

	mu       sync.Mutex
	closed   bool
	attempts map[int64]*attempt // that run here
	dirty    map[int64]struct{} // of those, progress is not stored
	workers  map[*worker]struct{}
	removed  recent // of which a delete was published

	claiming  chan struct{} // holds one while a worker claims
	claimLost int64         // of table proc, whose claim has failed; 0 for none; guarded by claiming

	turns     turns
	fetches   []news        // that fetch is to read
	fetchKick chan struct{} // fetches is not empty now
	dirtyKick chan struct{} // dirty is not empty now
	watchKick chan struct{} // something is to be watched now

	closing    chan struct{} // closed when Close begins
	closeOnce  sync.Once
	works      sync.WaitGroup  // calls of Work
	ctx        context.Context // of the background; ends late in Close
	stop       context.CancelFunc
	background sync.WaitGroup
}

var _ engine.Engine = (*Engine)(nil)

// Open opens an engine on the database of a pool, which stays the caller's: close
// it after the engine. The schema must be there, see [Migrate]; Open returns an
// error that names both versions when the schema is too old or too new for this
// program. nil options are the defaults.
//
// Besides the pool's connections the engine has up to five of its own, with the
// pool's settings and hooks.
func Open(ctx context.Context, pool *pgxpool.Pool, o *Options) (*Engine, error) {
	opts := o.withDefaults()
	e, err := open(ctx, pool, opts)
	if err != nil {
		return nil, fmt.Errorf("open operations in schema %q: %w", opts.Schema, err)
	}
	return e, nil
}

// ownConns are for the lease, the background and two to spare; LISTEN takes one more.
const ownConns = 4

func open(ctx context.Context, pool *pgxpool.Pool, opts Options) (*Engine, error) {
	if opts.Lease < MinLease {
		return nil, fmt.Errorf("%w: a lease of %v is shorter than %v", engine.ErrInvalid, opts.Lease, MinLease)
	}
	sql := newStatements(opts.Schema)
	pageKey, err := inspect(ctx, pool, opts.Schema, sql)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		opts: opts, pool: pool, sql: sql, pageKey: pageKey,
		attempts: make(map[int64]*attempt), dirty: make(map[int64]struct{}), workers: make(map[*worker]struct{}),
		dirtyKick: make(chan struct{}, 1), fetchKick: make(chan struct{}, 1), claiming: make(chan struct{}, 1), watchKick: make(chan struct{}, 1),
		closing: make(chan struct{}),
	}
	config := pool.Config()
	if config.ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		e.mode = []any{pgx.QueryExecModeCacheDescribe}
	}
	config.MaxConns, config.MinConns, config.MinIdleConns = ownConns, 0, 0
	if e.ownPool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, err
	}
	e.starts = &merger[startCall, *engine.Record]{groups: 1, size: maxGroup, weigh: startCall.weight, run: e.runStarts, background: e.spawn}
	e.gets = &merger[int64, *row]{groups: 2, size: maxGets, run: e.runGets, background: e.spawn}
	e.ends = &merger[endCall, bool]{groups: 1, size: maxGroup, weigh: endCall.weight, run: e.runEnds, background: e.spawn}
	e.ctx, e.stop = context.WithCancel(context.Background())
	e.process = &process{e: e}
	e.news = newNotifier(e)
	e.outages = newOutages(opts.Logger)
	// What died before is there to be run when Open returns.
	if err := e.sweep(apart(ctx), time.Time{}); err != nil {
		e.stop()
		e.ownPool.Close()
		return nil, storeError(ctx, pool, err)
	}
	for _, run := range []func(context.Context){
		e.process.run, e.news.send, e.news.receive, e.runFetch, e.runWatch, e.runProgress, e.runSweep,
	} {
		e.spawn(run)
	}
	e.news.waitListening(ctx)
	return e, nil
}

// inspect reports a schema that the program cannot use, and returns its key of
// page tokens.
func inspect(ctx context.Context, pool *pgxpool.Pool, schema string, sql *statements) (pageKey []byte, err error) {
	conn, err := acquire(ctx, pool)
	if err != nil {
		return nil, storeError(ctx, pool, err)
	}
	defer conn.Release()
	if err := checkRights(ctx, conn, schema); err != nil {
		return nil, storeError(ctx, pool, err)
	}
	v, err := readVersion(ctx, conn, schema)
	if errors.Is(err, ErrNoSchema) {
		return nil, err
	}
	if err != nil {
		return nil, storeError(ctx, pool, err)
	}
	if err := v.check(schema); err != nil {
		return nil, err
	}
	err = each(ctx, pgxQuerier{q: conn}, sql.secret, func(r rows) error { return r.Scan(&pageKey) }, "page_key")
	return pageKey, storeError(ctx, pool, err)
}

// PageKey is the key that all servers on this schema share, for
// server.Config.PageKey: with it, page tokens of one server are good on the
// others. It must not be modified.
func (e *Engine) PageKey() []byte { return e.pageKey }

// spawn runs f on a goroutine that Close waits for. It reports false when the
// background has ended.
func (e *Engine) spawn(f func(context.Context)) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx.Err() != nil {
		return false
	}
	e.background.Go(func() { f(e.ctx) })
	return true
}

// open returns why a call is not answered, nil while the engine is open.
func (e *Engine) open(ctx context.Context) error {
	e.mu.Lock()
	closed := e.closed
	e.mu.Unlock()
	if closed {
		return engine.ErrClosed
	}
	return ctx.Err()
}

// Close implements [engine.Engine]. The pool stays open.
func (e *Engine) Close() error {
	e.closeOnce.Do(func() {
		e.mu.Lock()
		close(e.closing)
		e.mu.Unlock()
		e.works.Wait()
		e.mu.Lock()
		e.closed = true
		e.mu.Unlock()
		e.process.leave()
		e.waits.EndAll(engine.ErrClosed)
		e.feed.Close(engine.ErrClosed)
		e.mu.Lock()
		e.stop()
		e.mu.Unlock()
		e.background.Wait()
		e.ownPool.Close()
	})
	return nil
}

func kick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pause waits for d or a kick, and reports false when ctx ended.
func pause(ctx context.Context, d time.Duration, kick <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-kick:
	case <-ctx.Done():
		return false
	}
	return ctx.Err() == nil
}

// identity is the default of [Options.Identity].
func identity() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%d@%s", os.Getpid(), host)
}
