package demo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/flag"
	"github.com/go-lro/lro/internal/cli/pgstore"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/server/engine/postgres"
)

type options struct {
	io     *term.IO
	dir    string // absolute
	chosen bool   // dir was given
	db     string
	schema string
	temp   bool // db is a fresh temporary file
	pace   time.Duration
	output flag.Output
}

// New returns the command.
func New(io *term.IO) *cobra.Command {
	o := &options{io: io}
	cmd := &cobra.Command{
		Use:   "demo [DIR]",
		Short: "Start one real operation, watch it and wait for it",
		Long: `Compute SHA-256 of every file under DIR as a long-running operation: start it on
a durable server on loopback gRPC, wait for it, show its progress, and print the
result. By default DIR is the Go source tree if it exists, else the current folder.

The operations are stored in a SQLite file, or in a PostgreSQL database. Kill the
demo in the middle, even with -9, and start it again with the same --db: it resumes
the same operation from its last checkpoint.

The digest is that of the sorted list of the files' digests. The same comes from:

  find . -type f -exec sha256sum {} + | cut -d' ' -f1 | LC_ALL=C sort | sha256sum`,
		Example: `  # The Go source tree, at full speed
  lro demo

  # Slowly, to watch; then press Ctrl-C, or kill it, and run the line again
  lro demo --db demo.db --pace 5ms

  # Only the digest
  lro demo --output json . | jq -r .digest`,
		Args: flag.Args(flag.Needs("", 0, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.complete(cmd.Context(), args); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.db, "db", "", "store operations in `FILE`, or at the URL of a PostgreSQL database (default a new temporary file)")
	f.StringVar(&o.schema, "schema", postgres.DefaultSchema, "store operations in the schema `NAME` of a PostgreSQL database")
	f.DurationVar(&o.pace, "pace", 0, "spend at least `DURATION` on each file, to watch the progress")
	o.output.AddTo(cmd)
	return cmd
}

// checkDir returns dir as an absolute path, or why it cannot be walked.
func checkDir(dir string) (string, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", exit.AsUsage(fmt.Errorf("directory %q does not exist", dir))
	case err != nil:
		return "", exit.AsUsage(fmt.Errorf("directory %q: %w", dir, err))
	case !info.IsDir():
		return "", exit.AsUsage(fmt.Errorf("%q is not a directory", dir))
	}
	return filepath.Abs(dir)
}

// checkDB refuses a file that cannot be there before anything is opened.
func checkDB(path string) (string, error) {
	if pgstore.IsURL(path) {
		return path, exit.AsUsage(pgstore.Check(path))
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return "", exit.AsUsage(fmt.Errorf("--db %q is a directory, not a file", path))
	}
	folder := filepath.Dir(path)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return "", exit.AsUsage(fmt.Errorf("--db %q: folder %q does not exist", path, folder))
	}
	return filepath.Abs(path)
}
