package console

import (
	"context"
	"net/http"
	"net/url"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/console/internal/tree"
)

// Limits of what the page of an operation shows. The raw JSON has all.
var shown = tree.Limits{Nodes: 400, Chars: 2000}

const (
	maxRawShown = 32 << 10 // bytes of JSON on the page
	maxMessage  = 2000     // characters of a status message
)

// operationView is the page of one operation.
type operationView struct {
	Row      row
	URL      string // of this page
	Facts    facts
	Created  moment
	Started  moment
	Updated  moment
	Ended    moment
	Expires  moment
	Waited   string // between its creation and the start of the work
	Attempt  int
	Crashes  int
	External bool
	Target   string
	Message  string

	Timeline     []eventView
	TimelineNote string
	Metadata     *tree.Node
	Request      *tree.Node
	RequestNote  string
	Response     *tree.Node
	Error        *errorView
	Raw          string
	RawWhole     bool
	RawURL       string
	Commands     []command

	CanCancel bool
	CanDelete bool
	Running   bool
	Problem   *problem // the request failed
	Notice    string
	Polled    string // how often the page polls; empty if it has a change feed
}

// errorView is the error an operation ended with.
type errorView struct {
	Code    string
	Message string
	Rest    int // characters left out of it
	Details []*tree.Node
}

func (h *Handler) serveOperation(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	if !h.allow(w, r, Access{Action: View, Name: name}) {
		return
	}
	h.showOperation(w, r, name, noticeOf(r.URL.Query().Get("notice")), nil)
}

func noticeOf(key string) string {
	if key == "cancelled" {
		return "Cancellation was requested. The operation ends when its handler stops."
	}
	return ""
}

// showOperation answers with the page of an operation, on which failed says
// what did not work.
func (h *Handler) showOperation(w http.ResponseWriter, r *http.Request, name, notice string, failed *problem) {
	ctx, cancel := h.limited(r)
	defer cancel()
	if name == "" {
		h.serveProblem(w, r, problem{Status: http.StatusBadRequest, Title: "Which operation?", Text: "The address has no name of an operation."})
		return
	}
	op, err := h.viewOf(r).get(ctx, name)
	if err != nil {
		p := h.problemOf(ctx, err)
		p.Name = name
		p.Retry = p.Retry && failed == nil // a form is not sent again by itself
		h.serveProblem(w, r, p)
		return
	}
	v := h.operationView(ctx, r, op)
	v.Problem, v.Notice = failed, notice
	if v.Facts.isDone() {
		v.Notice = "" // it has happened
	}
	code := http.StatusOK
	if failed != nil {
		code = failed.Status
	}
	events := url.Values{"page": {"operation"}, "name": {name}}
	h.servePage(w, r, code, "operation", page{
		Title: v.Row.Short, Nav: "list", Events: "events?" + events.Encode(), Body: v,
	})
}

// operationView makes the page of an operation for the viewer who sent r.
func (h *Handler) operationView(ctx context.Context, r *http.Request, op Operation) operationView {
	f := h.factsOf(ctx, op)
	decode := h.decoder(ctx)
	named := url.Values{"name": {f.name}}.Encode()
	v := operationView{
		Row: h.rowOf(ctx, op), URL: "operation?" + named, RawURL: "raw?" + named, Facts: f, Running: !f.isDone(),
		Created: moment{f.created}, Started: moment{f.started}, Updated: moment{f.updated},
		Ended: moment{f.ended}, Expires: moment{f.expires}, Attempt: f.attempt,
		Target: tree.Line(clip(f.target, shown.Chars)), Message: tree.Visible(clip(f.message, shown.Chars)),
		Commands:  commandsOf(h.config.Endpoint.seenBy(r), f.name, !f.isDone()),
		CanCancel: h.permit(r, Access{Cancel, f.name}) == nil,
		CanDelete: h.permit(r, Access{Delete, f.name}) == nil,
	}
	if !f.created.IsZero() && !f.started.IsZero() {
		v.Waited = span(f.started.Sub(f.created))
	}
	if !h.watches(ctx) {
		v.Polled = pace(h.config.Poll)
	}
	switch i := op.Info; {
	case i == nil:
		v.RequestNote = "This service does not show the request of an operation."
	case i.Request == nil:
		v.RequestNote = "It was started with an empty request."
	default:
		v.Request = treeOf(i.Request, decode)
	}
	if i := op.Info; i != nil {
		v.Crashes, v.External = i.Crashes, i.External
	}
	v.Metadata = treeOf(op.Message.GetMetadata(), decode)
	v.Response = treeOf(op.Message.GetResponse(), decode)
	if e := op.Message.GetError(); e != nil {
		v.Error = &errorView{Code: codeName(codes.Code(e.GetCode()))}
		v.Error.Message, v.Error.Rest = tree.Cut(e.GetMessage(), maxMessage)
		for _, d := range e.GetDetails() {
			v.Error.Details = append(v.Error.Details, treeOf(d, decode))
		}
	}
	v.Timeline, v.TimelineNote = h.timeline(ctx, h.viewOf(r), &f)
	raw, whole := tree.JSON(op.Message, decode, maxRawShown)
	v.Raw, v.RawWhole = string(raw), whole
	return v
}

func treeOf(a *anypb.Any, decode tree.Decode) *tree.Node {
	if a == nil {
		return nil
	}
	return tree.Of(a, decode, shown)
}

// serveRaw answers with an operation in the JSON mapping of protobuf.
func (h *Handler) serveRaw(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	if !h.allow(w, r, Access{Action: View, Name: name}) {
		return
	}
	ctx, cancel := h.limited(r)
	defer cancel()
	op, err := h.viewOf(r).get(ctx, name)
	if err != nil {
		p := h.problemOf(ctx, err)
		p.Name = name
		h.serveProblem(w, r, p)
		return
	}
	text, _ := tree.JSON(op.Message, h.decoder(ctx), 0)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(append(text, '\n')) // the viewer has gone if it fails
}
