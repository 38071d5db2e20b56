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

// Kind is the declaration of the kind "checksum".
var Kind = server.Kind[*lropb.ChecksumRequest, *lropb.ChecksumResponse, *lropb.OperationMetadata]{
	Name:     "checksum",
	Validate: validate,
}

// maxPace keeps a mistyped pace from occupying a worker for years.
const maxPace = time.Hour

// Handle registers the kind with its handler.
func Handle() server.Registration {
	return Kind.Handle(func(ctx context.Context, t *server.Task[*lropb.OperationMetadata], req *lropb.ChecksumRequest) (*lropb.ChecksumResponse, error) {
		return run(ctx, t, req)
	})
}

// validate returns an error without a status where the request is invalid:
// the server makes it one.
func validate(_ context.Context, req *lropb.ChecksumRequest) error {
	dir := req.GetDir()
	switch info, err := os.Stat(dir); {
	case dir == "":
		return errors.New("dir is required")
	case !filepath.IsAbs(dir):
		// A relative one would change its meaning with the process that runs
		// the operation.
		return fmt.Errorf("dir %q is not an absolute path", dir)
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
// is made to be read by somebody on another machine.
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
