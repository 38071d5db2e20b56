package delete

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/flag"
	"github.com/go-lro/lro/internal/cli/remote"
	"github.com/go-lro/lro/internal/cli/render"
	"github.com/go-lro/lro/internal/cli/term"
)

// New returns the command.
func New(io *term.IO) *cobra.Command {
	var f remote.Flags
	cmd := &cobra.Command{
		Use:   "delete NAME...",
		Short: "Delete operations",
		Long: `Delete the operations and their outcomes from the service. Deleting does not cancel:
work that runs may continue unseen, and some services refuse to delete a running
operation. Use lro cancel first to stop it.`,
		Example: `  # One
  lro delete operations/o00000001dh81jkr451k8qkb

  # All that are done
  lro list --all --filter done:true --output json | jq -r .name | xargs lro delete`,
		Args: flag.Args(flag.Names),
		RunE: func(cmd *cobra.Command, args []string) error {
			return run(cmd.Context(), &f, args)
		},
	}
	f.AddTo(cmd, io)
	cmd.ValidArgsFunction = f.CompleteNames
	return cmd
}

// deleted is the output for programs.
type deleted struct {
	Name    string `json:"name"`
	Deleted bool   `json:"deleted"`
}

func run(ctx context.Context, f *remote.Flags, args []string) error {
	s, err := f.Open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	var errs []error
	for _, arg := range args {
		name, err := s.Name(arg)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		stop := s.Busy()
		err = s.Client.Delete(ctx, name)
		stop()
		if err != nil {
			errs = append(errs, s.ExplainOperation(ctx, "delete", name, err))
			if ctx.Err() != nil {
				break
			}
			continue
		}
		if f.Output.JSON() {
			err = render.WriteJSON(s.IO.Out, deleted{name, true})
		} else {
			_, err = fmt.Fprintf(s.IO.Out, "%s  deleted\n", term.Clean(name))
		}
		if err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}
