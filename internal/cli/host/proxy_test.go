package host

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestForwarded: what a named proxy says of a request is believed, and nothing
// that anybody else says.
func TestForwarded(t *testing.T) {
	t.Parallel()
	proxies, err := ParseProxies([]string{"127.0.0.1", "::1", "10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	type header map[string]string
	for _, tt := range []struct {
		from                 string
		header               header
		host, scheme, client string
	}{
		{"127.0.0.1:1", header{"X-Forwarded-Host": "lro.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}, "lro.example", "https", "192.0.2.1:0"},
		{"127.0.0.1:1", header{"X-Forwarded-Host": "lro.example:8443"}, "lro.example:8443", "", "127.0.0.1:1"},
		{"[::1]:1", header{"X-Forwarded-Proto": "HTTP"}, "upstream", "http", "[::1]:1"},
		// What a client sends comes first in a list.
		{"10.1.2.3:1", header{"X-Forwarded-For": "198.51.100.9, 192.0.2.1, 10.0.0.7", "X-Forwarded-Host": "evil.example, lro.example"}, "lro.example", "", "192.0.2.1:0"},
		{"127.0.0.1:1", header{"Forwarded": `for=192.0.2.1;proto=https;host="lro.example:443"`}, "lro.example:443", "https", "192.0.2.1:0"},
		{"127.0.0.1:1", header{"Forwarded": `for=evil;host=evil.example, for="[2001:db8::1]:4711";host=lro.example;proto=https, for=10.0.0.7;host=inner`},
			"lro.example", "https", "[2001:db8::1]:4711"},
		{"127.0.0.1:1", header{"Forwarded": "for=_hidden;host=lro.example", "X-Forwarded-Host": "other.example"}, "lro.example", "", "127.0.0.1:1"},
		{"127.0.0.1:1", header{}, "upstream", "", "127.0.0.1:1"},
		{"127.0.0.1:1", header{"X-Forwarded-Proto": "gopher"}, "upstream", "", "127.0.0.1:1"},
		// A stranger.
		{"192.0.2.1:1", header{"X-Forwarded-Host": "localhost", "X-Forwarded-Proto": "https", "Forwarded": "host=localhost"}, "upstream", "", "192.0.2.1:1"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host, r.RemoteAddr, r.URL.Scheme = "upstream", tt.from, ""
		for key, value := range tt.header {
			r.Header.Set(key, value)
		}
		var got *http.Request
		proxies.restore(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r })).ServeHTTP(httptest.NewRecorder(), r)
		if got.Host != tt.host || got.URL.Scheme != tt.scheme || got.RemoteAddr != tt.client {
			t.Errorf("%s with %v: host %q, scheme %q, client %q, want %q, %q, %q", tt.from, tt.header, got.Host, got.URL.Scheme, got.RemoteAddr, tt.host, tt.scheme, tt.client)
		}
		for key := range tt.header {
			if got.Header.Get(key) != "" {
				t.Errorf("%s with %v: %s is passed on", tt.from, tt.header, key)
			}
		}
	}
	for _, bad := range []string{"", "localhost", "10.0.0.0/99", "127.0.0.1:80"} {
		if _, err := ParseProxies([]string{bad}); err == nil {
			t.Errorf("ParseProxies(%q) succeeded", bad)
		}
	}
}

// TestRefusedHosts: a refusal below /v1/ is an error of AIP-193, as every other.
func TestRefusedHosts(t *testing.T) {
	t.Parallel()
	addr := serve(t, Config{Hosts: []string{"lro.example"}})
	for _, tt := range []struct {
		host, origin string
		code         int
		reason       string
	}{
		{"lro.example", "", 200, ""},
		{"lro.example", "https://lro.example", 200, ""},
		{"127.0.0.1", "https://lro.example", 200, ""}, // a proxy that sets another Host
		{"evil.example", "", 403, "HOST_UNKNOWN"},
		{"lro.example", "https://evil.example", 403, "CROSS_ORIGIN"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/v1/operations:start", strings.NewReader(`{"kind":"simulate"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = tt.host
		req.Header.Set("Content-Type", "application/json")
		if tt.origin != "" {
			req.Header.Set("Origin", tt.origin)
		}
		resp, err := client(t, nil).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != tt.code || !strings.Contains(string(body), tt.reason) {
			t.Errorf("%+v: %d %s, %v", tt, resp.StatusCode, body, err)
		}
		if tt.reason != "" && !strings.Contains(string(body), `"status":"PERMISSION_DENIED"`) {
			t.Errorf("%+v: %s is no error of AIP-193", tt, body)
		}
	}
}
