package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/backup"
	"github.com/go-lro/lro/internal/cli/cancel"
	"github.com/go-lro/lro/internal/cli/compact"
	"github.com/go-lro/lro/internal/cli/console"
	"github.com/go-lro/lro/internal/cli/delete"
	"github.com/go-lro/lro/internal/cli/demo"
	"github.com/go-lro/lro/internal/cli/doctor"
	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/flag"
	"github.com/go-lro/lro/internal/cli/get"
	"github.com/go-lro/lro/internal/cli/list"
	"github.com/go-lro/lro/internal/cli/serve"
	"github.com/go-lro/lro/internal/cli/start"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/internal/cli/version"
	"github.com/go-lro/lro/internal/cli/wait"
	"github.com/go-lro/lro/internal/cli/watch"
)

// Edition is a build of the command. The zero value is lro.
type Edition struct {
	Name  string      // of the program; empty means "lro"
	Store serve.Store // of serve; nil is a file
}

// Main runs the command as a process and returns its exit status.
func Main() int { return Edition{}.Main() }

// Run runs the command with args and returns its exit status. The cause with
// which ctx ends decides the status of what it stopped.
func Run(ctx context.Context, args []string, io *term.IO) int {
	return Edition{}.Run(ctx, args, io)
}

// New returns the command with all its verbs.
func New(io *term.IO) *cobra.Command { return Edition{}.New(io) }

// Main is [Main] of this edition.
func (e Edition) Main() int {
	ctx, stop := untilInterrupted(context.Background())
	defer stop()
	return e.Run(ctx, os.Args[1:], term.System())
}

// Run is [Run] of this edition, which can be run once.
func (e Edition) Run(ctx context.Context, args []string, io *term.IO) int {
	root := e.New(io)
	ran := markRun(root)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exit.Done
	}
	if !*ran && exit.Of(err) == exit.Unknown {
		err = flag.Wrong(cmd, err) // found by cobra
	}
	report(io, root.Name(), err)
	if code := exit.Of(err); code != exit.Unknown {
		return code
	}
	return exit.OfCause(ctx)
}

// markRun makes every verb tell when its own code begins to run: errors before
// that are those of the command line.
func markRun(cmd *cobra.Command) *bool {
	ran := new(bool)
	for _, verb := range cmd.Commands() {
		run := verb.RunE
		verb.RunE = func(cmd *cobra.Command, args []string) error {
			*ran = true
			return run(cmd, args)
		}
	}
	return ran
}

// report tells what went wrong and what to do next, in one line each.
func report(io *term.IO, program string, err error) {
	if exit.IsSilent(err) {
		return
	}
	fmt.Fprintf(io.Err, "%s: %s\n", program, term.CleanLines(err.Error(), "  "))
	if hint := exit.HintOf(err); hint != "" {
		fmt.Fprintf(io.Err, "%s\n", term.CleanLines(hint, "  "))
	}
}

// New is [New] of this edition.
func (e Edition) New(io *term.IO) *cobra.Command {
	root := &cobra.Command{
		Use:           cmp.Or(e.Name, "lro"),
		Short:         "Look at, wait for and serve long-running operations",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          flag.Verb,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_ = cmd.Help()
			return exit.Silently(exit.Usage)
		},
	}
	root.SetIn(io.In)
	root.SetOut(io.Out)
	root.SetErr(io.Err)
	root.SetFlagErrorFunc(flag.Wrong)
	root.AddCommand(
		cancel.New(io), console.New(io), delete.New(io), demo.New(io), doctor.New(io), get.New(io), list.New(io),
		serve.New(io, e.Store), start.New(io), version.New(io), wait.New(io), watch.New(io),
	)
	if e.Store == nil { // the verbs of a file
		root.AddCommand(backup.New(io), compact.New(io))
	}
	return root
}
