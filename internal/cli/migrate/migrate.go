package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/flag"
	"github.com/go-lro/lro/internal/cli/pgstore"
	"github.com/go-lro/lro/internal/cli/render"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/server/engine/postgres"
)

type options struct {
	io     *term.IO
	db     string
	schema string
	print  bool
	output flag.Output
}

// New returns the command.
func New(io *term.IO) *cobra.Command {
	o := &options{io: io}
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Create or update the schema in a PostgreSQL database",
		Long: `Create the schema that stores operations in a PostgreSQL database, or update it for
this version of lro. The role in the URL must own the schema, or be able to create
it. lro serve can then run as a role with fewer rights, which the first migration
lists. Programs of the previous version can keep running meanwhile.

--print only prints the SQL, for another tool, and connects to no database. The
schema must exist before that SQL is run, for example by CREATE SCHEMA operations.`,
		Example: `  lro migrate --db postgres://owner@db.example/app

  lro migrate --print --schema operations > operations.sql`,
		Args: flag.Args(flag.None),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.db, "db", "", "migrate the database at `URL`, postgres://user@host/name")
	f.StringVar(&o.schema, "schema", postgres.DefaultSchema, "store operations in the schema `NAME`")
	f.BoolVar(&o.print, "print", false, "print the SQL of all migrations")
	o.output.AddTo(cmd)
	return cmd
}

// migrated is the output for programs.
type migrated struct {
	Schema string `json:"schema"`
	Before int    `json:"versionBefore"`
	After  int    `json:"version"`
}

func (o *options) run(ctx context.Context) error {
	if o.print {
		for _, m := range postgres.Migrations(o.schema) {
			if _, err := fmt.Fprintf(o.io.Out, "-- %s\n%s", m.Name, m.SQL); err != nil {
				return err
			}
		}
		return nil
	}
	if o.db == "" {
		return exit.AsUsage(errors.New("--db is required: the URL of a PostgreSQL database, such as postgres://user@host/name"))
	}
	if !pgstore.IsURL(o.db) {
		return exit.AsUsage(fmt.Errorf("--db %q is not the URL of a PostgreSQL database, such as postgres://user@host/name", o.db))
	}
	if err := pgstore.Check(o.db); err != nil {
		return exit.AsUsage(err)
	}
	pool, err := pgstore.Connect(ctx, o.db)
	if err != nil {
		return err
	}
	defer pool.Close()
	before, after, err := postgres.Migrate(ctx, pool, o.schema)
	if err != nil {
		return err
	}
	if o.output.JSON() {
		return render.WriteJSON(o.io.Out, migrated{o.schema, before, after})
	}
	text := fmt.Sprintf("updated from version %d to %d", before, after)
	switch before {
	case 0:
		text = fmt.Sprintf("created, version %d", after)
	case after:
		text = fmt.Sprintf("up to date, version %d", after)
	}
	_, err = fmt.Fprintf(o.io.Out, "%s  %s\n", pgstore.Where(o.db, o.schema), text)
	return err
}
