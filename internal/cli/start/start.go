package start

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/cli/dial"
	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/flag"
	"github.com/go-lro/lro/internal/cli/remote"
	"github.com/go-lro/lro/internal/cli/render"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/lropb"
)

type options struct {
	remote.Flags
	io        *term.IO
	parent    string
	requestID string
}

// New returns the command.
func New(io *term.IO) *cobra.Command {
	o := &options{io: io}
	cmd := &cobra.Command{
		Use:   "start KIND [JSON]",
		Short: "Start an operation on a server that has lro.v1.Starter, such as lro serve",
		Long: `Start an operation of KIND and print its name once it is durable. JSON is the
request, of the kind's request type; - reads it from standard input, and without
it the request is empty.

lro serve has two kinds:

  simulate   duration  how long it takes, such as "60s"; at most 24 h
             steps     steps of progress, default 10
             error     fails with this, such as {"code": 9, "message": "full"};
                       default is success
             echo      is returned in the response
  checksum   dir       the directory to read, on the server's machine
             pace      minimum time to spend on each file, such as "10ms"

If the answer to a start is lost, the start is repeated with the same request ID, so
that only one operation starts. With --request-id this also holds across commands.`,
		Example: `  # An operation that takes a minute, for trying out a client
  lro start simulate '{"duration": "60s", "steps": 100}'

  # Start, and wait for the end
  lro wait $(lro start checksum '{"dir": "/usr/share/doc"}')`,
		Args: flag.Args(flag.Needs("the kind of the operation", 1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), args)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.parent, "parent", "", "start it under `NAME`, such as projects/p (default the server's own)")
	f.StringVar(&o.requestID, "request-id", "", "start only one operation for all starts with this `ID` (default a random one)")
	o.AddTo(cmd, io)
	cmd.ValidArgsFunction = o.CompleteKinds
	return cmd
}

// maxStart bounds the repetitions of a start whose answers are lost.
const maxStart = 30 * time.Second

func (o *options) run(ctx context.Context, args []string) error {
	text, err := o.request(ctx, args)
	if err != nil {
		return err
	}
	s, err := o.Open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	stop := s.Busy()
	op, err := o.start(ctx, s, args, text)
	stop()
	if err != nil {
		return err
	}
	if o.Output.JSON() {
		return render.WriteJSON(o.io.Out, render.Of(ctx, s.Types, op).JSON(ctx))
	}
	_, err = fmt.Fprintln(o.io.Out, term.Clean(op.GetName()))
	return err
}

// request returns the JSON of the request.
func (o *options) request(ctx context.Context, args []string) ([]byte, error) {
	switch {
	case len(args) < 2:
		return []byte("{}"), nil
	case args[1] != "-":
		return []byte(args[1]), nil
	}
	return o.io.ReadAll(ctx, "reading the request as JSON")
}

func (o *options) start(ctx context.Context, s *remote.Session, args []string, text []byte) (*longrunningpb.Operation, error) {
	kind := args[0]
	requestType, err := requestType(ctx, s, kind)
	if err != nil {
		return nil, err
	}
	packed, err := s.Types.Pack(ctx, requestType, text)
	if err != nil {
		err = exit.AsUsage(fmt.Errorf("request of kind %q: %w", kind, err))
		if strings.Contains(err.Error(), "google.protobuf.Duration") {
			err = exit.Hint(err, `a duration in JSON is a number of seconds, such as "90s" or "0.5s"`)
		}
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, maxStart)
	defer cancel()
	method := lro.Any()
	method.Name = "lro.v1.Starter.StartOperation"
	var opts []lro.StartOption
	if o.requestID != "" {
		opts = append(opts, lro.WithRequestID(o.requestID))
	}
	op, err := method.Start(ctx, s.Client, func(ctx context.Context, id string, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
		return s.Starter.StartOperation(ctx, &lropb.StartOperationRequest{
			Parent: o.parent, Kind: kind, Request: packed, RequestId: id,
		}, opts...)
	}, opts...)
	if err == nil {
		return op.Snapshot().Proto(), nil
	}
	failed := s.Explain(ctx, fmt.Sprintf("start operation of kind %q", kind), err)
	if lost, ok := errors.AsType[*lro.StartError](err); ok && lost.MayHaveStarted {
		failed = exit.Hint(fmt.Errorf("%w; it may have been started, with request ID %s", failed, lost.RequestID),
			"to repeat it without starting a second operation: "+o.again(lost.RequestID, args))
	}
	return nil, failed
}

// again is the command that repeats a start.
func (o *options) again(requestID string, args []string) string {
	var text strings.Builder
	text.WriteString("lro start --request-id " + term.Quote(requestID))
	if again := o.Again(); again != "" {
		text.WriteString(" " + again)
	}
	if o.parent != "" {
		text.WriteString(" --parent " + term.Quote(o.parent))
	}
	if o.Output.JSON() {
		text.WriteString(" --output json")
	}
	for _, arg := range args {
		text.WriteString(" " + term.Quote(arg))
	}
	if len(args) > 1 && args[1] == "-" {
		text.WriteString("  # with the same request on standard input")
	}
	return text.String()
}

// requestType asks the service what the request of a kind is.
func requestType(ctx context.Context, s *remote.Session, kind string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, maxStart)
	defer cancel()
	resp, err := s.Starter.ListKinds(ctx, &lropb.ListKindsRequest{})
	if status.Code(err) == codes.Unimplemented || dial.NoSuchPath(err) {
		return "", exit.Hint(fmt.Errorf("start operation at %s: there is no lro.v1.Starter", s.Target),
			"other services have their own methods that start operations; lro doctor shows what this one has")
	}
	if err != nil {
		return "", s.Explain(ctx, "list kinds", err)
	}
	var names []string
	for _, k := range resp.GetKinds() {
		if k.GetName() == kind {
			return k.GetRequestType(), nil
		}
		names = append(names, k.GetName())
	}
	if len(names) == 0 {
		return "", errors.New("the service has no kinds")
	}
	return "", exit.AsUsage(fmt.Errorf("%s has no kind %q, only %s", s.Target, kind, strings.Join(names, ", ")))
}
