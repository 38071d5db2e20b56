package dial

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/term"
)

// Flags are how a service is reached. AddTo defines them; the environment fills
// in what they leave open.
type Flags struct {
	Addr      string   // --addr, LRO_ADDR
	URL       string   // --url, LRO_URL
	Plaintext bool     // --plaintext, LRO_PLAINTEXT
	CA        string   // --ca, LRO_CA
	Cert      string   // --cert, LRO_CERT
	Key       string   // --key, LRO_KEY
	TokenFile string   // --token-file, LRO_TOKEN_FILE
	TokenVar  string   // --token-env; the variable LRO_TOKEN without it
	Google    bool     // --google
	Headers   []string // --header
	MaxMiB    int      // --max-message

	silence silence
	io      *term.IO
}

// defaultMaxMiB bounds what a service may send at once. Metadata of megabytes
// exist; gRPC's own limit of 4 MiB would make them an error. greatestMaxMiB is
// what a message of protobuf can be.
const (
	defaultMaxMiB  = 64
	greatestMaxMiB = 2047
)

// maxMessage is the limit in bytes.
func (f Flags) maxMessage() int { return f.MaxMiB << 20 }

// AddTo defines the flags on a command.
func (f *Flags) AddTo(cmd *cobra.Command, io *term.IO) {
	f.io, f.silence = io, defaultSilence
	s := cmd.Flags()
	s.StringVar(&f.Addr, "addr", "", "gRPC service at `HOST:PORT` (LRO_ADDR)")
	s.StringVar(&f.URL, "url", "", "HTTP/JSON service at `BASE`, such as https://host/v1 (LRO_URL)")
	s.BoolVar(&f.Plaintext, "plaintext", false, "gRPC without TLS (LRO_PLAINTEXT=1)")
	s.StringVar(&f.CA, "ca", "", "trust the certificates in `FILE`, PEM, instead of the system's (LRO_CA)")
	s.StringVar(&f.Cert, "cert", "", "send the client certificate in `FILE`, PEM (LRO_CERT)")
	s.StringVar(&f.Key, "key", "", "private key of the certificate, in `FILE`, PEM (LRO_KEY)")
	s.StringVar(&f.TokenFile, "token-file", "", "send the bearer token in `FILE` (LRO_TOKEN_FILE)")
	s.StringVar(&f.TokenVar, "token-env", "", "send the bearer token in the variable `NAME` (default LRO_TOKEN)")
	s.BoolVar(&f.Google, "google", false, "send Google's application default credentials")
	s.StringArrayVar(&f.Headers, "header", nil, "send `'NAME: VALUE'` with each call; may be repeated")
	s.IntVar(&f.MaxMiB, "max-message", defaultMaxMiB, "accept answers of up to `MIB` mebibytes")
	cmd.MarkFlagsMutuallyExclusive("addr", "url")
	cmd.MarkFlagsMutuallyExclusive("token-file", "token-env", "google")
	cmd.MarkFlagsRequiredTogether("cert", "key")
}

// errNoService is the first error that most new users see.
var errNoService = errors.New("no service address: set --addr HOST:PORT for gRPC or --url BASE for HTTP/JSON, or LRO_ADDR or LRO_URL")

// complete returns the flags with what the environment adds. A flag for one
// transport wins over a variable for the other.
func (f Flags) complete() (Flags, error) {
	if f.Addr == "" && f.URL == "" {
		f.Addr, f.URL = f.io.Env("LRO_ADDR"), f.io.Env("LRO_URL")
	}
	if f.TokenFile == "" && f.TokenVar == "" && !f.Google {
		f.TokenFile = f.io.Env("LRO_TOKEN_FILE")
		if f.TokenFile == "" && f.io.Env("LRO_TOKEN") != "" {
			f.TokenVar = "LRO_TOKEN"
		}
	}
	f.Plaintext = f.Plaintext || f.URL == "" && f.io.Truth("LRO_PLAINTEXT")
	fill := func(v *string, name string) {
		if *v == "" && !f.Plaintext {
			*v = f.io.Env(name)
		}
	}
	fill(&f.CA, "LRO_CA")
	if f.Cert == "" && f.Key == "" {
		fill(&f.Cert, "LRO_CERT")
		fill(&f.Key, "LRO_KEY")
	}
	return f, f.check()
}

func (f Flags) check() error {
	switch {
	case f.MaxMiB < 1 || f.MaxMiB > greatestMaxMiB:
		return fmt.Errorf("--max-message %d is not a number of MiB from 1 to %d", f.MaxMiB, greatestMaxMiB)
	case f.Addr == "" && f.URL == "":
		return wrongAddress(errNoService)
	case f.Addr != "" && f.URL != "":
		return errors.New("LRO_ADDR and LRO_URL are both set: give --addr or --url to choose")
	case f.URL != "" && f.Plaintext:
		return errors.New("--plaintext is for --addr; begin --url with http:// instead")
	case f.Plaintext && (f.CA != "" || f.Cert != ""):
		return errors.New("--plaintext cannot be used with --ca, --cert and --key")
	case f.TokenVar != "" && f.io.Env(f.TokenVar) == "":
		return fmt.Errorf("--token-env %s: the variable is not set", f.TokenVar)
	}
	if f.URL != "" {
		u, err := url.Parse(f.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return wrongAddress(fmt.Errorf("--url %q is not of the form https://host or https://host/v1", f.URL))
		}
		if u.Scheme == "http" && f.hasCredentials() && !loopback(u.Hostname()) {
			return errPlainCredentials
		}
		return nil
	}
	host, port, err := net.SplitHostPort(f.Addr)
	if err != nil || port == "" || strings.ContainsAny(f.Addr, "/ ") {
		return wrongAddress(fmt.Errorf("--addr %q is not of the form host:port", f.Addr))
	}
	if f.Plaintext && f.hasCredentials() && !loopback(host) {
		return errPlainCredentials
	}
	return nil
}

var errPlainCredentials = errors.New("credentials are not sent without TLS, except to this machine")

func (f Flags) hasCredentials() bool { return f.TokenFile != "" || f.TokenVar != "" || f.Google }

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Target is the service as people call it.
func (f Flags) target() string {
	if f.URL != "" {
		return f.URL
	}
	return f.Addr
}

// Again returns the flags that reach the same service from another command
// line, for hints. What comes from the environment is left to it.
func (f *Flags) Again() string {
	var words []string
	add := func(name, value string) {
		if value != "" {
			words = append(words, name, term.Quote(value))
		}
	}
	add("--addr", f.Addr)
	add("--url", f.URL)
	if f.Plaintext {
		words = append(words, "--plaintext")
	}
	add("--ca", f.CA)
	add("--cert", f.Cert)
	add("--key", f.Key)
	add("--token-file", f.TokenFile)
	add("--token-env", f.TokenVar)
	if f.Google {
		words = append(words, "--google")
	}
	for _, h := range f.Headers {
		add("--header", h)
	}
	if f.MaxMiB != defaultMaxMiB {
		add("--max-message", strconv.Itoa(f.MaxMiB))
	}
	return strings.Join(words, " ")
}

// wrongAddress adds to an error how an address looks.
func wrongAddress(err error) error {
	return exit.Hint(err, "for a server of \"lro serve\" on this machine: --addr 127.0.0.1:8700 --plaintext")
}
