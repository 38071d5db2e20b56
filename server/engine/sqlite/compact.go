package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// Compact rewrites a database file without what is free in it, and has it give
// back by itself what becomes free later, as files do that this version of the
// package creates. No engine may have the file open. For a while it takes up to
// twice its size on the disk; when it fails, or the process dies, the file is
// as it was. ctx bounds the call.
//
// The sizes are those of the database with its log, in bytes.
func Compact(ctx context.Context, path string) (before, after int64, err error) {
	before, after, err = compact(ctx, path)
	if err != nil {
		return before, after, fmt.Errorf("compact %q: %w", path, err)
	}
	return before, after, nil
}

func compact(ctx context.Context, path string) (before, after int64, err error) {
	if path, err = existing(path); err != nil {
		return 0, 0, err
	}
	beside, err := lock(path)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, beside.unlock()) }()
	owned, err := own(path, beside)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, owned.release()) }()
	created, err := createPrivate(path + "-shm")
	if err != nil {
		return 0, 0, err
	}
	defer removeEmpty(created)
	size := func() int64 { return fileBytes(path) + fileBytes(path+"-wal") }
	before = size()
	c, err := dial(ctx, path, "")
	if err != nil {
		return before, 0, openError(err)
	}
	err = c.vacuum(ctx)
	// The last connection to close moves the log into the database.
	if err := errors.Join(err, c.close()); err != nil {
		return before, 0, openError(err)
	}
	return before, size(), nil
}

func (c *conn) vacuum(ctx context.Context) error {
	if err := checkOurs(c.db); err != nil {
		return err
	}
	if err := c.configure(writerCache); err != nil {
		return err
	}
	defer c.interrupt(ctx)()
	if err := c.db.Exec("PRAGMA auto_vacuum = INCREMENTAL; VACUUM"); err != nil {
		return byContext(ctx, err)
	}
	_, _, err := c.db.WALCheckpoint("main", sqlite3.CHECKPOINT_TRUNCATE)
	return err
}
