package sqlite

import (
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"
)

const (
	// maintainEvery is how often the writer looks after the files, between two
	// groups of changes where there is no pause.
	maintainEvery = 5 * time.Second
	// maintainIdle bounds the pause while nothing is written and there is nothing
	// to do, which doubles. Commits, readiness probes and new connections check
	// the files themselves; and a program whose test sleeps for a year in a bubble
	// of synctest pays for each look.
	maintainIdle = 10 * time.Minute

	// logLimit bounds the log, in bytes. It grows beyond while another process
	// reads the database in one long transaction, and is cut when that is over.
	logLimit = 16 << 20

	// A file gives back what is free, a step at a time, when that is more than
	// minFree pages and a quarter of it: what is left is used again by the
	// operations to come.
	minFree     = 256
	shrinkStep  = 256 // pages; 1 MiB
	shrinkPause = 100 * time.Millisecond

	// autoVacuumIncremental is the value of PRAGMA auto_vacuum.
	autoVacuumIncremental = 2

	// busyTimeout is how long a connection waits for a lock that another process
	// holds for a moment.
	busyTimeout = 5 * time.Second
)

// maintain looks after the files, on the writer's goroutine. It returns when it
// has more to do, 0 for nothing.
func (e *Engine) maintain() time.Duration {
	if e.isDown() != nil {
		return 0
	}
	if err := e.owned.check(); err != nil {
		e.lose(err)
		return 0
	}
	if e.refused.Load() {
		return maintainEvery // first let it take changes again
	}
	more, err := e.shrink()
	if more && err == nil {
		return shrinkPause
	}
	var long bool
	if err == nil {
		long, err = e.cutLog()
	}
	if err != nil {
		e.opts.Logger.Warn("the database's files could not be made smaller, will try again", "error", err)
	}
	if err != nil || long {
		return maintainEvery
	}
	return 0
}

// shrink gives back a bit of what is free, and reports whether there is more.
// A file that an earlier version created does not shrink; see [Compact].
func (e *Engine) shrink() (more bool, err error) {
	if !e.shrinks {
		return false, nil
	}
	free, err := pragmaInt(e.writer.db, "freelist_count")
	if err != nil || free < minFree {
		return false, err
	}
	pages, err := pragmaInt(e.writer.db, "page_count")
	if err != nil || free < pages/4 {
		return false, err
	}
	if err := e.writer.db.Exec(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", shrinkStep)); err != nil {
		return false, err
	}
	// The file becomes shorter when the log is moved into it.
	_, _, err = e.writer.db.WALCheckpoint("main", sqlite3.CHECKPOINT_PASSIVE)
	return true, err
}

// cutLog moves the log into the database and cuts it, when it is too long. It
// reports whether it still is, because another process reads it.
func (e *Engine) cutLog() (long bool, err error) {
	size := e.owned.sizes()["log"]
	if size <= logLimit {
		return false, nil
	}
	// Readers of other processes are not waited for: starts would wait too.
	if err := e.writer.db.BusyTimeout(0); err != nil {
		return true, err
	}
	defer func() { err = errors.Join(err, e.writer.db.BusyTimeout(busyTimeout)) }()
	_, _, err = e.writer.db.WALCheckpoint("main", sqlite3.CHECKPOINT_TRUNCATE)
	if errors.Is(err, sqlite3.BUSY) {
		e.opts.Logger.Warn("the database's log cannot be cut while another process reads it", "bytes", size)
		return true, nil
	}
	return false, err
}
