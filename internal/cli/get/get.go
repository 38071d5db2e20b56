package get

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/flag"
	"github.com/go-lro/lro/internal/cli/remote"
	"github.com/go-lro/lro/internal/cli/render"
	"github.com/go-lro/lro/internal/cli/term"
)

// New returns the command.
func New(io *term.IO) *cobra.Command {
	var f remote.Flags
	cmd := &cobra.Command{
		Use:   "get NAME...",
		Short: "Show the current state of operations",
		Long: `Show what the service reports about each operation: its state, its progress, and
its outcome. NAME is as for lro wait.

The exit status is 0 if all were found and none has failed, 1 if the state of one
is unknown, 3 if one has failed, 4 if one was cancelled.`,
		Example: `  # One operation, everything about it
  lro get operations/o00000001dh81jkr451k8qkb

  # Only its response
  lro get --output json operations/o00000001dh81jkr451k8qkb | jq .response`,
		Args: flag.Args(flag.Names),
		RunE: func(cmd *cobra.Command, args []string) error {
			return run(cmd.Context(), &f, args)
		},
	}
	f.AddTo(cmd, io)
	cmd.ValidArgsFunction = f.CompleteNames
	return cmd
}

func run(ctx context.Context, f *remote.Flags, args []string) error {
	s, err := f.Open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	worst := exit.Done
	var errs []error
	shown := false
	for _, arg := range args {
		op, err := get(ctx, s, arg)
		if err != nil {
			errs = append(errs, err)
			if ctx.Err() != nil || exit.Of(err) == exit.Usage {
				break
			}
			continue
		}
		worst = exit.Worst(worst, op.Exit())
		if err := show(ctx, f, s, op, shown); err != nil {
			return err
		}
		shown = true
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return exit.Silently(worst)
}

func get(ctx context.Context, s *remote.Session, arg string) (*render.Operation, error) {
	name, err := s.Name(arg)
	if err != nil {
		return nil, err
	}
	return s.Read(ctx, name)
}

func show(ctx context.Context, f *remote.Flags, s *remote.Session, op *render.Operation, again bool) error {
	if f.Output.JSON() {
		return render.WriteJSON(s.IO.Out, op.JSON(ctx))
	}
	if again {
		if _, err := s.IO.Out.Write([]byte("\n")); err != nil {
			return err
		}
	}
	return op.Text(ctx, s.IO)
}
