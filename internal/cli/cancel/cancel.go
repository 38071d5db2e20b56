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
		Short: "Ask a service to stop operations",
		Long: `Ask the service to cancel each operation, and show its state after that. To cancel
is best effort: an operation may still succeed, and the service does not wait for
its end. lro wait tells how it ended.

The exit status is 0 when the service took every request, also for an operation
that was done already, and 1 when one could not be made.`,
		Example: `  # Cancel, then see how it ended: status 4 says it was cancelled
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

// cancel asks for the end of one operation and returns its state after that.
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
		return nil, fmt.Errorf("the service took the cancellation of %q, but: %w", op.Name(), err)
	}
	return read, nil
}
