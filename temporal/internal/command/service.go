package command

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/spf13/pflag"
	"go.temporal.io/sdk/client"

	"github.com/go-lro/lro/internal/cli/flag"
)

// service is how a Temporal service is reached.
type service struct {
	address    string
	namespace  string
	tls        bool
	ca         string
	cert, key  string
	serverName string
	apiKey     string
}

func (s *service) addFlags(f *pflag.FlagSet) {
	f.StringVar(&s.address, "temporal", "127.0.0.1:7233", "reach the Temporal service at `HOST:PORT`")
	f.StringVar(&s.namespace, "namespace", "default", "keep operations in the `NAMESPACE` of Temporal, whose retention is theirs")
	f.BoolVar(&s.tls, "temporal-tls", false, "speak TLS to Temporal; the other --temporal flags imply it")
	f.StringVar(&s.ca, "temporal-ca", "", "trust the certificates of Temporal that those in `FILE` signed, PEM, instead of the system's")
	f.StringVar(&s.cert, "temporal-cert", "", "show Temporal the certificate in `FILE`, PEM")
	f.StringVar(&s.key, "temporal-key", "", "its private key in `FILE`, PEM")
	f.StringVar(&s.serverName, "temporal-server-name", "", "expect `NAME` in Temporal's certificate, instead of HOST")
	f.StringVar(&s.apiKey, "temporal-api-key-file", "", "show Temporal the API key in `FILE`")
}

// options reads what the flags name.
func (s *service) options() (client.Options, error) {
	o := client.Options{HostPort: s.address, Namespace: s.namespace}
	if _, _, err := net.SplitHostPort(s.address); err != nil {
		return o, fmt.Errorf("--temporal %q: %w", s.address, err)
	}
	if s.namespace == "" {
		return o, errors.New("--namespace is empty")
	}
	if s.apiKey != "" {
		text, err := os.ReadFile(s.apiKey)
		if err != nil {
			return o, fmt.Errorf("--temporal-api-key-file: %w", err)
		}
		key := strings.TrimSpace(string(text))
		if key == "" {
			return o, fmt.Errorf("--temporal-api-key-file %q is empty", s.apiKey)
		}
		o.Credentials = client.NewAPIKeyStaticCredentials(key)
	}
	var err error
	o.ConnectionOptions.TLS, err = s.tlsConfig()
	return o, err
}

// tlsConfig returns nil for plain text.
func (s *service) tlsConfig() (*tls.Config, error) {
	if !s.tls && s.ca == "" && s.cert == "" && s.key == "" && s.serverName == "" && s.apiKey == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.serverName}
	if s.ca != "" {
		var err error
		if c.RootCAs, err = flag.CertPool("--temporal-ca", s.ca); err != nil {
			return nil, err
		}
	}
	if (s.cert == "") != (s.key == "") {
		return nil, errors.New("--temporal-cert and --temporal-key belong together")
	}
	if s.cert != "" {
		pair, err := flag.KeyPair("--temporal-cert and --temporal-key", s.cert, s.key)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
