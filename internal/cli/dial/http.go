package dial

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/go-lro/lro/lrohttp"
)

// openHTTP prepares to call a service over HTTP/JSON. A path in the URL stands
// before the names of operations; without one it is /v1.
func (f Flags) openHTTP(headers []header, token tokenSource, types lrohttp.Resolver) (*Service, error) {
	base, err := url.Parse(f.URL)
	if err != nil {
		return nil, err
	}
	prefix := strings.Trim(base.Path, "/")
	if prefix == "" {
		prefix = lrohttp.DefaultPrefix
	}
	base.Path, base.RawPath = "", ""
	transport, err := f.transport()
	if err != nil {
		return nil, err
	}
	open := func(prefix string) (*lrohttp.Client, error) {
		return lrohttp.NewClient(base.String(),
			lrohttp.WithPrefix(prefix),
			lrohttp.WithMaxBody(int64(f.maxMessage())),
			lrohttp.WithResolver(types),
			lrohttp.WithHTTPClient(&http.Client{Transport: decorated{transport, headers, token}}),
		)
	}
	client, err := open(prefix)
	if err != nil {
		return nil, err
	}
	elsewhere, err := newNowhere(prefix, open)
	if err != nil {
		return nil, err
	}
	return &Service{
		OperationsClient: client,
		Starter:          client,
		Target:           f.target(),
		nowhere:          elsewhere,
		close:            transport.CloseIdleConnections,
	}, nil
}

// transport returns the HTTP transport that the flags select.
func (f Flags) transport() (*http.Transport, error) {
	tlsConfig, err := f.tlsConfig()
	if err != nil {
		return nil, err
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = tlsConfig
	f.silence.overHTTP(t)
	return t, nil
}

// decorated sends headers and credentials with each request.
type decorated struct {
	inner   http.RoundTripper
	headers []header
	token   tokenSource
}

// RoundTrip implements [http.RoundTripper].
func (d decorated) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", userAgent)
	for _, h := range d.headers {
		r.Header.Add(h.name, h.value)
	}
	if d.token != nil {
		value, err := d.token(r.Context())
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", value)
	}
	return d.inner.RoundTrip(r)
}
