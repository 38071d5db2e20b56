package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/pflag"

	"github.com/go-lro/lro/internal/cli/host"
	"github.com/go-lro/lro/internal/cli/pgstore"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/server"
	"github.com/go-lro/lro/server/engine/postgres"
)

// Store is where serve keeps operations. A build of the command may bring
// another one than the file.
type Store interface {
	// Help describes it.
	Help() Help
	// AddFlags adds its flags.
	AddFlags(f *pflag.FlagSet)
	// Configure checks its flags and adds what follows from them. Errors are
	// those of the command line.
	Configure(c *host.Config) error
	// Where completes "serving operations on HOST:PORT, stored in ".
	Where() string
	// Role is what this process does, once the flags are parsed.
	Role() Role
}

// Help is what the help of serve says of a store.
type Help struct {
	Records string // a sentence on where the records are, and one on what survives
	Stop    string // what becomes of operations that --drain interrupts
	Example string
}

// Role is a part of what serve does.
type Role int

const (
	Everything Role = iota
	Answer          // serve operations, and run none
	Work            // run operations, and serve none
)

// Roles are the values of --role, where a store has it.
var Roles = map[string]Role{"all": Everything, "server": Answer, "worker": Work}

// database is the store of the command lro: the embedded engine on a file, or
// the one on PostgreSQL.
type database struct {
	db     string
	schema string
	role   string
	notify string
	lease  time.Duration
}

func (f *database) Help() Help {
	return Help{
		Records: `Operations are stored in a SQLite file or, if --db is the URL of a PostgreSQL
database, in a schema there, which is created if it does not exist; any number of
servers can then share it. A started operation survives however the server ends,
even by kill -9.`,
		Stop: `resume when the server is started again.`,
		Example: `  # On this machine, with operations in lro.db
  lro serve

  # In PostgreSQL, a server and a worker
  lro serve --db postgres://lro@db.example/app --role server
  lro serve --db postgres://lro@db.example/app --role worker

  # The same operations without gRPC
  curl -s localhost:8700/v1/operations

  # For other machines
  lro serve --listen :8700 --cert cert.pem --key key.pem --token-file tokens`,
	}
}

func (f *database) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.db, "db", "lro.db", "store operations in `FILE`, which is created if it does not exist, or at the URL of a PostgreSQL database, postgres://user@host/name")
	flags.StringVar(&f.schema, "schema", postgres.DefaultSchema, "store operations in the schema `NAME` of a PostgreSQL database")
	flags.StringVar(&f.role, "role", "all", "`ROLE` of this process on a PostgreSQL database: server answers callers, worker runs operations, all does both")
	flags.StringVar(&f.notify, "notify-db", "", "if --db leads to PgBouncer in transaction mode, receive notifications through `URL`, which leads to PostgreSQL itself, or poll instead with none")
	flags.DurationVar(&f.lease, "lease", 10*time.Second, "on a PostgreSQL database, let others run the operations of a process that has not been heard from for `DURATION`")
}

func (f *database) Configure(c *host.Config) error {
	if _, ok := Roles[f.role]; !ok {
		return fmt.Errorf("--role %q: must be all, server or worker", f.role)
	}
	if f.lease < postgres.MinLease {
		return fmt.Errorf("--lease %v: must be at least %v", f.lease, postgres.MinLease)
	}
	if !pgstore.IsURL(f.db) {
		if f.Role() != Everything {
			return fmt.Errorf("--role %q needs a PostgreSQL database: only one process can use a SQLite file", f.role)
		}
		if f.notify != "" {
			return errors.New("--notify-db needs a PostgreSQL database in --db")
		}
		c.DB = f.db
		return nil
	}
	options := postgres.Options{Schema: f.schema, Lease: f.lease, PollOnly: f.notify == "none"}
	if f.notify != "" && !options.PollOnly {
		direct, err := pgxpool.ParseConfig(f.notify)
		if err != nil {
			return fmt.Errorf("--notify-db: %w", err) // its text has no password
		}
		options.Listen = direct.ConnConfig
	}
	c.Engine = func(ctx context.Context, logger *slog.Logger) (server.Engine, error) {
		options.Logger = logger
		return pgstore.Open(ctx, f.db, options)
	}
	return pgstore.Check(f.db)
}

func (f *database) Where() string {
	if pgstore.IsURL(f.db) {
		return pgstore.Where(f.db, f.schema)
	}
	return term.Clean(f.db)
}

func (f *database) Role() Role { return Roles[f.role] }
