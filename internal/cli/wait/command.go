package wait

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/await"
	"github.com/go-lro/lro/internal/cli/flag"
	"github.com/go-lro/lro/internal/cli/term"
)

// New returns the command.
func New(io *term.IO) *cobra.Command {
	var o await.Options
	cmd := &cobra.Command{
		Use:   "wait NAME...",
		Short: "Wait until operations are done",
		Long: `Wait until the operations are done, and show how far they are meanwhile: a bar on
a terminal, a line now and then elsewhere. NAME is the name of an operation, a
resume token, the selfLink of an operation of Compute Engine, or - for names on
standard input, one a line.

The exit status is that of the worst outcome: 1 when the state of an operation
could not be learnt, else 3 when one has failed, else 4 when one was cancelled,
else 0. With --any it is that of the first that ended. It is 124 when --timeout
passed and 130 after Ctrl-C; both leave the operations alone and print the
command that resumes waiting.`,
		Example: `  # Wait for one operation, two minutes at most
  lro wait --timeout 2m operations/o00000001dh81jkr451k8qkb

  # Stop the operation when you stop waiting
  lro wait --cancel-on-interrupt operations/o00000001dh81jkr451k8qkb

  # An operation of Compute Engine; its link says which service that is
  lro wait --google https://compute.googleapis.com/compute/v1/projects/p/zones/z/operations/operation-1

  # All that run, with one JSON object a line
  lro list --filter done:false --output json | jq -r .name | lro wait --output json -`,
		Args: flag.Args(flag.Names),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.Run(cmd.Context(), io, args)
		},
	}
	o.AddTo(cmd, io, 2*time.Second)
	cmd.ValidArgsFunction = o.CompleteNames
	return cmd
}
