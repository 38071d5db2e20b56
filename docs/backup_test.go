package docs_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-lro/lro/server/engine/sqlite"
)

// The code of backup.md.

func nightly(ctx context.Context, eng *sqlite.Engine, dir string) error {
	return eng.Backup(ctx, filepath.Join(dir, time.Now().UTC().Format("2006-01-02")+".db"))
}

func TestNightly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	eng, err := sqlite.Open(t.Context(), filepath.Join(dir, "operations.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Close()
	if err := nightly(t.Context(), eng, dir); err != nil {
		t.Fatal(err)
	}
	if copies, err := filepath.Glob(filepath.Join(dir, "20*.db")); err != nil || len(copies) != 1 {
		t.Errorf("there are %q, %v, want one copy", copies, err)
	} else if info, err := os.Stat(copies[0]); err != nil || info.Size() == 0 {
		t.Errorf("the copy is %v, %v", info, err)
	}
}
