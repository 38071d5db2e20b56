package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
	"github.com/go-lro/lro/internal/cli/migrate"
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
	Store serve.Store // of serve; nil is a database
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
	if len(args) > 0 && args[0] == cobra.ShellCompRequestCmd {
		plainUsage(root)
	}
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

// plainUsage takes the backquotes around the names of values off what flags are
// for, which shells would show as they are.
func plainUsage(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) { _, f.Usage = pflag.UnquoteUsage(f) })
	for _, verb := range cmd.Commands() {
		plainUsage(verb)
	}
}

// helpCommand is cobra's, but refuses what is no verb as root does.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Help about any command",
		RunE: func(_ *cobra.Command, args []string) error {
			found, rest, err := root.Find(args)
			if err != nil || found == root && len(rest) > 0 {
				return flag.Verb(root, args)
			}
			found.InitDefaultHelpFlag()
			found.InitDefaultVersionFlag()
			return found.Help()
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var verbs []cobra.Completion
			for _, verb := range root.Commands() {
				if len(args) == 0 && verb.IsAvailableCommand() {
					verbs = append(verbs, cobra.CompletionWithDesc(verb.Name(), verb.Short))
				}
			}
			return verbs, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// report prints what went wrong and what to do next, in one line each.
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
		Short:         "View, wait for and serve long-running operations",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          flag.Verb,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_ = cmd.Help()
			return exit.Silently(exit.Usage)
		},
	}
	root.Version = version.Text()
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetIn(io.In)
	root.SetOut(io.Out)
	root.SetErr(io.Err)
	root.SetFlagErrorFunc(flag.Wrong)
	root.AddCommand(
		cancel.New(io), console.New(io), delete.New(io), demo.New(io), doctor.New(io), get.New(io), list.New(io),
		serve.New(io, e.Store), start.New(io), version.New(io), wait.New(io), watch.New(io),
	)
	if e.Store == nil { // the verbs of a database
		root.AddCommand(backup.New(io), compact.New(io), migrate.New(io))
	}
	root.SetHelpCommand(helpCommand(root))
	return root
}
