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
		Short: "Show what a service offers and how its operations are waited for",
		Long: `Show which of the five methods of google.longrunning.Operations a service has, how
it is secured, what else it offers (server reflection, health, lro.v1.Starter), how
long it takes to answer, and how package lro waits for its operations, and why.

Nothing is changed: the methods are called for an operation that does not exist.

The exit status is 0 if GetOperation works, so that you can wait for operations. It
is 1 if the service lacks the method, refuses it, for example without credentials,
or cannot be reached.`,
		Example: `  # A server run by lro serve
  lro doctor --addr localhost:8700 --plaintext

  # A service of Google Cloud
  lro doctor --addr pubsub.googleapis.com:443 --google --parent projects/p/locations/l

  # Compute Engine, for the operations of a zone
  lro doctor --google --parent https://compute.googleapis.com/compute/v1/projects/p/zones/z`,
		Args: flag.Args(flag.None),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&o.parent, "parent", "", "call the methods for operations below `NAME`, such as projects/p/locations/l")
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
		return exit.Hint(exit.AsUsage(errors.New("operations of Compute Engine belong to a zone, a region, global or an organization: give one")),
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
