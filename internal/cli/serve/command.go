package serve

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/flag"
	"github.com/go-lro/lro/internal/cli/host"
	"github.com/go-lro/lro/internal/cli/term"
)

type options struct {
	io          *term.IO
	store       Store
	listen      string
	parent      string
	drain       time.Duration
	concurrency []string
	metrics     bool
	files       host.TLSFiles
	tokens      string
	hosts       []string
	proxies     []string
	root        string
	insecure    bool
	flags       *pflag.FlagSet
}

// New returns the command. A nil store is a file, or a PostgreSQL database.
func New(io *term.IO, store Store) *cobra.Command {
	if store == nil {
		store = &database{}
	}
	help := store.Help()
	o := &options{io: io, store: store}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve durable operations of two kinds",
		Long: `Serve google.longrunning.Operations, and lro.v1.Starter, which starts operations, on
one port: over gRPC, over HTTP/JSON below /v1, and the console for browsers at /.

` + help.Records + `

There are two kinds of operations. checksum computes the SHA-256 of every file under a
directory of this machine. simulate does nothing for a given time and ends with a
given result, to test clients. lro start starts operations of either kind. At most
100 operations run at once, and the others wait; --concurrency changes the limit,
also per kind.

Ctrl-C stops the server: running operations have --drain to finish. Unfinished ones
` + help.Stop + `

By default the server answers only this machine, in plain text. To answer others it
needs TLS, and tokens or client certificates to authenticate them; in a browser, enter
a token as the password. gRPC's health service, /healthz and /readyz need no token;
/readyz also fails while operations cannot be stored, for example on a full disk.
Files of certificates and tokens are read again when they change, and on SIGHUP.

Behind a reverse proxy, --host adds the name that browsers use, and --trusted-proxy
names the proxy whose X-Forwarded-* or Forwarded headers are trusted. A server that
other machines can reach, directly or through a proxy, offers the kind checksum only
below --checksum-root.`,
		Example: help.Example,
		Args:    flag.Args(flag.None),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	o.flags = f
	f.StringVar(&o.listen, "listen", "127.0.0.1:8700", "answer at `HOST:PORT`; port 0 takes any free port")
	store.AddFlags(f)
	f.StringVar(&o.parent, "parent", "", "start operations under `NAME`, such as projects/p, unless the start sets another parent")
	f.DurationVar(&o.drain, "drain", 10*time.Second, "give running operations `DURATION` to finish when the server stops")
	f.StringArrayVar(&o.concurrency, "concurrency", nil, "run at most `N` operations at once (default 100), or KIND=N for one kind; may be repeated")
	f.BoolVar(&o.metrics, "metrics", false, "show metrics for Prometheus at /metrics")
	f.StringVar(&o.files.Cert, "cert", "", "serve TLS with the certificate in `FILE`, PEM")
	f.StringVar(&o.files.Key, "key", "", "private key of the certificate, in `FILE`, PEM")
	f.StringVar(&o.files.ClientCA, "client-ca", "", "accept clients with a certificate signed by one in `FILE`, PEM")
	f.StringVar(&o.tokens, "token-file", "", "accept callers with a bearer token from `FILE`, one per line")
	f.StringArrayVar(&o.hosts, "host", nil, "also answer HTTP under the host `NAME`; may be repeated")
	f.StringArrayVar(&o.proxies, "trusted-proxy", nil, "trust the forwarding headers of the proxy at `ADDRESS`, an IP address or prefix; may be repeated")
	f.StringVar(&o.root, "checksum-root", "", "let the kind checksum read only below `DIR` (default any directory for callers on this machine, none for others)")
	f.BoolVar(&o.insecure, "insecure-allow-anyone", false, "answer other machines without TLS and authentication")
	cmd.MarkFlagsRequiredTogether("cert", "key")
	return cmd
}

// config checks the flags and reads what they name.
func (o *options) config(logger *slog.Logger) (host.Config, *net.TCPAddr, error) {
	c := host.Config{
		Parent: o.parent, Drain: o.drain, Metrics: o.metrics,
		WorkerOnly: o.store.Role() == Work, AnswerOnly: o.store.Role() == Answer,
	}
	if err := o.store.Configure(&c); err != nil {
		return c, nil, err
	}
	if err := o.unused(); err != nil {
		return c, nil, err
	}
	if o.drain <= 0 {
		c.Drain = -1 // at once
	}
	address, err := net.ResolveTCPAddr("tcp", o.listen)
	if err != nil {
		return c, nil, fmt.Errorf("--listen %q: %w", o.listen, err)
	}
	if c.TLS, err = o.files.TLS(logger); err != nil {
		return c, nil, err
	}
	if o.tokens != "" {
		if c.Tokens, err = host.ReadTokens(o.tokens, logger); err != nil {
			return c, nil, fmt.Errorf("--token-file: %w", err)
		}
	}
	known := c.Tokens != nil || o.files.ClientCA != ""
	alone := address.IP != nil && address.IP.IsLoopback()
	if !alone && !o.insecure && (c.TLS == nil || !known) {
		return c, nil, exit.Hint(fmt.Errorf("--listen %q would answer other machines %s", o.listen, without(c.TLS != nil, known)),
			"give --cert and --key, and --token-file or --client-ca; or give --insecure-allow-anyone")
	}
	if alone || len(o.hosts) > 0 {
		c.Hosts = append([]string{}, o.hosts...) // other names that resolve to it belong to others
	}
	for _, name := range o.hosts {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") != "" || name == "" {
			return c, nil, fmt.Errorf("--host %q is not a host name; it has no port and no scheme", name)
		}
	}
	if c.Proxies, err = host.ParseProxies(o.proxies); err != nil {
		return c, nil, fmt.Errorf("--trusted-proxy: %w", err)
	}
	if err := o.limit(&c); err != nil {
		return c, nil, err
	}
	reached := !alone || len(o.hosts)+len(o.proxies) > 0
	return c, address, o.confine(&c, reached)
}

// answers reports whether this process listens.
func (o *options) answers() bool { return o.store.Role() != Work || o.metrics }

// unused reports a flag about callers where there are none.
func (o *options) unused() error {
	if o.answers() {
		return nil
	}
	for _, name := range []string{"listen", "cert", "key", "client-ca", "token-file", "host", "trusted-proxy", "insecure-allow-anyone"} {
		if o.flags.Changed(name) {
			return fmt.Errorf("--%s: a worker answers no calls; with --metrics it serves those", name)
		}
	}
	return nil
}

// limit sets how many operations run at once.
func (o *options) limit(c *host.Config) error {
	c.Kinds = map[string]int{}
	for _, text := range o.concurrency {
		kind, number, ok := strings.Cut(text, "=")
		if !ok {
			kind, number = "", text
		}
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			return fmt.Errorf("--concurrency %q: must be a number of at least 1, or KIND=NUMBER", text)
		}
		if kind == "" {
			c.Concurrency = n
			continue
		}
		if names := host.KindNames(); !slices.Contains(names, kind) {
			return fmt.Errorf("--concurrency %q: the kinds are %s", text, strings.Join(names, " and "))
		}
		c.Kinds[kind] = n
	}
	return nil
}

// confine sets what the kind checksum may read. reached says that callers on other
// machines reach the server.
func (o *options) confine(c *host.Config, reached bool) error {
	if o.root == "" {
		c.NoChecksum = reached
		return nil
	}
	root, err := filepath.Abs(o.root)
	if err != nil {
		return fmt.Errorf("--checksum-root: %w", err)
	}
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return fmt.Errorf("--checksum-root %q is not a directory", o.root)
	}
	c.ChecksumRoot = root
	return nil
}

func without(encrypted, known bool) string {
	switch {
	case encrypted:
		return "without authentication"
	case known:
		return "without TLS"
	}
	return "without TLS and authentication"
}
