package console

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/go-lro/lro/console/internal/tree"
)

//go:embed templates
var templateFiles embed.FS

// templates are the pages, each with what it needs of the rest.
var templates = parseTemplates("list", "operation", "overview", "problem")

func parseTemplates(pages ...string) map[string]*template.Template {
	shared := template.Must(template.New("").Funcs(template.FuncMap{
		"asset":   assetURL,
		"count":   count,
		"int64":   func(n int) int64 { return int64(n) },
		"line":    tree.Line,
		"moment":  func(t time.Time) moment { return moment{t} },
		"more":    func(n *tree.Node) int64 { return int64(n.More) },
		"size":    size,
		"typed":   typeName,
		"version": version,
		"visible": tree.Visible,
	}).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html"))
	all := make(map[string]*template.Template, len(pages))
	for _, page := range pages {
		all[page] = template.Must(template.Must(shared.Clone()).ParseFS(templateFiles, "templates/"+page+".html"))
	}
	return all
}

// page is what the layout needs to know.
type page struct {
	Site   string // Config.Title
	Title  string // of this page
	Nav    string // which part of the console it belongs to
	Events string // URL of its live stream; empty for none
	Now    int64  // time of the console, in milliseconds since 1970
	Retry  bool   // the page is an error that may be over in a while
	Body   any
}

// servePage answers with a page.
func (h *Handler) servePage(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	p.Site, p.Now = tree.Line(h.config.Title), time.Now().UnixMilli()
	var b bytes.Buffer
	if err := templates[name].ExecuteTemplate(&b, "layout", p); err != nil {
		h.config.Logger.ErrorContext(r.Context(), "make page", "page", name, "error", err)
		http.Error(w, "The page could not be rendered.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the viewer has gone if it fails
}

// part makes one part of a page for its live stream.
func part(page, name string, data any) (string, error) {
	var b strings.Builder
	err := templates[page].ExecuteTemplate(&b, name, data)
	return b.String(), err
}

func (h *Handler) serveProblem(w http.ResponseWriter, r *http.Request, p problem) {
	if r.Context().Err() != nil {
		return // the client has gone
	}
	h.servePage(w, r, p.Status, "problem", page{Title: p.Title, Retry: p.Retry, Body: p})
}

// typeName is the name of a message in a type URL.
func typeName(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }
