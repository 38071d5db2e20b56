package checksum

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// tree is the directory of one operation.
type tree struct {
	root string
	// missing is called for directories that vanished while they were walked; nil
	// ignores them.
	missing func(rel string)
}

// openTree resolves a directory that is a symbolic link itself, which a walk
// would not follow.
func openTree(dir string) (*tree, error) {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, statusOf("read dir", dir, err)
	}
	info, err := os.Stat(root)
	if err != nil {
		return nil, statusOf("read dir", dir, err)
	}
	if !info.IsDir() {
		return nil, status.Errorf(codes.FailedPrecondition, "dir %q is not a directory any more", dir)
	}
	return &tree{root: root}, nil
}

// files calls visit for each regular file after the one named last, in an
// order that is the same each time: by name within each directory. Paths are
// relative to the root. An empty last starts at the beginning.
func (t *tree) files(ctx context.Context, last string, visit func(rel string) error) error {
	return filepath.WalkDir(t.root, func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rel := "."
		if path != t.root {
			rel = strings.TrimPrefix(path[len(t.root):], string(filepath.Separator))
		}
		switch {
		case errors.Is(err, fs.ErrNotExist) && rel != ".":
			if t.missing != nil {
				t.missing(rel)
			}
			return nil
		case err != nil:
			return statusOf("read directory", path, err)
		case d.IsDir():
			if rel != "." && before(rel, last) && !strings.HasPrefix(last, rel+string(filepath.Separator)) {
				return filepath.SkipDir
			}
			return nil
		case !d.Type().IsRegular() || last != "" && !before(last, rel):
			return nil
		}
		return visit(rel)
	})
}

// before reports whether a walk comes to path a before path b. A separator
// sorts below every character of a name, since a directory's content comes
// before its next sibling.
func before(a, b string) bool {
	separator := string(filepath.Separator)
	return strings.ReplaceAll(a, separator, "\x00") < strings.ReplaceAll(b, separator, "\x00")
}
