package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/demo"
	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/flag"
	"github.com/go-lro/lro/internal/cli/term"
)

// Main runs the command as a process and returns its exit status.
func Main() int {
	ctx, stop := untilInterrupted(context.Background())
	defer stop()
	return Run(ctx, os.Args[1:], term.System())
}

// Run runs the command with args and returns its exit status. The cause with
// which ctx ends decides the status of what it stopped.
func Run(ctx context.Context, args []string, io *term.IO) int {
	root := New(io)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exit.Done
	}
	if _, ran := cmd.Annotations[ranAnnotation]; !ran && exit.Of(err) == exit.Unknown {
		err = flag.Wrong(cmd, err) // found by cobra
	}
	report(io, err)
	return exit.Of(err)
}

// report tells what went wrong and what to do next, in one line each.
func report(io *term.IO, err error) {
	if exit.IsSilent(err) {
		return
	}
	fmt.Fprintf(io.Err, "lro: %s\n", term.CleanLines(err.Error(), "  "))
	if hint := exit.HintOf(err); hint != "" {
		fmt.Fprintf(io.Err, "%s\n", term.CleanLines(hint, "  "))
	}
}

// ranAnnotation marks a command whose own code has run: its errors are not
// those of the command line.
const ranAnnotation = "ran"

// New returns the command with all its verbs.
func New(io *term.IO) *cobra.Command {
	root := &cobra.Command{
		Use:           "lro",
		Short:         "Look at, wait for and serve long-running operations",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_ = cmd.Help()
			return exit.Silently(exit.Usage)
		},
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			if cmd.Annotations == nil {
				cmd.Annotations = map[string]string{}
			}
			cmd.Annotations[ranAnnotation] = ""
		},
	}
	root.SetIn(io.In)
	root.SetOut(io.Out)
	root.SetErr(io.Err)
	root.SetFlagErrorFunc(flag.Wrong)
	root.AddCommand(demo.New(io))
	return root
}
