package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/go-lro/lro/internal/cli/flag"
)

// tlsConfig returns what the flags say about certificates.
func (f Flags) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.CA != "" {
		var err error
		if c.RootCAs, err = flag.CertPool("--ca", f.CA); err != nil {
			return nil, err
		}
	}
	if f.Cert != "" || f.Key != "" {
		pair, err := flag.KeyPair("--cert and --key", f.Cert, f.Key)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// header is one that is sent with each call.
type header struct{ name, value string }

func (f Flags) headers() ([]header, error) {
	var all []header
	for _, text := range f.Headers {
		name, value, ok := strings.Cut(text, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value):
			return nil, fmt.Errorf("--header %q is not of the form 'NAME: VALUE'", text)
		case strings.HasPrefix(name, "grpc-") || name == "content-type" || name == "te" || name == "host":
			return nil, fmt.Errorf("--header %q belongs to the transport", name)
		}
		all = append(all, header{name, value})
	}
	return all, nil
}

// tokenSource returns the value of the authorization header.
type tokenSource func(ctx context.Context) (string, error)

// googleScope is the scope that all of Google Cloud accepts.
const googleScope = "https://www.googleapis.com/auth/cloud-platform"

// token returns where the credentials come from, nil when none are sent.
func (f Flags) token(ctx context.Context) (tokenSource, error) {
	switch {
	case f.Google:
		creds, err := google.FindDefaultCredentials(ctx, googleScope)
		if err != nil {
			return nil, fmt.Errorf("--google: %w", err)
		}
		return fromOAuth(oauth2.ReuseTokenSource(nil, creds.TokenSource)), nil
	case f.TokenFile != "":
		if _, err := readToken(f.TokenFile); err != nil {
			return nil, fmt.Errorf("--token-file: %w", err)
		}
		// Read again for each call: a wait may outlast a token.
		return func(context.Context) (string, error) { return readToken(f.TokenFile) }, nil
	case f.TokenVar != "":
		value, err := bearer(f.io.Env(f.TokenVar))
		if err != nil {
			return nil, fmt.Errorf("--token-env %s: %w", f.TokenVar, err)
		}
		return func(context.Context) (string, error) { return value, nil }, nil
	}
	return nil, nil
}

func fromOAuth(source oauth2.TokenSource) tokenSource {
	return func(context.Context) (string, error) {
		t, err := source.Token()
		if err != nil {
			return "", fmt.Errorf("get Google's default credentials: %w", err)
		}
		return t.Type() + " " + t.AccessToken, nil
	}
}

func readToken(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	value, err := bearer(string(text))
	if err != nil {
		return "", fmt.Errorf("%q: %w", path, err)
	}
	return value, nil
}

// bearer makes a header's value of a token. The token itself never stands in
// an error.
func bearer(token string) (string, error) {
	token = strings.TrimSpace(token)
	if token == "" {
		return "", errors.New("the token is empty")
	}
	if strings.ContainsAny(token, " \t\r\n") || !httpguts.ValidHeaderFieldValue(token) {
		return "", errors.New("the token is more than one word")
	}
	return "Bearer " + token, nil
}
