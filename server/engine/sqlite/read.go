package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

var _ engine.RecordKeeper = (*Engine)(nil)

// KeepsRecords implements [engine.RecordKeeper].
func (e *Engine) KeepsRecords() bool { return true }

// Get implements [engine.Engine]. An operation in memory costs no read.
func (e *Engine) Get(ctx context.Context, name string) (*engine.Record, error) {
	r, err := e.find(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("get operation %q: %w", name, err)
	}
	return r.rec, nil
}

// find returns the operation of a name that was not deleted.
func (e *Engine) find(ctx context.Context, name string) (*row, error) {
	seq, ok := enginekit.ParseSeqName(name)
	if !ok {
		return nil, engine.ErrNotFound
	}
	r, err := e.read(ctx, seq)
	if err != nil {
		return nil, err
	}
	if r == nil || r.hidden() || r.rec.Name != name {
		return nil, engine.ErrNotFound
	}
	return r, nil
}

// read returns the latest state of an operation, nil when there is none.
func (e *Engine) read(ctx context.Context, seq int64) (*row, error) {
	e.mu.RLock()
	down, en := e.down, e.cache.entries[seq]
	if en != nil && down == nil {
		r := en.row
		if !en.used.Load() {
			en.used.Store(true)
		}
		e.mu.RUnlock()
		return r, nil
	}
	e.mu.RUnlock()
	if down != nil {
		return nil, down
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	e.mu.Lock()
	if en := e.cache.entries[seq]; en != nil {
		defer e.mu.Unlock()
		return en.row, nil
	}
	l := e.cache.loads[seq]
	if l != nil {
		e.mu.Unlock()
		select {
		case <-l.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if l.err != nil && errors.Is(l.err, errLoadGaveUp) {
			return e.read(ctx, seq)
		}
		return l.row, l.err
	}
	l = &load{done: make(chan struct{})}
	e.cache.loads[seq] = l
	e.mu.Unlock()

	l.row, l.err = e.readRow(ctx, seq)
	e.mu.Lock()
	if e.cache.loads[seq] == l {
		delete(e.cache.loads, seq)
	}
	if l.row != nil && !l.stale && e.cache.entries[seq] == nil {
		e.cache.put(l.row)
	}
	e.mu.Unlock()
	close(l.done)
	if errors.Is(l.err, errLoadGaveUp) {
		return nil, ctx.Err()
	}
	return l.row, l.err
}

// errLoadGaveUp is the end of a load whose own caller left; others who wait
// for it load for themselves.
var errLoadGaveUp = errors.New("the caller has left")

// readRow reads one operation from the database.
func (e *Engine) readRow(ctx context.Context, seq int64) (*row, error) {
	c, err := e.readers.get(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, errLoadGaveUp
		}
		return nil, err
	}
	defer e.readers.put(c)
	r, err := c.load(seq)
	if err != nil {
		return nil, storeError("read operation", err)
	}
	return r, nil
}

const (
	// maxReaders bounds the connections that read.
	maxReaders = 4
	// maxScanners bounds those of them that read lists, so that a Get never
	// waits for one.
	maxScanners = maxReaders / 2
)

// readers is a pool of connections that read. They are opened when needed.
type readers struct {
	path, vfs string
	check     func() error  // fails where path is another file than the engine's
	free      chan *conn    // nil stands for one that is not open yet
	scanners  chan struct{} // holds one for each connection that reads a list
	closed    chan struct{}
}

func newReaders(path, vfs string, check func() error) *readers {
	p := &readers{
		path: path, vfs: vfs, check: check, closed: make(chan struct{}),
		free: make(chan *conn, maxReaders), scanners: make(chan struct{}, maxScanners),
	}
	for range maxReaders {
		p.free <- nil
	}
	return p
}

// get returns a connection that must be put back.
func (p *readers) get(ctx context.Context) (*conn, error) {
	var c *conn
	select {
	case <-p.closed:
		return nil, engine.ErrClosed
	case c = <-p.free:
	default:
		select {
		case <-p.closed:
			return nil, engine.ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		case c = <-p.free:
		}
	}
	if c != nil {
		return c, nil
	}
	c, err := p.open()
	if err != nil {
		p.free <- nil
		return nil, storeError("open database to read", err)
	}
	return c, nil
}

func (p *readers) put(c *conn) { p.free <- c }

// getScanner is get for a list. What it returns goes to putScanner.
func (p *readers) getScanner(ctx context.Context) (*conn, error) {
	select {
	case p.scanners <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, engine.ErrClosed
	}
	c, err := p.get(ctx)
	if err != nil {
		<-p.scanners
	}
	return c, err
}

func (p *readers) putScanner(c *conn) {
	p.put(c)
	<-p.scanners
}

func (p *readers) open() (*conn, error) {
	// Not bound to a caller's ctx: others will use the connection.
	c, err := dial(context.Background(), p.path, p.vfs)
	if err != nil {
		return nil, err
	}
	// A log is read when the connection is configured: not that of another file.
	if err = p.check(); err == nil {
		err = c.configure(readerCache)
	}
	if err == nil {
		err = c.db.Exec("PRAGMA query_only = ON")
	}
	if err == nil {
		err = c.prepare()
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// close waits until no read is under way, and closes the connections.
func (p *readers) close() error {
	close(p.closed)
	var errs []error
	for range maxReaders {
		if c := <-p.free; c != nil {
			errs = append(errs, c.close())
		}
	}
	return errors.Join(errs...)
}

// interrupt has long queries of c end with ctx, until the function it returns
// is called.
func (c *conn) interrupt(ctx context.Context) func() {
	old := c.db.SetInterrupt(ctx)
	return func() { c.db.SetInterrupt(old) }
}

// interrupted reports whether err came of interrupt.
func interrupted(err error) bool { return errors.Is(err, sqlite3.INTERRUPT) }
