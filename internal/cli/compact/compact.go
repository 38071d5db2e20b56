package compact

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

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
		Use:   "compact",
		Short: "Make the database of lro serve smaller",
		Long: `Rewrite the database of a stopped lro serve without the space that deleted and
expired operations left. Meanwhile it needs up to twice the size of the database on
the disk. If it is interrupted, the database stays as it was.

A database that was created by this version, or compacted once, gives space back
while the server runs.`,
		Example: `  lro compact --db /var/lib/lro/lro.db`,
		Args:    flag.Args(flag.None),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), io, db, &output)
		},
	}
	cmd.Flags().StringVar(&db, "db", "lro.db", "compact the database in `FILE`")
	output.AddTo(cmd)
	return cmd
}

// compacted is the output for programs.
type compacted struct {
	Database string `json:"database"`
	Before   int64  `json:"bytesBefore"`
	After    int64  `json:"bytesAfter"`
}

func run(ctx context.Context, io *term.IO, db string, output *flag.Output) error {
	if err := pgstore.OnlyFile(db, "its autovacuum makes space free"); err != nil {
		return err
	}
	before, after, err := sqlite.Compact(ctx, db)
	if err != nil {
		return err
	}
	if output.JSON() {
		return render.WriteJSON(io.Out, compacted{db, before, after})
	}
	_, err = fmt.Fprintf(io.Out, "%s  compacted from %d to %d bytes\n", term.Clean(db), before, after)
	return err
}
