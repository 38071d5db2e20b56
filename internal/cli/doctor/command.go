package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/flag"
	"github.com/go-lro/lro/internal/cli/remote"
	"github.com/go-lro/lro/internal/cli/render"
	"github.com/go-lro/lro/internal/cli/term"
)

type options struct {
	remote.Flags
	io     *term.IO
	parent string
}

// New returns the command.
func New(io *term.IO) *cobra.Command {
	o := &options{io: io}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Tell what a service offers and how it will be waited for",
		Long: `Ask a service which of the five methods of google.longrunning.Operations it has,
how it is secured, what else it offers (server reflection, health, lro.v1.Starter)
and how long it takes to answer; then say how package lro waits for its operations,
and why.

Nothing is changed: the methods are asked about an operation that does not exist.

The exit status is 0 when GetOperation answers as it should, so that operations
can be waited for; it is 1 when the service has no such method, refuses it, as
without credentials, or cannot be reached.`,
		Example: `  # Of a server of lro serve
  lro doctor --addr localhost:8700 --plaintext

  # Of a service of Google Cloud
  lro doctor --addr pubsub.googleapis.com:443 --google --parent projects/p/locations/l

  # Of Compute Engine, for the operations of a zone
  lro doctor --google --parent https://compute.googleapis.com/compute/v1/projects/p/zones/z`,
		Args: flag.Args(flag.None),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&o.parent, "parent", "", "ask about operations below `NAME`, such as projects/p/locations/l")
	o.AddTo(cmd, io)
	return cmd
}

func (o *options) run(ctx context.Context) error {
	s, err := o.Open(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	s.Doctor = true
	if _, err := computeName(o.parent, "x"); s.Compute && err != nil {
		return exit.Hint(exit.AsUsage(errors.New("operations of Compute Engine are in a zone, a region, global or an organization: give one")),
			"--parent projects/PROJECT/zones/ZONE")
	}
	stop := s.Busy()
	report := examine(ctx, s, o.parent)
	stop()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if o.Output.JSON() {
		err = render.WriteJSON(o.io.Out, report)
	} else {
		err = o.print(report)
	}
	if err != nil {
		return err
	}
	if report.err != nil {
		return s.Explain(ctx, "call GetOperation", report.err)
	}
	if report.Methods[0].Verdict != yes {
		return exit.Silently(exit.Unknown)
	}
	return nil
}

func (o *options) print(r *report) error {
	var b strings.Builder
	row := func(key, value, why string) {
		text := fmt.Sprintf("%-16s  %s", key, term.Clean(value))
		if why != "" {
			text += "  (" + term.Clean(why) + ")"
		}
		b.WriteString(text + "\n")
	}
	row("service", r.Service, r.Transport)
	if r.TLS != nil {
		row("TLS", r.TLS.Version, r.TLS.Certificate)
	}
	for _, m := range r.Methods {
		row(m.Name, m.Verdict, m.Answer)
	}
	for _, e := range r.Extras {
		row(e.Name, e.Verdict, e.Answer)
	}
	if r.Latency != nil {
		row("latency", fmt.Sprintf("%s median of %d calls, %s longest", ms(r.Latency.Median), r.Latency.Calls, ms(r.Latency.Longest)), "")
	}
	if r.Waiting != nil {
		row("waiting", r.Waiting.Mode, r.Waiting.Why)
	}
	_, err := o.io.Out.Write([]byte(b.String()))
	return err
}

func ms(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(10 * time.Microsecond).String()
}

func tlsReport(state tls.ConnectionState) *tlsInfo {
	t := &tlsInfo{Version: tls.VersionName(state.Version)}
	if len(state.PeerCertificates) > 0 {
		c := state.PeerCertificates[0]
		t.Certificate = fmt.Sprintf("%s, issued by %s, valid until %s", c.Subject, c.Issuer, c.NotAfter.UTC().Format(time.DateOnly))
	}
	return t
}
