package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/go-lro/lro/server/engine"
)

// Open opens the engine on a file, or creates it; its folder must exist. Nil
// options mean the defaults.
//
// Only one engine can have a file open at a time: the error for a second one
// has the file's name and, if known, the process that has it open. A file of a
// newer schema, of another application, or that is not a database is refused
// and left as it is; one of an older schema is brought up to date.
//
// Operations that were RUNNING when the last owner died are PENDING again when
// Open returns, or have ended because of their limits. ctx only bounds the
// opening.
func Open(ctx context.Context, path string, opts *Options) (*Engine, error) {
	e, err := open(ctx, path, opts.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("open engine on %q: %w", path, err)
	}
	return e, nil
}

func open(ctx context.Context, path string, opts Options) (_ *Engine, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if path == "" || path == ":memory:" {
		return nil, fmt.Errorf("%w: an engine needs a file", engine.ErrInvalid)
	}
	if path, err = realPath(path); err != nil {
		return nil, err
	}
	l, err := lock(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.abandon())
		}
	}()
	owned, writer, err := openWriter(ctx, path, opts, l)
	if err != nil {
		return nil, opts.withCause(filepath.Dir(path), err)
	}
	e := newEngine(path, opts, owned, writer)
	if err := e.recover(); err != nil {
		return nil, errors.Join(err, writer.close(), owned.release())
	}
	go func() {
		defer close(e.writerDone)
		e.runWriter(e.writerStop)
	}()
	e.background.Go(e.runProgress)
	e.background.Go(e.runExpiry)
	return e, nil
}

// realPath resolves links, so that one file has one lock.
func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	file, err := filepath.EvalSymlinks(path)
	if err == nil {
		return file, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

// openWriter takes the database and opens the connection that writes, with the
// schema up to date and all files' names durable.
func openWriter(ctx context.Context, path string, opts Options, beside *lockFile) (_ *ownership, _ *conn, err error) {
	created, err := createPrivate(path, path+"-shm")
	defer func() {
		if err != nil {
			removeEmpty(created)
		}
	}()
	if err != nil {
		return nil, nil, err
	}
	owned, err := own(path, beside)
	if err != nil {
		return nil, nil, err
	}
	c, err := dial(ctx, path, opts.vfs)
	if err != nil {
		return nil, nil, errors.Join(openError(err), owned.release())
	}
	// Only a file that has nothing in it yet can be made to shrink.
	if owned.files[0].info.Size() == 0 {
		err = c.db.Exec("PRAGMA auto_vacuum = INCREMENTAL")
	}
	if err == nil {
		err = c.configure(writerCache)
	}
	if err != nil {
		return nil, nil, errors.Join(openError(err), c.close(), owned.release())
	}
	if err := prepareFile(c, path, opts); err != nil {
		return nil, nil, errors.Join(openError(err), c.close(), owned.release())
	}
	if err := errors.Join(owned.watch(), owned.check()); err != nil {
		return nil, nil, errors.Join(err, c.close(), owned.release())
	}
	return owned, c, nil
}

func prepareFile(c *conn, path string, opts Options) error {
	if opts.checkpointPages > 0 {
		if err := c.db.WALAutoCheckpoint(opts.checkpointPages); err != nil {
			return err
		}
	}
	// Reading creates the log. The driver syncs files, but not the folder that
	// has their names. It must be synced before anything moves from the log to
	// the database: a database without the log it relies on is lost.
	if _, err := pragmaInt(c.db, "user_version"); err != nil {
		return err
	}
	if err := opts.syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	if err := migrate(c.db); err != nil {
		return err
	}
	return c.prepare()
}

// createPrivate creates the files that are not there, so that no other user can
// read them: SQLite would let others.
func createPrivate(paths ...string) (created []string, err error) {
	for _, path := range paths {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return created, err
		}
		created = append(created, path)
		if err := f.Close(); err != nil {
			return created, err
		}
	}
	return created, nil
}

// removeEmpty removes files that were created for a database that could not be
// opened. What it cannot remove does no harm.
func removeEmpty(paths []string) {
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.Size() == 0 {
			_ = os.Remove(path)
		}
	}
}

// openError says in words what SQLite says in codes.
func openError(err error) error {
	switch {
	case errors.Is(err, sqlite3.NOTADB):
		return fmt.Errorf("the file is not a SQLite database: %w", err)
	case errors.Is(err, sqlite3.CORRUPT):
		return fmt.Errorf("the database file is damaged: %w", err)
	case errors.Is(err, sqlite3.READONLY), errors.Is(err, sqlite3.CANTOPEN):
		return fmt.Errorf("the file cannot be written: %w", err)
	case isFull(err):
		return fmt.Errorf("the disk is full: %w", err)
	}
	return err
}

func newEngine(path string, opts Options, owned *ownership, writer *conn) *Engine {
	return &Engine{
		opts:    opts,
		path:    path,
		owned:   owned,
		writer:  writer,
		readers: newReaders(path, opts.vfs, owned.checkFiles),
		queue:   newQueue(),
		cache:   newCache(opts.CacheBytes),
		ready:   make(map[string]*seqHeap),
		timers:  make(map[int64]*time.Timer),
		dirty:   make(map[int64]struct{}),
		counts:  make(map[tallyKey]int64),

		committing: make(chan struct{}, 1),
		expireKick: make(chan struct{}, 1),
		dirtyKick:  make(chan struct{}, 1),
		closing:    make(chan struct{}),
		stop:       make(chan struct{}),
		writerStop: make(chan struct{}),
		writerDone: make(chan struct{}),
	}
}

// Close implements [engine.Engine]. It waits for every Work to end, with the
// drain of its worker.
func (e *Engine) Close() error {
	e.closeOnce.Do(func() {
		if err := e.shutDown(); err != nil {
			e.closeErr = fmt.Errorf("close engine on %q: %w", e.path, err)
		}
	})
	return e.closeErr
}

func (e *Engine) shutDown() error {
	e.mu.Lock()
	close(e.closing)
	e.mu.Unlock()
	e.works.Wait()
	progress := e.persistProgress()
	e.endAll(engine.ErrClosed)
	close(e.stop)
	e.queue.close(engine.ErrClosed)
	close(e.writerStop)
	<-e.writerDone
	e.background.Wait()
	// The last connection to close moves the log into the database.
	return errors.Join(progress, e.readers.close(), e.writer.close(), e.owned.release(), e.owned.beside.unlock())
}

// endAll stops what comes from outside: callers, timers and what still runs.
// Calls are answered with err from then on.
func (e *Engine) endAll(err error) {
	var todo after
	defer func() { todo.run() }()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = err
	e.waits.EndAll(err)
	for _, en := range e.cache.entries {
		e.detach(en, nil, &todo)
	}
	for seq := range e.timers {
		e.stopTimer(seq)
	}
	e.feed.Close(err)
}

// lose ends everything when the database is not the engine's any more. Only
// Close is left.
func (e *Engine) lose(err error) {
	e.opts.Logger.Error("the engine has lost its database and acknowledges no more writes", "database", e.path, "error", err)
	e.endAll(err)
	e.queue.close(err)
}

// isDown returns why the engine answers no calls, nil while it does.
func (e *Engine) isDown() error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.down
}

// isDown reports whether err is that of an engine that answers no more calls,
// so that another try cannot help.
func isDown(err error) bool { return errors.Is(err, engine.ErrClosed) || errors.Is(err, errNotOwner) }
