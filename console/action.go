package console

import (
	"context"
	"net/http"
	"net/url"
)

// maxForm bounds the body of a form, in bytes.
const maxForm = 64 << 10

func (h *Handler) serveCancel(w http.ResponseWriter, r *http.Request) {
	h.act(w, r, Cancel, h.source.Cancel, func(name string) string {
		return "operation?" + url.Values{"name": {name}, "notice": {"cancelled"}}.Encode()
	})
}

func (h *Handler) serveDelete(w http.ResponseWriter, r *http.Request) {
	h.act(w, r, Delete, h.source.Delete, func(string) string { return "./?notice=deleted" })
}

// act does what a form requests and sends the viewer to the page that after
// returns.
func (h *Handler) act(w http.ResponseWriter, r *http.Request, a Action, do func(context.Context, string) error, after func(name string) string) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	name := r.PostFormValue("name")
	if !h.allow(w, r, Access{a, name}) {
		return
	}
	if name == "" {
		h.serveProblem(w, r, problem{Status: http.StatusBadRequest, Title: "Which operation?", Text: "The form has no name of an operation."})
		return
	}
	ctx, cancel := h.limited(r)
	defer cancel()
	err := do(ctx, name)
	h.config.Logger.InfoContext(ctx, "viewer's action", "action", a, "operation", name, "error", err)
	if err != nil {
		p := h.problemOf(ctx, err)
		p.Name = name
		if p.Status == http.StatusNotFound {
			h.serveProblem(w, r, p)
			return
		}
		h.showOperation(w, r, name, "", &p)
		return
	}
	// http.Redirect would make the address absolute, without the prefix that
	// the console is mounted under.
	w.Header().Set("Location", after(name))
	w.WriteHeader(http.StatusSeeOther)
}
