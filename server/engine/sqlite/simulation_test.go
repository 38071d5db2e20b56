package sqlite

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-lro/lro/internal/simulation"
	"github.com/go-lro/lro/server/engine"
)

// TestSimulation runs programs generated from seeds; see package simulation.
func TestSimulation(t *testing.T) {
	t.Parallel()
	simulation.Run(t, "sqlite", simulation.Factory{New: newFaultStore})
}

// TestLoad puts callers on an engine; see [simulation.Load].
func TestLoad(t *testing.T) {
	t.Parallel()
	simulation.Load(t, func() engine.Engine { return mustOpen(t, filepath.Join(t.TempDir(), "operations.db"), nil) })
}

// faultStore is a database on a file system with faults.
type faultStore struct {
	t        testing.TB
	fs       *faultFS
	slow     bool          // reads take time
	commits  time.Duration // the most that a sync takes
	path     string
	cache    int64 // bytes
	injected map[string]int
	trap     func() // injects the fault of the next Open; nil for none
}

// commits are the most that a sync takes, by the seed. It is less than what the
// oracle allows for what has to happen at once.
var commits = [8]time.Duration{0: 20 * time.Millisecond, 1: 20 * time.Millisecond, 4: 200 * time.Millisecond, 5: 200 * time.Millisecond}

func newFaultStore(t testing.TB, seed uint64) simulation.Store {
	s := &faultStore{
		t: t, slow: seed%2 == 0, commits: commits[seed%8], path: filepath.Join(t.TempDir(), "operations.db"),
		cache: []int64{-1, 3 << 10, 0}[seed%3], injected: make(map[string]int),
	}
	s.mount(seed)
	return s
}

// mount makes the file system of the next processes.
func (s *faultStore) mount(seed uint64) {
	s.fs = newFaultFS(s.t, seed)
	if s.slow {
		s.fs.pause = slow(s.fs.rand, 20*time.Millisecond)
	}
	if s.commits > 0 {
		s.fs.commits = slow(rand.New(rand.NewPCG(seed, 1)), s.commits)
	}
}

// Open moves to another folder after a death: the engine that has died still has
// the files of the old one.
func (s *faultStore) Open(ctx context.Context) (engine.Engine, error) {
	if s.fs.died() {
		path, err := s.fs.restore(s.t.TempDir())
		if err != nil {
			return nil, err
		}
		s.path = path
		s.mount(s.fs.rand.Uint64())
		if s.trap != nil {
			s.trap()
			s.trap = nil
		}
	}
	e, err := Open(ctx, s.path, &Options{
		vfs: s.fs.name, syncDir: s.fs.syncDir, checkpointPages: 10, youngKeys: 2, CacheBytes: s.cache,
	})
	if err != nil {
		return nil, err // e would be an interface that is not nil
	}
	return e, nil
}

var (
	survived = []fault{failBefore, failAfter, failTorn, diskFull, readOnly}
	deadly   = []fault{powerCut, loseAll, keepAll}
)

func names(faults []fault) (all []string) {
	for _, f := range faults {
		all = append(all, f.String())
	}
	return all
}

func (s *faultStore) Faults() []string { return names(survived) }
func (s *faultStore) Deaths() []string { return names(deadly) }

func (s *faultStore) Inject(name string, nth, length int, died func()) {
	for _, f := range append(survived, deadly...) {
		if f.String() == name {
			s.inject(f, nth, length, died)
			return
		}
	}
	panic(fmt.Sprintf("no fault is called %q", name))
}

func (s *faultStore) inject(f fault, nth, length int, died func()) {
	fs := s.fs
	if fs.died() {
		s.trap = func() { s.inject(f, nth, length, died) }
		return
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if died != nil && nth == 0 {
		s.injected[f.String()]++
		fs.die(f)
		died()
		return
	}
	from := fs.n + nth
	fs.plan = func(n int, what string) fault {
		if n < from || n >= from+length {
			return none
		}
		s.injected[f.String()+": "+what]++
		if died != nil {
			died()
		}
		return f
	}
}

func (s *faultStore) Heal() {
	s.fs.mu.Lock()
	defer s.fs.mu.Unlock()
	s.fs.plan = nil
}

func (s *faultStore) Injected() map[string]int { return maps.Clone(s.injected) }

// copyName is what the files of backups begin with.
const copyName = "copy.db"

var _ simulation.Backuper = (*faultStore)(nil)

// Backup reads the copy as it is, and then opens it as what a process has left.
func (s *faultStore) Backup(ctx context.Context, e engine.Engine) ([]*engine.Record, error) {
	path := filepath.Join(s.t.TempDir(), copyName)
	if err := e.(*Engine).Backup(ctx, path); err != nil {
		return nil, err
	}
	records, err := recordsIn(ctx, path)
	if err != nil {
		return nil, err
	}
	restored, err := Open(ctx, path, nil)
	if err == nil {
		err = restored.Close()
	}
	return records, errors.Join(err, soundness(ctx, path))
}

// recordsIn returns the operations in a file that are not deleted.
func recordsIn(ctx context.Context, path string) (records []*engine.Record, err error) {
	c, err := openConn(ctx, path, "", readerCache)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.prepare(); err != nil {
		return nil, err
	}
	seqs, err := c.prepared("SELECT seq FROM op ORDER BY seq")
	if err != nil {
		return nil, err
	}
	for seqs.Step() {
		r, err := c.load(seqs.ColumnInt64(0))
		if err != nil {
			return nil, err
		}
		if !r.hidden() {
			records = append(records, r.rec)
		}
	}
	return records, seqs.Err()
}

// Check looks at the closed database as such.
func (s *faultStore) Check() error { return soundness(s.t.Context(), s.path) }
