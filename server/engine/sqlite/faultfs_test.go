package sqlite

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// sector is what a disk writes whole, in bytes.
const sector = 512

// faultFS is a file system between SQLite and the operating system's. It
// counts the calls that change something, fails those that a plan names, and
// remembers of each file what a disk is sure to have: what was synced. With
// that it can cut the power.
type faultFS struct {
	name string
	os   vfs.VFSFilename

	mu    sync.Mutex
	plan  func(n int, what string) fault // of the nth change, from 1; nil for none
	n     int
	dead  bool              // every change fails, until revive
	files map[string]*inode // by path
	gone  map[string]*inode // deleted, but the folder was not synced since
	cut   map[string][]byte // what was on the disk when the power was cut
	rand  *rand.Rand
	open  map[string]int       // files that are open, by path
	pause func() time.Duration // how long the next read of a reader takes; nil for no time
	// commits says how long the next sync takes; nil for no time.
	commits func() time.Duration
}

// inode is what is known of one file.
type inode struct {
	named   bool // the folder was synced since it was created
	synced  []byte
	pending []pendingWrite // since the last sync
}

// pendingWrite is a write, or a truncation where data is nil.
type pendingWrite struct {
	off  int64
	data []byte
}

// fault is what happens to one change.
type fault int

const (
	none       fault = iota
	failBefore       // fails, and nothing was done
	failAfter        // fails, and was done
	failTorn         // fails, and was done in part
	diskFull         // fails with disk full, and was done in part
	readOnly         // fails, because the disk became read-only
	powerCut         // the power is cut before; everything fails from now on
	loseAll          // powerCut, and all that was not synced is lost
	keepAll          // powerCut, and all that was written is kept: the process died
)

func (f fault) String() string {
	return []string{"none", "fail before", "fail after", "torn", "disk full", "read-only",
		"power cut", "power cut, unsynced lost", "process killed"}[f]
}

var faultFSs atomic.Int64

func newFaultFS(t testing.TB, seed uint64) *faultFS {
	fs := &faultFS{
		name: fmt.Sprintf("fault%d", faultFSs.Add(1)), os: vfs.Find("os").(vfs.VFSFilename),
		files: make(map[string]*inode), gone: make(map[string]*inode),
		rand: rand.New(rand.NewPCG(seed, 0)), open: make(map[string]int),
	}
	vfs.Register(fs.name, fs)
	t.Cleanup(func() { vfs.Unregister(fs.name) })
	return fs
}

// takes returns what a function of fs does, which is nil where calls take no time.
func (fs *faultFS) takes(pause *func() time.Duration) time.Duration {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if *pause == nil {
		return 0
	}
	return (*pause)()
}

// slow is a pause for every second call, shorter than most.
func slow(r *rand.Rand, most time.Duration) func() time.Duration {
	return func() time.Duration {
		if r.IntN(2) > 0 {
			return 0
		}
		return time.Duration(r.Int64N(int64(most)))
	}
}

// syncDir stands for the operating system's.
func (fs *faultFS) syncDir(string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	switch f := fs.next("sync folder"); f {
	case none, failAfter:
		for _, i := range fs.files {
			i.named = true
		}
		clear(fs.gone)
		if f == none {
			return nil
		}
	}
	return syscall.EIO
}

// next says what happens to the next change. The caller holds mu.
func (fs *faultFS) next(what string) fault {
	if fs.dead {
		return failBefore
	}
	fs.n++
	if fs.plan == nil {
		return none
	}
	f := fs.plan(fs.n, what)
	if f >= powerCut {
		fs.die(f)
		return failBefore
	}
	return f
}

// die cuts the power now. The caller holds mu.
func (fs *faultFS) die(f fault) {
	fs.dead = true
	fs.cut = fs.image(f)
}

// died reports whether the power was cut.
func (fs *faultFS) died() bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.dead
}

// image is what is found on the disk after the power was cut.
func (fs *faultFS) image(f fault) map[string][]byte {
	out := make(map[string][]byte)
	keep := func() bool { return f == keepAll || f == powerCut && fs.rand.IntN(2) == 0 }
	for path, i := range fs.gone {
		if f != keepAll && keep() {
			out[path] = i.after(func() bool { return false }, fs.rand)
		}
	}
	for path, i := range fs.files {
		if i.named || keep() {
			out[path] = i.after(keep, fs.rand)
		}
	}
	return out
}

// after returns the file with some of its pending changes done. Those that
// are not kept may be done in part.
func (i *inode) after(keep func() bool, rnd *rand.Rand) []byte {
	b := append([]byte{}, i.synced...)
	for _, c := range i.pending {
		if keep() {
			b = c.apply(b)
			continue
		}
		if c.data == nil || !keep() {
			continue
		}
		for off := 0; off < len(c.data); off += sector {
			if rnd.IntN(2) == 0 {
				b = pendingWrite{c.off + int64(off), c.data[off:min(off+sector, len(c.data))]}.apply(b)
			}
		}
	}
	return b
}

func (c pendingWrite) apply(b []byte) []byte {
	end := int(c.off) + len(c.data)
	if c.data == nil {
		if end < len(b) {
			return b[:end]
		}
		return append(b, make([]byte, end-len(b))...)
	}
	if end > len(b) {
		b = append(b, make([]byte, end-len(b))...)
	}
	copy(b[c.off:], c.data)
	return b
}

// revive lets changes happen again, without a plan.
func (fs *faultFS) revive() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.dead, fs.plan = false, nil
}

// restore writes the image of the cut into a folder, and returns the database.
func (fs *faultFS) restore(dir string) (string, error) {
	fs.mu.Lock()
	cut := maps.Clone(fs.cut)
	fs.mu.Unlock()
	for path, b := range cut {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), b, 0o600); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "operations.db"), nil
}

// The VFS.

func (fs *faultFS) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	return fs.os.Open(name, flags)
}

func (fs *faultFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	path := name.String()
	if path == "" {
		return fs.os.OpenFilename(name, flags) // a temporary file
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.files[path] == nil {
		b, err := os.ReadFile(path)
		switch {
		case os.IsNotExist(err) && flags&vfs.OPEN_CREATE != 0:
			if f := fs.next("create " + fileOf(path)); f != none {
				return nil, flags, sqlite3.CANTOPEN
			}
			fs.files[path] = &inode{}
		case err == nil:
			// The engine creates the database before SQLite opens it.
			fs.files[path] = &inode{synced: b, named: len(b) > 0}
		}
	}
	file, flags, err := fs.os.OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	fs.open[path]++
	// Who opens a file first writes to it, and holds a lock of the engine at times:
	// then no time passes in a bubble.
	return &faultFile{File: file, fs: fs, path: path, reader: fs.open[path] > 1}, flags, nil
}

func (fs *faultFS) Delete(name string, syncDir bool) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f := fs.next("delete " + fileOf(name))
	if f == none || f == failAfter {
		if err := fs.os.Delete(name, syncDir); err != nil {
			return err
		}
		if i := fs.files[name]; i != nil {
			fs.gone[name] = i
			delete(fs.files, name)
		}
	}
	if f != none {
		return sqlite3.IOERR_DELETE
	}
	return nil
}

func (fs *faultFS) Access(name string, flags vfs.AccessFlag) (bool, error) {
	return fs.os.Access(name, flags)
}

func (fs *faultFS) FullPathname(name string) (string, error) { return fs.os.FullPathname(name) }

// faultFile is an open file. Only calls that change it are of interest.
type faultFile struct {
	vfs.File
	fs     *faultFS
	path   string
	reader bool // belongs to a connection that only reads
}

var (
	_ vfs.FileSharedMemory       = (*faultFile)(nil)
	_ vfs.FileLockState          = (*faultFile)(nil)
	_ vfs.FilePersistWAL         = (*faultFile)(nil)
	_ vfs.FilePowersafeOverwrite = (*faultFile)(nil)
)

func (f *faultFile) SharedMemory() vfs.SharedMemory {
	return f.File.(vfs.FileSharedMemory).SharedMemory()
}
func (f *faultFile) LockState() vfs.LockLevel { return f.File.(vfs.FileLockState).LockState() }
func (f *faultFile) PersistWAL() bool         { return f.File.(vfs.FilePersistWAL).PersistWAL() }
func (f *faultFile) SetPersistWAL(on bool)    { f.File.(vfs.FilePersistWAL).SetPersistWAL(on) }
func (f *faultFile) PowersafeOverwrite() bool {
	return f.File.(vfs.FilePowersafeOverwrite).PowersafeOverwrite()
}
func (f *faultFile) SetPowersafeOverwrite(on bool) {
	f.File.(vfs.FilePowersafeOverwrite).SetPowersafeOverwrite(on)
}

func (f *faultFile) what(do string) string { return do + " " + fileOf(f.path) }

// fileOf names a file in what a fault is called. The names of copies are random.
func fileOf(path string) string {
	name := filepath.Base(path)
	if strings.HasPrefix(name, copyName) {
		return copyName
	}
	return name
}

// did notes a change that was done. The caller holds fs.mu.
func (f *faultFile) did(c pendingWrite) {
	if i := f.fs.files[f.path]; i != nil {
		i.pending = append(i.pending, c)
	}
}

// ReadAt takes its time now and then, where the file system is slow. What others
// change meanwhile is what a reader has to expect.
func (f *faultFile) ReadAt(p []byte, off int64) (int, error) {
	if f.reader {
		time.Sleep(f.fs.takes(&f.fs.pause)) // sleep: in the bubble of its caller
	}
	return f.File.ReadAt(p, off)
}

// Close implements vfs.File.
func (f *faultFile) Close() error {
	f.fs.mu.Lock()
	f.fs.open[f.path]--
	f.fs.mu.Unlock()
	return f.File.Close()
}

func (f *faultFile) WriteAt(p []byte, off int64) (int, error) {
	runtime.Gosched() // what others can do while a commit is under way, they do
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	what := f.fs.next(f.what("write"))
	part := p
	switch what {
	case failBefore:
		return 0, sqlite3.IOERR_WRITE
	case readOnly:
		return 0, sqlite3.READONLY
	case failTorn, diskFull:
		part = p[:len(p)/2]
	}
	if len(part) > 0 {
		if _, err := f.File.WriteAt(part, off); err != nil {
			return 0, err
		}
		f.did(pendingWrite{off, append([]byte{}, part...)})
	}
	switch what {
	case none:
		return len(p), nil
	case diskFull:
		return 0, sqlite3.FULL
	}
	return 0, sqlite3.IOERR_WRITE
}

func (f *faultFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	what := f.fs.next(f.what("truncate"))
	if what == none || what == failAfter {
		if err := f.File.Truncate(size); err != nil {
			return err
		}
		f.did(pendingWrite{off: size})
	}
	if what != none {
		return sqlite3.IOERR_TRUNCATE
	}
	return nil
}

func (f *faultFile) Sync(flags vfs.SyncFlag) error {
	time.Sleep(f.fs.takes(&f.fs.commits)) // sleep: in the bubble of its caller
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	what := f.fs.next(f.what("sync"))
	// The data need not reach the operating system's disk for this test.
	if what == none || what == failAfter {
		if i := f.fs.files[f.path]; i != nil {
			for _, c := range i.pending {
				i.synced = c.apply(i.synced)
			}
			i.pending = nil
		}
	}
	if what != none {
		return sqlite3.IOERR_FSYNC
	}
	return nil
}
