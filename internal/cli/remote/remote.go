package remote

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/cli/dial"
	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/flag"
	"github.com/go-lro/lro/internal/cli/payload"
	"github.com/go-lro/lro/internal/cli/render"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/internal/extop"
)

// Flags are those of every verb that talks to a service.
type Flags struct {
	dial.Flags
	Output flag.Output
	// Service replaces the service that the flags name, for tests. Nil means
	// that it is reached.
	Service *dial.Service

	sets []string
	io   *term.IO
}

// AddTo defines the flags on a command.
func (f *Flags) AddTo(cmd *cobra.Command, io *term.IO) {
	f.io = io
	f.Flags.AddTo(cmd, io)
	f.Output.AddTo(cmd)
	cmd.Flags().StringArrayVar(&f.sets, "descriptor-set", nil,
		"decode payloads by the message types in `FILE`, a FileDescriptorSet; may be repeated")
	cmd.PreRunE = func(_ *cobra.Command, args []string) error {
		if parent := cmd.Flags().Lookup("parent"); parent != nil {
			args = append(slices.Clip(args), parent.Value.String())
		}
		return f.ReachLinks(args)
	}
}

// Again is [dial.Flags.Again] with the message types.
func (f *Flags) Again() string {
	words := []string{f.Flags.Again()}
	if words[0] == "" {
		words = nil
	}
	for _, path := range f.sets {
		words = append(words, "--descriptor-set", term.Quote(path))
	}
	return strings.Join(words, " ")
}

// Session is a service that was reached, ready for calls.
type Session struct {
	*dial.Service
	Client *lro.Client
	Types  *payload.Types
	IO     *term.IO
}

// Open reaches the service. Close the session when it is not needed any more.
func (f *Flags) Open(ctx context.Context, opts ...lro.ClientOption) (*Session, error) {
	types := &payload.Types{}
	for _, path := range f.sets {
		if err := types.AddFile(path); err != nil {
			return nil, exit.AsUsage(fmt.Errorf("--descriptor-set: %w", err))
		}
	}
	service := f.Service
	if service == nil {
		var err error
		if service, err = f.Flags.Open(ctx, types.Local()); err != nil {
			return nil, err
		}
	}
	if service.Reflection != nil {
		types.SetSource(service.Reflection)
	} else {
		types.FromJSON()
	}
	return &Session{service, lro.NewClient(service, opts...), types, f.io}, nil
}

// Resume returns the operation that an argument stands for, which may be a
// resume token.
func (s *Session) Resume(arg string) (*lro.Operation[*anypb.Any, *anypb.Any], error) {
	arg = strings.TrimPrefix(arg, byteOrderMark)
	if name, err := extop.CanonicalName(arg); s.Compute && err == nil {
		arg = name
	}
	if u, err := url.Parse(arg); err == nil && u.Host != "" {
		name := strings.TrimPrefix(version.ReplaceAllString(u.Path, ""), "/")
		return nil, exit.Hint(exit.AsUsage(fmt.Errorf("%q is a URL, not the name of an operation", arg)), "did you mean "+term.Quote(name)+"?")
	}
	op, err := lro.Any().Resume(s.Client, arg)
	if err != nil {
		return nil, exit.AsUsage(err)
	}
	return op, nil
}

// byteOrderMark begins files that some editors write.
const byteOrderMark = "\ufeff"

// version is the first segment of most paths of HTTP, which is no part of a name.
var version = regexp.MustCompile(`^/v[0-9]+((alpha|beta)[0-9]*)?/`)

// Name returns the operation's name that an argument stands for, as Resume
// takes it.
func (s *Session) Name(arg string) (string, error) {
	op, err := s.Resume(arg)
	if err != nil {
		return "", err
	}
	return op.Name(), nil
}

// Read makes an operation readable.
func (s *Session) Read(ctx context.Context, name string) (*render.Operation, error) {
	stop := s.Busy()
	op, err := s.Client.Get(ctx, name)
	stop()
	if err != nil {
		return nil, s.ExplainOperation(ctx, "get", name, err)
	}
	if op.GetName() == "" {
		op.Name = name
	}
	return render.Of(ctx, s.Types, op), nil
}

// Busy shows a sign of life, if it takes longer than a moment, until stop is
// called.
func (s *Session) Busy() (stop func()) { return term.Busy(s.IO, "calling "+s.Target) }
