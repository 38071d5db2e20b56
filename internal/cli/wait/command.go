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
		Long: `Wait until the operations are done, and show their progress: as a bar on a terminal,
else as a line from time to time. NAME is the name of an operation, a resume token,
the selfLink of an operation of Compute Engine, or - for names on standard input,
one per line.

The exit status is that of the worst outcome: 1 if the state of an operation is
unknown, else 3 if one has failed, else 4 if one was cancelled, else 0. With --any
it is that of the first that is done. It is 124 after --timeout and 130 after
Ctrl-C; in both cases the operations keep running, and the command that resumes
waiting is printed.

If the service has not answered at all within 10s, wait ends with status 1. Once it
has answered, outages are waited out.`,
		Example: `  # Wait for one operation, two minutes at most
  lro wait --timeout 2m operations/o00000001dh81jkr451k8qkb

  # Stop the operation when you stop waiting
  lro wait --cancel-on-interrupt operations/o00000001dh81jkr451k8qkb

  # An operation of Compute Engine; its link includes the service
  lro wait --google https://compute.googleapis.com/compute/v1/projects/p/zones/z/operations/operation-1

  # All running operations, with one JSON object per line
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
