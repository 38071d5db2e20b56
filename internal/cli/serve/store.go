package serve

import (
	"github.com/spf13/pflag"

	"github.com/go-lro/lro/internal/cli/host"
	"github.com/go-lro/lro/internal/cli/term"
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
	// Where completes "serving operations on HOST:PORT, records in ".
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

// file is the store of the command lro: the embedded engine.
type file struct{ db string }

func (f *file) Help() Help {
	return Help{
		Records: `The records are in a SQLite file, and an operation that was started
survives any end of the server.`,
		Stop: `those that
do not end go on when the server is started again.`,
		Example: `  # On this machine, records in lro.db
  lro serve

  # The same operations without gRPC
  curl -s localhost:8700/v1/operations

  # For others
  lro serve --listen :8700 --cert cert.pem --key key.pem --token-file tokens`,
	}
}

func (f *file) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.db, "db", "lro.db", "`FILE` for the records; made where there is none")
}

func (f *file) Configure(c *host.Config) error {
	c.DB = f.db
	return nil
}

func (f *file) Where() string { return term.Clean(f.db) }

func (f *file) Role() Role { return Everything }
