package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/flag"
	"github.com/go-lro/lro/internal/cli/pgstore"
	"github.com/go-lro/lro/internal/cli/render"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/server/engine/sqlite"
)

// New returns the command.
func New(io *term.IO) *cobra.Command {
	var db string
	var output flag.Output
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the database of lro serve",
		Long: `Write a copy of the database of lro serve to FILE, which must not exist. The server
can keep running: the copy has every operation as it was at one moment after the
command began. The copy is opened, as a check, before it gets its name. To restore
it, stop the server, move its database and the files beside it away, and put the
copy in its place; see docs/backup.md.`,
		Example: `  # Each night
  lro backup --db /var/lib/lro/lro.db /backup/lro-$(date +%F).db`,
		Args: flag.Args(flag.Needs("the file to write", 1, 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return run(cmd.Context(), io, db, args[0], &output)
		},
	}
	cmd.Flags().StringVar(&db, "db", "lro.db", "copy the database in `FILE`")
	output.AddTo(cmd)
	return cmd
}

// copied is the output for programs.
type copied struct {
	Database string `json:"database"`
	Backup   string `json:"backup"`
	Bytes    int64  `json:"bytes"`
}

func run(ctx context.Context, io *term.IO, db, path string, output *flag.Output) error {
	if err := pgstore.OnlyFile(db, "back it up with pg_dump (docs/backup.md)"); err != nil {
		return err
	}
	if err := sqlite.Backup(ctx, db, path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			err = exit.Hint(err, "a backup does not overwrite files; give the name of a new one")
		}
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if output.JSON() {
		return render.WriteJSON(io.Out, copied{db, path, info.Size()})
	}
	_, err = fmt.Fprintf(io.Out, "%s  %d bytes\n", term.Clean(path), info.Size())
	return err
}
