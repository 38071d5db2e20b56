package host

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
)

// known refuses requests for other host names than hosts and localhost, so that a
// page whose name resolves to this machine (DNS rebinding) cannot speak to a
// server that requires no credentials. Nil hosts admit every name.
func known(hosts []string, next http.Handler) http.Handler {
	if hosts == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isKnown(hosts, r.Host) {
			forbid(w, r, "HOST_UNKNOWN", "this server does not answer to that host name; --host NAME adds one")
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

// sameOrigin refuses requests that pages of other sites make: a page in a browser
// is not its user. Pages under the names of hosts are the server's own.
func sameOrigin(hosts []string, next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	for _, host := range hosts {
		for _, scheme := range []string{"http", "https"} {
			// A name that is none is refused by the flag.
			_ = protection.AddTrustedOrigin(scheme + "://" + host)
		}
	}
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		forbid(w, r, "CROSS_ORIGIN", "requests from pages of other sites are refused")
	}))
	return protection.Handler(next)
}

// forbid answers with 403: in the form of AIP-193 where the API is, in plain text
// elsewhere.
func forbid(w http.ResponseWriter, r *http.Request, reason, message string) {
	if !strings.HasPrefix(r.URL.Path, "/v1/") {
		http.Error(w, message, http.StatusForbidden)
		return
	}
	var details []json.RawMessage
	if packed, err := anypb.New(&errdetails.ErrorInfo{Reason: reason, Domain: errorDomain}); err == nil {
		if text, err := protojson.Marshal(packed); err == nil {
			details = append(details, text)
		}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(http.StatusForbidden)
	// The only error is a client that has gone.
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"code": http.StatusForbidden, "status": "PERMISSION_DENIED", "message": message, "details": details,
	}})
}
