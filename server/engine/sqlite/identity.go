package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"

	"github.com/go-lro/lro/server/engine"
)

// ownership is what makes an engine the owner of a database: the lock of the
// file itself, the lock beside it, and how the engine recognizes the files it
// has open.
//
// The lock of the database is the one that counts, because it follows the file
// under every name. It lies on one byte behind all that a database can hold, so
// that it neither meets SQLite's own locks nor, on Windows, keeps others from
// reading. Linux and macOS lock it with open file description locks, which end
// with this descriptor and not, as POSIX locks do, when anything in the process
// closes the file. The BSDs have no such locks: flock, which the driver uses
// there, covers the whole file. There the lock beside, the check of the files
// and the owner in the database must do; see [batch.checkOwner].
//
// The lock beside has the name of the database with ".lock" behind. It names
// the owner, and earlier versions of this package know no other.
type ownership struct {
	beside *lockFile
	db     *os.File
	files  []knownFile // the database first, then its log
}

// knownFile is a file as it was when the engine opened it.
type knownFile struct {
	path string
	info fs.FileInfo
}

// ownerByte is the byte of the database that its owner locks.
const ownerByte = 1 << 62

// errNotOwner says that the engine's file is its own no longer. It stays so
// until the file is opened again.
var errNotOwner = fmt.Errorf("%w: this process has lost the database and must be restarted", engine.ErrUnavailable)

// own locks the database at path, which exists. beside is held already.
func own(path string, beside *lockFile) (_ *ownership, err error) {
	db, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("the file cannot be written: %w", err)
	}
	o := &ownership{beside: beside, db: db}
	if err := lockDatabase(db); err != nil {
		db.Close()
		if errors.Is(err, errLocked) {
			return nil, errors.New("the database is in use by another process, or by another engine of this process, perhaps under another name")
		}
		return nil, fmt.Errorf("lock database: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.release())
		}
	}()
	if err := checkLinks(db); err != nil {
		return nil, err
	}
	info, err := db.Stat()
	if err != nil {
		return nil, err
	}
	o.files = []knownFile{{path, info}}
	return o, o.check()
}

// checkLinks refuses a file with several names.
func checkLinks(f *os.File) error {
	n, err := countLinks(f)
	if err != nil {
		return fmt.Errorf("count names of the file: %w", err)
	}
	if n > 1 {
		return fmt.Errorf("the file has %d names (hard links), and its log is found under one of them only: remove the others, or copy the file", n)
	}
	return nil
}

// watch adds the files that SQLite keeps beside the database while it is open.
func (o *ownership) watch() error {
	for _, suffix := range []string{"-wal", "-shm"} {
		path := o.files[0].path + suffix
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		o.files = append(o.files, knownFile{path, info})
	}
	return nil
}

// check fails with errNotOwner when the engine's files or the lock beside them
// are not the engine's any more. It is for one goroutine at a time.
func (o *ownership) check() error {
	if err := o.checkFiles(); err != nil {
		return err
	}
	return o.keepBeside()
}

// checkFiles fails with errNotOwner when another file, or none, has the name of
// one of the engine's files.
func (o *ownership) checkFiles() error {
	if runtime.GOOS == "windows" {
		return nil // it neither removes nor renames an open file
	}
	for _, f := range o.files {
		info, err := os.Stat(f.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%w: %q was removed or renamed while it was open", errNotOwner, filepath.Base(f.path))
		case err != nil:
			return fmt.Errorf("%w: %w", errNotOwner, err)
		case !os.SameFile(info, f.info):
			return fmt.Errorf("%w: %q was replaced while it was open", errNotOwner, filepath.Base(f.path))
		}
	}
	return nil
}

// keepBeside takes the lock beside the database again when its file was
// removed, so that earlier versions keep finding it.
func (o *ownership) keepBeside() error {
	if o.beside.isAt(o.beside.f.Name()) {
		return nil
	}
	l, err := lock(o.files[0].path)
	if err != nil {
		return fmt.Errorf("%w: its lock file was removed: %w", errNotOwner, err)
	}
	_ = o.beside.unlock() // of a file without a name
	*o.beside = *l
	return nil
}

// sizes returns the bytes of the database and of its log. A file that is gone
// has none.
func (o *ownership) sizes() map[string]int64 {
	sizes := make(map[string]int64)
	for i, name := range []string{"database", "log"} {
		sizes[name] = fileBytes(o.files[i].path)
	}
	return sizes
}

// fileBytes returns the size of a file, 0 where there is none.
func fileBytes(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

func (o *ownership) release() error {
	return errors.Join(unlockDatabase(o.db), o.db.Close())
}

// becomeOwner stages that this engine is the owner that the database names.
// Done again it changes something, which an update to the same value does not.
func (b *batch) becomeOwner() error {
	before := b.e.owner
	b.undo = append(b.undo, func() { b.e.owner = before })
	b.e.owner = rand.Int64()
	b.force = true
	return b.setMeta(metaOwner, b.e.owner)
}

// checkOwner fails the batch when the database names another owner, which the
// locks have let in.
func (b *batch) checkOwner() {
	if b.e.owner == 0 || b.err != nil {
		return
	}
	owner, err := b.seqs("SELECT value FROM meta WHERE name = '" + metaOwner + "'")
	switch {
	case err != nil:
		b.fail(err)
	case len(owner) != 1 || owner[0] != b.e.owner:
		b.fail(fmt.Errorf("%w: another process has opened it since", errNotOwner))
	}
}
