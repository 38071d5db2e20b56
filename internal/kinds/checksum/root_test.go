package checksum

import (
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/lropb"
)

// TestRoot: nothing outside of the root is read, and whether it exists is not
// told.
func TestRoot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, outside := filepath.Join(dir, "root"), filepath.Join(dir, "outside")
	for _, d := range []string{filepath.Join(root, "below"), outside, root + "-beside"} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"out": outside, "up": "..", "in": "below", "gone": filepath.Join(dir, "missing")} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Skip("no symbolic links:", err)
		}
	}
	linked := filepath.Join(dir, "linked")
	if err := os.Symlink(root, linked); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		config Config
		dir    string
		code   codes.Code
	}{
		{Config{}, outside, codes.OK},
		{Config{Off: true}, root, codes.PermissionDenied},
		{Config{Root: root}, root, codes.OK},
		{Config{Root: root}, filepath.Join(root, "below"), codes.OK},
		{Config{Root: root}, filepath.Join(root, "in"), codes.OK},
		{Config{Root: linked}, filepath.Join(linked, "below"), codes.OK},
		{Config{Root: linked}, filepath.Join(root, "below"), codes.OK},
		{Config{Root: root}, filepath.Join(root, "missing"), codes.NotFound},
		{Config{Root: root}, outside, codes.PermissionDenied},
		{Config{Root: root}, filepath.Join(outside, "missing"), codes.PermissionDenied},
		{Config{Root: root}, root + "-beside", codes.PermissionDenied},
		{Config{Root: root}, root + "/../outside", codes.PermissionDenied},
		{Config{Root: root}, filepath.Join(root, "out"), codes.PermissionDenied},
		{Config{Root: root}, root + "/up/outside", codes.PermissionDenied},
		{Config{Root: root}, "/", codes.PermissionDenied},
	} {
		err := tt.config.validate(t.Context(), &lropb.ChecksumRequest{Dir: tt.dir})
		if status.Code(err) != tt.code {
			t.Errorf("%+v: dir %q: %v, want %v", tt.config, tt.dir, err, tt.code)
		}
		if err := tt.config.confine(tt.dir); (status.Code(err) == codes.PermissionDenied) != (tt.code == codes.PermissionDenied) {
			t.Errorf("%+v: an operation of before for %q: %v", tt.config, tt.dir, err)
		}
	}
}

// TestFilesThatBecomeLinks: a file that was replaced by a link out of the
// directory is not read.
func TestFilesThatBecomeLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret, root := filepath.Join(dir, "secret"), filepath.Join(dir, "root")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(root, "file")); err != nil {
		t.Skip("no symbolic links:", err)
	}
	j := &job{tree: &tree{root: root}, buffer: make([]byte, 10)}
	if sum, size, err := j.hash(t.Context(), "file"); err == nil {
		t.Errorf("a link out of the directory was read: %x, %d bytes", sum, size)
	}
}
