package wait

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/flag"
	"github.com/go-lro/lro/internal/cli/remote"
	"github.com/go-lro/lro/internal/cli/term"
)

// options are the flags of the command.
type options struct {
	remote.Flags
	any      bool
	all      bool
	timeout  time.Duration
	interval time.Duration
	cancel   bool // --cancel-on-interrupt
}

// New returns the command.
func New(io *term.IO) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "wait NAME...",
		Short: "Wait until operations are done",
		Long: `Wait until the operations are done, and show how far they are meanwhile: a bar on
a terminal, a line now and then elsewhere. NAME is the name of an operation, a
resume token, or - for names on standard input, one a line.

The exit status is that of the worst outcome: 1 when the state of an operation
could not be learnt, else 3 when one has failed, else 4 when one was cancelled,
else 0. With --any it is that of the first that ended. It is 124 when --timeout
passed and 130 after Ctrl-C; both leave the operations alone and print the
command that goes on waiting.`,
		Example: `  # Wait for one operation, two minutes at most
  lro wait --timeout 2m operations/o00000001dh81jkr451k8qkb

  # Stop the operation when you stop waiting
  lro wait --cancel-on-interrupt operations/o00000001dh81jkr451k8qkb

  # All that run, with one JSON object a line
  lro list --filter done:false --output json | jq -r .name | lro wait --output json -`,
		Args: flag.Args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.timeout < 0 || o.interval <= 0 {
				return exit.AsUsage(errors.New("--timeout and --interval must be positive"))
			}
			return o.run(cmd.Context(), io, args)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.any, "any", false, "stop when the first has ended")
	f.BoolVar(&o.all, "all", false, "wait for all (the default)")
	f.DurationVar(&o.timeout, "timeout", 0, "stop waiting after `DURATION`, such as 90s or 2h")
	f.DurationVar(&o.interval, "interval", 2*time.Second, "look at least every `DURATION`; the end is seen at once where the service can wait")
	f.BoolVar(&o.cancel, "cancel-on-interrupt", false, "on Ctrl-C, cancel the operations and say what became of them")
	o.AddTo(cmd, io)
	cmd.MarkFlagsMutuallyExclusive("any", "all")
	return cmd
}

// resumeCommand is what goes on waiting for names.
func (o *options) resumeCommand(names []string, stdin bool) string {
	const most = 100
	text := "lro wait"
	if again := o.Again(); again != "" {
		text += " " + again
	}
	if o.Output.JSON() {
		text += " --output json"
	}
	if o.any {
		text += " --any"
	}
	if stdin || len(names) > most {
		return text + fmt.Sprintf(" -  # with the %s names that are left, one a line", term.Count(int64(len(names))))
	}
	for _, name := range names {
		text += " " + term.Quote(name)
	}
	return text
}
