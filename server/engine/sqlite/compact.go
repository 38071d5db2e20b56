package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// Compact rewrites a database file without its free space, and makes it give
// back later free space by itself, like files that this version of the package
// creates. No engine may have the file open. Meanwhile it needs up to twice the
// file's size on the disk; if it fails, or the process dies, the file is
// unchanged. ctx bounds the call.
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
