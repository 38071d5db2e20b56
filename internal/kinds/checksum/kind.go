package checksum

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
)

// Kind is the declaration of the kind "checksum", with its defaults: it reads any
// directory of the machine.
var Kind = Config{}.Kind()

// Config configures the kind.
type Config struct {
	// Root is a directory outside of which nothing is read, whatever a request
	// or a symbolic link says. Empty means no limit.
	Root string
	// Off refuses to start and to run operations: nothing is read.
	Off bool
	// Concurrency is how many operations run at once. 0 means no limit of the
	// kind's own.
	Concurrency int
}

// kind is the type of the declaration.
type kind = server.Kind[*lropb.ChecksumRequest, *lropb.ChecksumResponse, *lropb.OperationMetadata]

// Kind returns the declaration of the kind.
func (c Config) Kind() kind {
	return kind{Name: "checksum", Validate: c.validate, Concurrency: c.Concurrency}
}

// Handle registers the kind with its handler.
func (c Config) Handle() server.Registration {
	return c.Kind().Handle(func(ctx context.Context, t *server.Task[*lropb.OperationMetadata], req *lropb.ChecksumRequest) (*lropb.ChecksumResponse, error) {
		// Again: the operation may be older than the limit.
		if err := c.confine(req.GetDir()); err != nil {
			return nil, err
		}
		return run(ctx, t, req)
	})
}

// confine refuses directories outside of the root.
func (c Config) confine(dir string) error {
	switch {
	case c.Off:
		return status.Error(codes.PermissionDenied, "the kind checksum is off: this server answers other machines, and has no --checksum-root")
	case c.Root == "":
		return nil
	}
	root, err := filepath.EvalSymlinks(c.Root)
	if err != nil {
		return status.Errorf(codes.Internal, "read the directory of --checksum-root: %v", err)
	}
	// Whether a directory outside exists is not for callers to know.
	outside := status.Errorf(codes.PermissionDenied, "dir %q is outside of the directory of --checksum-root", dir)
	if !inside(root, dir) && !inside(c.Root, dir) {
		return outside
	}
	real, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return status.Errorf(codes.NotFound, "dir %q does not exist", dir)
	}
	if err != nil || !inside(root, real) {
		return outside
	}
	return nil
}

// inside reports whether path is root or below it, by their text.
func inside(root, path string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil && filepath.IsLocal(rel)
}

// maxPace keeps a mistyped pace from occupying a worker for years.
const maxPace = time.Hour

// validate returns an error without a status where the request is invalid:
// the server makes it one.
func (c Config) validate(_ context.Context, req *lropb.ChecksumRequest) error {
	dir := req.GetDir()
	switch {
	case dir == "":
		return errors.New("dir is required")
	case !filepath.IsAbs(dir):
		// A relative one would change its meaning with the process that runs
		// the operation.
		return fmt.Errorf("dir %q is not an absolute path", dir)
	}
	if err := c.confine(dir); err != nil {
		return err
	}
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return status.Errorf(codes.NotFound, "dir %q does not exist", dir)
	case err != nil:
		return statusOf("read dir", dir, err)
	case !info.IsDir():
		return fmt.Errorf("dir %q is not a directory", dir)
	}
	pace := req.GetPace()
	if pace == nil {
		return nil
	}
	if err := pace.CheckValid(); err != nil {
		return fmt.Errorf("pace: %w", err)
	}
	if d := pace.AsDuration(); d < 0 || d > maxPace {
		return fmt.Errorf("pace %v is not within 0 and %v", d, maxPace)
	}
	return nil
}

// statusOf is the status of a failed file operation. Unlike os's own errors it
// is made to be read by a caller on another machine.
func statusOf(what, path string, err error) error {
	code := codes.Internal
	switch {
	case errors.Is(err, fs.ErrNotExist):
		code = codes.NotFound
	case errors.Is(err, fs.ErrPermission):
		code = codes.PermissionDenied
	}
	if bare, ok := errors.AsType[*fs.PathError](err); ok {
		err = bare.Err // its text repeats the path
	}
	return status.Errorf(code, "%s %q: %v", what, path, err)
}
