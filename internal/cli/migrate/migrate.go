package migrate

import (
	"cmp"
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
	after  int
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

lro serve and lro demo create a schema that does not exist, if their role may, but
never update one.

--print only prints the SQL, for another tool, and connects to no database. The
schema must exist before that SQL is run, for example by CREATE SCHEMA operations.
Each migration begins with its name and is run once, in one transaction; --after 2
leaves out the first two.`,
		Example: `  lro migrate --db postgres://owner@db.example/app

  lro migrate --print --schema operations > operations.sql
  psql -v ON_ERROR_STOP=1 --single-transaction -f operations.sql postgres://owner@db.example/app`,
		Args: flag.Args(flag.None),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.db, "db", "", "migrate the database at `URL`, postgres://user@host/name")
	f.StringVar(&o.schema, "schema", postgres.DefaultSchema, "store operations in the schema `NAME`")
	f.BoolVar(&o.print, "print", false, "print the SQL of the migrations")
	f.IntVar(&o.after, "after", 0, "print only the migrations after `VERSION`, which the schema has")
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
			if m.Version <= o.after {
				continue
			}
			if _, err := fmt.Fprintf(o.io.Out, "-- %s\n%s", m.Name, m.SQL); err != nil {
				return err
			}
		}
		return nil
	}
	if o.after != 0 {
		return exit.AsUsage(errors.New("--after needs --print"))
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
		return render.WriteJSON(o.io.Out, migrated{cmp.Or(o.schema, postgres.DefaultSchema), before, after})
	}
	text := fmt.Sprintf("updated from version %d to %d", before, after)
	switch known := len(postgres.Migrations(o.schema)); {
	case before > known:
		text = fmt.Sprintf("unchanged, version %d: newer than this lro, which knows version %d", before, known)
	case before == 0:
		text = fmt.Sprintf("created, version %d", after)
	case before == after:
		text = fmt.Sprintf("up to date, version %d", after)
	}
	_, err = fmt.Fprintf(o.io.Out, "%s  %s\n", pgstore.Where(o.db, o.schema), text)
	return err
}
