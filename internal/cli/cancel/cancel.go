package cancel

import (
	"context"
	"errors"
	"fmt"

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
		Use:   "cancel NAME...",
		Short: "Cancel operations",
		Long: `Request the cancellation of each operation, and show its state after that.
Cancelling is best effort: an operation may still succeed, and the service does not
wait for its end. lro wait shows the outcome.

The exit status is 0 if the service accepted every request, even for an operation
that was already done, and 1 if a request failed.`,
		Example: `  # Cancel, then see the outcome: status 4 means that it was cancelled
  lro cancel operations/o00000001dh81jkr451k8qkb
  lro wait operations/o00000001dh81jkr451k8qkb`,
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
	var errs []error
	for _, arg := range args {
		op, err := cancel(ctx, s, arg)
		if err != nil {
			errs = append(errs, err)
			if ctx.Err() != nil || exit.Of(err) == exit.Usage {
				break
			}
			continue
		}
		if f.Output.JSON() {
			err = render.WriteJSON(s.IO.Out, op.JSON(ctx))
		} else {
			_, err = fmt.Fprintln(s.IO.Out, op.Line(s.IO))
		}
		if err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

// cancel requests the cancellation of one operation and returns its state after
// that.
func cancel(ctx context.Context, s *remote.Session, arg string) (*render.Operation, error) {
	op, err := s.Resume(arg)
	if err != nil {
		return nil, err
	}
	stop := s.Busy()
	_, err = op.Cancel(ctx)
	stop()
	if err != nil {
		return nil, s.ExplainOperation(ctx, "cancel", op.Name(), err)
	}
	read, err := s.Read(ctx, op.Name())
	if err != nil {
		return nil, fmt.Errorf("the service accepted the cancellation of %q, but its state is unknown: %w", op.Name(), err)
	}
	return read, nil
}
