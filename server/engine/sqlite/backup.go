package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"
)

// Backup writes a copy of the database to a new file at path, while the engine
// runs. The copy is consistent: it has everything that was acknowledged before
// the call, and each change that is acknowledged meanwhile either entirely or
// not at all. It is one file without a log, readable only by its owner, synced,
// and checked by opening it.
//
// Backup does not overwrite files: path must not exist. It appears when the
// copy is complete; until then, the copy is in a file beside it whose name ends
// in ".partial". ctx bounds the call. The database's log grows while a backup
// reads.
//
// The package-level [Backup] does the same from another process.
func (e *Engine) Backup(ctx context.Context, path string) error {
	if err := e.backup(ctx, path); err != nil {
		return fmt.Errorf("back up %q to %q: %w", e.path, path, err)
	}
	return nil
}

func (e *Engine) backup(ctx context.Context, path string) (err error) {
	if err := e.isDown(); err != nil {
		return err
	}
	// A connection of its own: reads do not wait for it.
	c, err := e.readers.open()
	if err != nil {
		return storeError("open database to read", err)
	}
	defer func() { err = errors.Join(err, c.close()) }()
	return e.opts.withCause(filepath.Dir(path), c.backup(ctx, path))
}

// Backup writes a copy of the database file of an engine to a new file at path,
// as [Engine.Backup] does. The engine may be running, in any process of this
// machine, or not. Run it as a user who may write the database: SQLite needs
// that to read one that was not closed.
func Backup(ctx context.Context, database, path string) error {
	if err := backupFile(ctx, database, path); err != nil {
		return fmt.Errorf("back up %q to %q: %w", database, path, err)
	}
	return nil
}

func backupFile(ctx context.Context, database, path string) (err error) {
	if database, err = existing(database); err != nil {
		return err
	}
	created, err := createPrivate(database + "-shm")
	if err != nil {
		return err
	}
	c, err := dial(ctx, database, "")
	if err != nil {
		removeEmpty(created)
		return openError(err)
	}
	defer func() {
		err = errors.Join(err, c.close())
		removeEmpty(created)
	}()
	if err := c.db.BusyTimeout(busyTimeout); err != nil {
		return err
	}
	if err := checkOurs(c.db); err != nil {
		return openError(err)
	}
	opts := (*Options)(nil).withDefaults()
	return opts.withCause(filepath.Dir(path), c.backup(ctx, path))
}

// existing returns the real path of a database that is there, under one name.
func existing(database string) (string, error) {
	path, err := realPath(database)
	if err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	return path, errors.Join(checkLinks(f), f.Close())
}

// checkOurs fails where a database is not one of operations.
func checkOurs(c *sqlite3.Conn) error {
	version, err := schemaOf(c)
	if err == nil && version == 0 {
		return errNotOurs
	}
	return err
}

// backup writes what c reads to a new file.
func (c *conn) backup(ctx context.Context, path string) (err error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fs.ErrExist
		}
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.partial")
	if err != nil {
		return err
	}
	partial := f.Name()
	defer func() { err = errors.Join(err, f.Close(), ignoreMissing(os.Remove(partial))) }()
	err = c.vacuumInto(ctx, partial)
	if err == nil {
		err = verify(ctx, partial)
	}
	if err != nil {
		return byContext(ctx, err)
	}
	// The file was there when SQLite opened it, so it is the same.
	if err := f.Sync(); err != nil {
		return err
	}
	if err := publishFile(partial, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func (c *conn) vacuumInto(ctx context.Context, path string) error {
	defer c.interrupt(ctx)()
	vacuum, err := pragmaInt(c.db, "auto_vacuum")
	if err != nil {
		return err
	}
	if err := c.db.Exec("PRAGMA query_only = OFF"); err != nil {
		return err
	}
	// The copy can shrink, even if the original was made before that was so. SQLite
	// would write to an original that can.
	if vacuum != autoVacuumIncremental {
		if err := c.db.Exec("PRAGMA auto_vacuum = INCREMENTAL"); err != nil {
			return err
		}
	}
	return c.execute("VACUUM INTO ?", path)
}

// verify opens a copy, and reads all of it. It leaves no other file beside it.
func verify(ctx context.Context, path string) (err error) {
	c, err := dial(ctx, path, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	defer c.interrupt(ctx)()
	if err := checkOurs(c.db); err != nil {
		return err
	}
	stmt, err := c.prepared("PRAGMA quick_check(1)")
	if err != nil {
		return err
	}
	if !stmt.Step() {
		return stmt.Err()
	}
	if text := stmt.ColumnText(0); text != "ok" {
		return fmt.Errorf("the copy is damaged: %s", text)
	}
	return nil
}

// byContext returns the cause of ctx for a query that it has interrupted.
func byContext(ctx context.Context, err error) error {
	if interrupted(err) && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// publishFile gives a file its name, which no other file has.
func publishFile(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// The file system has no links.
	if _, err := os.Lstat(to); err == nil {
		return fs.ErrExist
	}
	return os.Rename(from, to)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
