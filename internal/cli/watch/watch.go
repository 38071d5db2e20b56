package watch

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/await"
	"github.com/go-lro/lro/internal/cli/flag"
	"github.com/go-lro/lro/internal/cli/term"
)

// New returns the command.
func New(io *term.IO) *cobra.Command {
	o := await.Options{Lines: true}
	cmd := &cobra.Command{
		Use:   "watch NAME...",
		Short: "Print every change of operations until they are done",
		Long: `Print a line for every change of the operations, until they are done: the log of
what lro wait shows as a bar. NAME is as for lro wait.

The exit status is that of lro wait.`,
		Example: `  # Every change of one operation, with its payloads
  lro watch --output json operations/o00000001dh81jkr451k8qkb

  # All running operations, polled at least four times a second
  lro list --filter done:false --output json | jq -r .name | lro watch --interval 250ms -`,
		Args: flag.Args(flag.Names),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.Run(cmd.Context(), io, args)
		},
	}
	o.AddTo(cmd, io, time.Second)
	cmd.ValidArgsFunction = o.CompleteNames
	return cmd
}
