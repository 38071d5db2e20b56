//go:build unix

package sqlite

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A process that was started a moment ago shares the files of the one that
// started it until it runs its program.
func TestUnlockWhileAChildSharesTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "operations.db")
	l, err := lock(path)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), "cat") // until its input ends
	child.ExtraFiles = []*os.File{l.f}
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if err := l.unlock(); err != nil {
		t.Errorf("unlock() = %v", err)
	}
	again, err := lock(path)
	if err != nil {
		t.Fatalf("lock() after unlock() = %v", err)
	}
	if err := again.unlock(); err != nil {
		t.Errorf("unlock() = %v", err)
	}
	in.Close()
	if err := child.Wait(); err != nil {
		t.Errorf("child: %v", err)
	}
}
