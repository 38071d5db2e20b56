package sqlite

import (
	"errors"
	"fmt"
	"os"

	"github.com/ncruces/go-sqlite3"
)

// withCause adds the operating system's error to an I/O error of SQLite, which
// has none: the driver forgets it with SQLite's next call, and takes only some
// full disks for one. The cause is found by writing a file to the folder.
func (o *Options) withCause(dir string, err error) error {
	if err == nil || !errors.Is(err, sqlite3.IOERR) || isFull(err) {
		return err
	}
	cause := o.probe(dir)
	switch {
	case cause == nil:
		return err
	case isFull(cause):
		return fmt.Errorf("the disk is full: %w: %w", err, cause)
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// probe returns why no file can be written in a folder, nil when it can.
func probe(dir string) (err error) {
	f, err := os.CreateTemp(dir, ".lro-probe-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := f.Write(make([]byte, 64<<10)); err != nil {
		return err
	}
	return f.Sync()
}
