package host

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// known refuses requests for other host names than hosts and localhost, so that a page whose name resolves to this machine
// (DNS rebinding) cannot speak to a server that asks for no credentials. Nil
// hosts admit every name.
func known(hosts []string, next http.Handler) http.Handler {
	if hosts == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isKnown(hosts, r.Host) {
			http.Error(w, "this server is not known by that host name", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isKnown(hosts []string, host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if _, err := netip.ParseAddr(host); err == nil {
		return true // no name that could be made to resolve to anything
	}
	return strings.EqualFold(host, "localhost") ||
		slices.ContainsFunc(hosts, func(name string) bool { return strings.EqualFold(name, host) })
}
