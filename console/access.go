package console

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Access describes a request to be authorized.
type Access struct {
	Action Action
	// Name is the operation; empty for lists, the overview and assets.
	Name string
}

// Action is a use of operations that can be authorized.
type Action string

// The actions.
const (
	View   Action = "view"
	Cancel Action = "cancel"
	Delete Action = "delete"
)

// policy is the Content-Security-Policy of every answer: nothing from
// elsewhere, nothing inline, no frames around.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

var errReadOnly = errors.New("the console is read-only")

// permit reports why a viewer may not do this, nil if they may.
func (h *Handler) permit(r *http.Request, a Access) error {
	if h.config.ReadOnly && a.Action != View {
		return errReadOnly
	}
	if h.config.Authorize == nil {
		return nil
	}
	return h.config.Authorize(r, a)
}

// allow answers a request that is not allowed and reports whether it is.
func (h *Handler) allow(w http.ResponseWriter, r *http.Request, a Access) bool {
	err := h.permit(r, a)
	if err == nil {
		return true
	}
	h.config.Logger.InfoContext(r.Context(), "not allowed", "action", a.Action, "operation", a.Name, "error", err)
	p := problem{Status: http.StatusForbidden, Title: "Not allowed", Text: "You may not see this."}
	switch {
	case errors.Is(err, errReadOnly):
		p.Text = "This console is read-only: it cannot cancel or delete operations."
	case a.Action != View:
		p.Text = "You may not " + string(a.Action) + " this operation."
	}
	h.serveProblem(w, r, p)
	return false
}

// knownHost reports whether the request is for a host of this console.
func (h *Handler) knownHost(r *http.Request) bool {
	if h.config.Hosts == nil {
		return true
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || host == "localhost" {
		return true
	}
	return slices.ContainsFunc(h.config.Hosts, func(name string) bool { return strings.EqualFold(name, host) })
}
