package console

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/flag"
	"github.com/go-lro/lro/internal/cli/remote"
	"github.com/go-lro/lro/internal/cli/term"
)

type options struct {
	remote.Flags
	io       *term.IO
	listen   string
	parent   string
	readOnly bool
	hosts    []string
	poll     time.Duration
	insecure bool
}

// New returns the command.
func New(io *term.IO) *cobra.Command {
	o := &options{io: io}
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Serve a web page that shows the operations of a service",
		Long: `Serve a web page that shows the operations of a service: their states, their
progress, which failed and why, with buttons to cancel and to delete.

It calls the service with the credentials given here, for everyone who opens it. So
by default it answers only this machine, including its other users. For users of
other machines, put it behind a proxy that authenticates them.

lro serve has a console of its own, which shows more: states, counts, history, and
changes as they happen. This one polls the service.`,
		Example: `  # Any service
  lro console --addr library.example:443 --token-file token --parent projects/p

  # All parents of a server made with package server, without the buttons
  lro console --addr localhost:8700 --plaintext --parent - --read-only`,
		Args: flag.Args(flag.None),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8701", "answer browsers at `HOST:PORT`; port 0 takes any free port")
	f.StringVar(&o.parent, "parent", "", "operations below `NAME`, such as projects/p/locations/l (default top-level ones)")
	f.BoolVar(&o.readOnly, "read-only", false, "do not cancel or delete anything")
	f.StringArrayVar(&o.hosts, "host", nil, "also answer under the host `NAME`; may be repeated")
	f.DurationVar(&o.poll, "poll", 2*time.Second, "poll the service every `DURATION` while a page is open")
	f.BoolVar(&o.insecure, "insecure-allow-anyone", false, "answer other machines without authentication")
	o.AddTo(cmd, io)
	_ = cmd.Flags().MarkHidden("output") // there is nothing to be printed
	return cmd
}

// address checks where to listen.
func (o *options) address() (*net.TCPAddr, error) {
	address, err := net.ResolveTCPAddr("tcp", o.listen)
	if err != nil {
		return nil, exit.AsUsage(fmt.Errorf("--listen %q: %w", o.listen, err))
	}
	if !o.insecure && (address.IP == nil || !address.IP.IsLoopback()) {
		return nil, exit.Hint(exit.AsUsage(fmt.Errorf("--listen %q would let other machines use your credentials", o.listen)),
			"put a proxy that authenticates in front of it, and give --insecure-allow-anyone")
	}
	if o.poll < 100*time.Millisecond {
		return nil, exit.AsUsage(errors.New("--poll is shorter than 100ms"))
	}
	return address, nil
}
