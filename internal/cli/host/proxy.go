package host

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the reverse proxies whose word is taken for what a request was
// before it passed them.
type Proxies []netip.Prefix

// ParseProxies reads IP addresses and prefixes such as 10.0.0.0/8.
func ParseProxies(texts []string) (Proxies, error) {
	var all Proxies
	for _, text := range texts {
		if addr, err := netip.ParseAddr(text); err == nil {
			all = append(all, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q is neither an IP address nor a prefix such as 10.0.0.0/8", text)
		}
		all = append(all, prefix.Masked())
	}
	return all, nil
}

func (p Proxies) have(text string) bool {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return err == nil && slices.ContainsFunc(p, func(prefix netip.Prefix) bool { return prefix.Contains(addr.Unmap()) })
}

// restore gives requests that come from a proxy the host, scheme and client that
// they had before, by Forwarded (RFC 7239) or by X-Forwarded-Host, -Proto and
// -For. Of a list the last entries count: what precedes them came from the client.
// These headers are taken away from all requests, so that nothing behind believes
// those of a stranger.
func (p Proxies) restore(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before := forwarded{}
		if p.have(r.RemoteAddr) {
			before = p.readForwarded(r.Header)
		}
		r = r.Clone(r.Context())
		for _, name := range []string{"Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-For"} {
			r.Header.Del(name)
		}
		if before.host != "" {
			r.Host = before.host
		}
		if before.proto == "https" || before.proto == "http" {
			r.URL.Scheme = before.proto
		}
		if before.client != "" {
			r.RemoteAddr = before.client
		}
		next.ServeHTTP(w, r)
	})
}

// forwarded is what a request was before it passed a proxy; empty fields are not
// known.
type forwarded struct {
	host, proto, client string
}

func (p Proxies) readForwarded(h http.Header) forwarded {
	if hops := entries(h["Forwarded"]); len(hops) > 0 {
		return p.readHops(hops)
	}
	f := forwarded{
		host:  last(entries(h["X-Forwarded-Host"])),
		proto: strings.ToLower(last(entries(h["X-Forwarded-Proto"]))),
	}
	// Each proxy adds the address that it saw.
	for _, client := range slices.Backward(entries(h["X-Forwarded-For"])) {
		if f.client = address(client); !p.have(client) {
			break
		}
	}
	return f
}

// readHops reads the elements of Forwarded, one for each proxy.
func (p Proxies) readHops(hops []string) forwarded {
	var f forwarded
	for _, hop := range slices.Backward(hops) {
		var at forwarded
		for pair := range strings.SplitSeq(hop, ";") {
			key, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			value = strings.Trim(value, `"`)
			switch strings.ToLower(key) {
			case "host":
				at.host = value
			case "proto":
				at.proto = strings.ToLower(value)
			case "for":
				at.client = address(value)
			}
		}
		f = at
		if !p.have(at.client) {
			break
		}
	}
	return f
}

// address returns a client's address in the form of http.Request.RemoteAddr; empty
// for a name that hides it.
func address(text string) string {
	if _, _, err := net.SplitHostPort(text); err == nil {
		return text
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return ""
	}
	return net.JoinHostPort(addr.String(), "0")
}

// entries splits the values of a header.
func entries(values []string) []string {
	var all []string
	for _, value := range values {
		for entry := range strings.SplitSeq(value, ",") {
			if entry = strings.TrimSpace(entry); entry != "" {
				all = append(all, entry)
			}
		}
	}
	return all
}

func last(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}
