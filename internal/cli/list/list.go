package list

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/flag"
	"github.com/go-lro/lro/internal/cli/remote"
	"github.com/go-lro/lro/internal/cli/render"
	"github.com/go-lro/lro/internal/cli/term"
)

type options struct {
	remote.Flags
	io       *term.IO
	filter   string
	parent   string
	pageSize int32
	all      bool
}

// New returns the command.
func New(io *term.IO) *cobra.Command {
	o := &options{io: io}
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the operations of a service",
		Long: `List operations, one per line, in the order of the service. On a terminal the rows
are a table, and a common prefix of long names is shown once above it. Elsewhere
they are name, state, progress, time of creation, kind and detail, separated by
tabs.

Without --all it lists one page.`,
		Example: `  # Running operations
  lro list --filter done:false

  # All operations below a parent
  lro list --all --parent projects/p/locations/l

  # Running operations in a zone of Compute Engine
  lro list --google --parent https://compute.googleapis.com/compute/v1/projects/p/zones/z --filter 'status != DONE'

  # Only names
  lro list --all --output json | jq -r .name`,
		Args: flag.Args(flag.None),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.pageSize < 0 {
				return exit.AsUsage(errors.New("--page-size is negative"))
			}
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.filter, "filter", "", "only operations that match `EXPRESSION` (AIP-160), such as done:false")
	f.StringVar(&o.parent, "parent", "", "operations below `NAME`, such as projects/p/locations/l (default top-level ones)")
	f.Int32Var(&o.pageSize, "page-size", 0, "request pages of `N` operations (default the service's)")
	f.BoolVar(&o.all, "all", false, "list all pages")
	o.AddTo(cmd, io)
	return cmd
}

func (o *options) run(ctx context.Context) error {
	s, err := o.Open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	if s.Compute && o.parent == "" {
		return exit.Hint(exit.AsUsage(errors.New("operations of Compute Engine are below a project, or a zone, a region or global of it: give one")),
			"--parent projects/PROJECT")
	}
	req := &longrunningpb.ListOperationsRequest{Name: o.parent, Filter: o.filter, PageSize: o.pageSize}
	if req.Name == "" {
		req.Name = "operations"
	}
	table := render.NewTable(o.io)
	found := 0
	stop := s.Busy()
	defer func() { stop() }()
	for page, err := range s.Client.Pages(ctx, req) {
		stop()
		if err != nil {
			return s.Explain(ctx, "list operations", err)
		}
		found += len(page.GetOperations())
		if err := o.show(ctx, s, table, page); err != nil {
			return err
		}
		if missing := page.GetUnreachable(); len(missing) > 0 {
			fmt.Fprintf(o.io.Err, "the service could not reach %s\n", term.Clean(strings.Join(missing, ", ")))
		}
		if !o.all {
			if page.GetNextPageToken() != "" {
				fmt.Fprintln(o.io.Err, "there are more: --all lists them")
			} else {
				o.tellNone(found)
			}
			return nil
		}
		stop = s.Busy()
	}
	stop()
	o.tellNone(found)
	return nil
}

// tellNone says to people that there is nothing, and where else to look.
func (o *options) tellNone(found int) {
	if found > 0 || o.Output.JSON() {
		return
	}
	what, hint := "no operations", ""
	switch o.parent {
	case "":
		what, hint = "no top-level operations", "; --parent NAME lists those below NAME, and --parent - all, if the service supports it"
	case "-":
	default:
		what = fmt.Sprintf("no operations below %q", o.parent)
	}
	if o.filter != "" {
		what += " match --filter"
	}
	fmt.Fprintln(o.io.Err, what+hint)
}

// show shows one page.
func (o *options) show(ctx context.Context, s *remote.Session, table *render.Table, page *longrunningpb.ListOperationsResponse) error {
	ops := make([]*render.Operation, len(page.GetOperations()))
	for i, op := range page.GetOperations() {
		ops[i] = render.Of(ctx, s.Types, op)
	}
	if !o.Output.JSON() {
		return table.Write(ops)
	}
	for _, op := range ops {
		if err := render.WriteJSON(o.io.Out, op.JSON(ctx)); err != nil {
			return err
		}
	}
	return nil
}
