package remote

import (
	"context"
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/render"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/lropb"
)

const (
	// completionTime limits how long completion may take after Tab is pressed.
	completionTime = 2 * time.Second
	// maxCompletions is how many operations are offered.
	maxCompletions = 100
)

// CompleteNames completes the names of operations by what the service lists,
// with the state of each.
func (f *Flags) CompleteNames(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var found []cobra.Completion
	f.complete(cmd, func(ctx context.Context, s *Session) {
		parent := "operations"
		if i := strings.LastIndex(prefix, "/operations/"); i >= 0 {
			parent = prefix[:i]
		}
		page, err := s.ListOperations(ctx, &longrunningpb.ListOperationsRequest{Name: parent, PageSize: maxCompletions})
		if err != nil {
			return
		}
		given := map[string]bool{}
		for _, name := range args {
			given[name] = true
		}
		for _, op := range page.GetOperations() {
			if name := op.GetName(); strings.HasPrefix(name, prefix) && !given[name] && term.Clean(name) == name {
				found = append(found, cobra.CompletionWithDesc(name, render.Of(ctx, s.Types, op).State))
			}
		}
	})
	return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// CompleteKinds completes the kinds that the service can start.
func (f *Flags) CompleteKinds(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var found []cobra.Completion
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	f.complete(cmd, func(ctx context.Context, s *Session) {
		resp, err := s.Starter.ListKinds(ctx, &lropb.ListKindsRequest{})
		if err != nil {
			return
		}
		for _, k := range resp.GetKinds() {
			if name := k.GetName(); strings.HasPrefix(name, prefix) && term.Clean(name) == name {
				found = append(found, cobra.CompletionWithDesc(name, term.Clean(k.GetRequestType())))
			}
		}
	})
	return found, cobra.ShellCompDirectiveNoFileComp
}

// complete asks the service, silently: who presses Tab wants no errors.
func (f *Flags) complete(cmd *cobra.Command, ask func(context.Context, *Session)) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	s, err := f.Open(ctx)
	if err != nil {
		return
	}
	defer s.Close()
	ask(ctx, s)
}
