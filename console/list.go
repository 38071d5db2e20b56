package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/lropb"
)

// pageSize is the number of rows on a page.
const pageSize = 50

// listQuery is what a list shows.
type listQuery struct {
	Filter string // as the viewer wrote it
	Tab    string // key of a tab
	Token  string
	First  int // number of the first row, from 1; for show
}

func listQueryOf(v url.Values) listQuery {
	q := listQuery{Filter: strings.TrimSpace(v.Get("filter")), Tab: v.Get("state"), Token: v.Get("token"), First: 1}
	if n, err := strconv.Atoi(v.Get("n")); err == nil && n > 0 && q.Token != "" {
		q.First = n
	}
	return q
}

// values are the parameters that tell of the query in a URL.
func (q listQuery) values() url.Values {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	set("filter", q.Filter)
	set("state", q.Tab)
	set("token", q.Token)
	if q.First > 1 {
		v.Set("n", strconv.Itoa(q.First))
	}
	return v
}

// URL is the page of the query, relative to the console's other pages.
func (q listQuery) URL() string {
	if v := q.values().Encode(); v != "" {
		return "./?" + v
	}
	return "./"
}

// term is what the tab adds to the filter.
func (q listQuery) term() string {
	for _, t := range allTabs {
		if t.key == q.Tab {
			return t.term
		}
	}
	return ""
}

// filter is the filter for the source. The viewer's text comes first, so that
// positions in its errors are right; OR binds tighter than AND (AIP-160).
func (q listQuery) filter() string {
	switch term := q.term(); {
	case term == "":
		return q.Filter
	case q.Filter == "":
		return term
	default:
		return q.Filter + " AND " + term
	}
}

// listView is the page of a list.
type listView struct {
	Query      listQuery
	Tabs       []tab
	Rows       []row
	Last       int // number of the last row
	Total      int64
	TotalKnown bool
	Next       string // URL of the next page; empty at the end
	Newest     string // URL of the first page; empty on it
	Partial    bool   // the page ends because it took long to fill
	FilterErr  string // what the source says of the filter
	Problem    *problem
	Expired    bool // the page token is not valid any more
	Notes      []string
	CanList    bool
	Notice     string
}

func (h *Handler) serveList(w http.ResponseWriter, r *http.Request) {
	if !h.allow(w, r, Access{Action: View}) {
		return
	}
	ctx, cancel := h.limited(r)
	defer cancel()
	q := listQueryOf(r.URL.Query())
	v := h.listView(ctx, h.viewOf(r), q)
	if r.URL.Query().Get("notice") == "deleted" {
		v.Notice = "The operation was deleted."
	}
	code := http.StatusOK
	p := page{Title: "List", Nav: "list", Body: v}
	switch {
	case v.Problem != nil:
		code, p.Retry = v.Problem.Status, v.Problem.Retry
	case v.FilterErr != "" || v.Expired:
		code = http.StatusBadRequest
	default:
		events := q.values()
		events.Set("page", "list")
		p.Events = "events?" + events.Encode()
	}
	h.servePage(w, r, code, "list", p)
}

// listView reads all that the page shows.
func (h *Handler) listView(ctx context.Context, mine view, q listQuery) listView {
	states := h.filtersState(ctx)
	v := listView{Query: q, CanList: true, Notes: h.notes(ctx, states)}
	counts, err := mine.counts(ctx)
	if note := countsNote(err); note != "" {
		v.Notes = append(v.Notes, note)
	}
	v.Tabs = tabsOf(q, states, counts)
	for _, t := range v.Tabs {
		if t.Current && t.Counted {
			v.Total, v.TotalKnown = t.Count, true
		}
	}
	got, err := mine.fill(ctx, q)
	if err != nil {
		h.explainList(ctx, &v, err)
		return v
	}
	for _, op := range got.Operations {
		v.Rows = append(v.Rows, h.rowOf(ctx, op))
	}
	v.Last = q.First + len(v.Rows) - 1
	v.Partial = got.Next != "" && len(v.Rows) < pageSize
	if got.Next != "" {
		next := q
		next.Token, next.First = got.Next, q.First+len(v.Rows)
		v.Next = next.URL()
	}
	if q.Token != "" {
		v.Newest = q.newest().URL()
	}
	return v
}

// Cleared is the URL of the same tab without a filter.
func (v listView) Cleared() string {
	q := v.Query.newest()
	q.Filter = ""
	return q.URL()
}

func (q listQuery) newest() listQuery {
	q.Token, q.First = "", 1
	return q
}

// fill reads pages of the source until there are enough rows for one, the list
// ends, or it has taken long: a filter may pass over many operations.
func (v view) fill(ctx context.Context, q listQuery) (Page, error) {
	begin := time.Now()
	out := Page{Next: q.Token}
	for {
		got, err := v.list(ctx, Query{Filter: q.filter(), PageSize: pageSize - len(out.Operations), PageToken: out.Next})
		if err != nil {
			return Page{}, err
		}
		out.Operations = append(out.Operations, got.Operations...)
		if got.Next == out.Next && got.Next != "" {
			return Page{}, errSameToken
		}
		out.Next = got.Next
		patience := soon
		if len(out.Operations) > 0 {
			patience = atOnce
		}
		if out.Next == "" || len(out.Operations) >= pageSize || time.Since(begin) > patience {
			return out, nil
		}
	}
}

// errSameToken is a service's fault that would make a list endless.
var errSameToken = status.Error(codes.Internal, "the service gave a page token again that was used for the same page")

// explainList returns why there are no rows.
func (h *Handler) explainList(ctx context.Context, v *listView, err error) {
	q := v.Query
	if status.Code(err) == codes.Unimplemented {
		v.CanList = false
	}
	if status.Code(err) == codes.InvalidArgument {
		wrongToken, named := violates(err, "page_token")
		if q.Token != "" && (wrongToken || !named) {
			v.Expired, v.Newest = true, q.newest().URL()
			return
		}
		wrongFilter, named := violates(err, "filter")
		if q.filter() != "" && (wrongFilter || !named) {
			v.FilterErr = h.filterError(ctx, q, err)
			return
		}
	}
	p := h.problemOf(ctx, err)
	v.Problem = &p
}

// filterError is what the source says of the viewer's own text, without what
// the tab adds to it.
func (h *Handler) filterError(ctx context.Context, q listQuery, err error) string {
	if q.term() != "" && q.Filter != "" {
		if _, own := h.source.List(ctx, Query{Filter: q.Filter, PageSize: 1}); status.Code(own) == codes.InvalidArgument {
			err = own
		}
	}
	return status.Convert(err).Message()
}

// filtersState reports whether tabs can be by state.
func (h *Handler) filtersState(ctx context.Context) bool {
	s, ok := h.source.(StateFilterer)
	return ok && s.FiltersState(ctx)
}

func countsNote(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errors.ErrUnsupported):
		return "This service does not count its operations, so the tabs have no numbers."
	case status.Code(err) == codes.PermissionDenied:
		return "You may not see how many operations there are, so the tabs have no numbers."
	}
	return "The operations could not be counted just now, so the tabs have no numbers."
}

// notes tell what the source cannot give for any list.
func (h *Handler) notes(ctx context.Context, states bool) []string {
	var notes []string
	if !h.watches(ctx) {
		notes = append(notes, "This service has no change feed, so the page polls it every "+pace(h.config.Poll)+" or less often.")
	}
	if !states {
		notes = append(notes, "This service does not filter by state, so the tabs only distinguish done and not done.")
	}
	return notes
}

// tab narrows a list.
type tab struct {
	Key     string
	Label   string
	URL     string
	Current bool
	Counted bool
	Count   int64
}

// allTabs are the tabs there may be. Those without states are for sources that
// do not filter by state.
var allTabs = []struct {
	key, label, term string
	states           []State // it counts these
	plain            bool    // of a source that does not filter by state
	detailed         bool    // of one that does
}{
	{"", "All", "", nil, true, true},
	{"active", "Not done", "done:false", nil, true, false},
	{"done", "Done", "done:true", nil, true, false},
	{"pending", "Pending", "state = PENDING", []State{lropb.OperationMetadata_PENDING}, false, true},
	{"running", "Running", "state = RUNNING", []State{lropb.OperationMetadata_RUNNING}, false, true},
	{"succeeded", "Succeeded", "state = SUCCEEDED", []State{lropb.OperationMetadata_SUCCEEDED}, false, true},
	{"failed", "Failed", "state = FAILED", []State{lropb.OperationMetadata_FAILED}, false, true},
	{"cancelled", "Cancelled", "state = CANCELLED", []State{lropb.OperationMetadata_CANCELLED}, false, true},
}

// tabsOf makes the tabs of a list. Counts are of all operations, so they are
// shown while there is no filter.
func tabsOf(q listQuery, states bool, counts Counts) []tab {
	var tabs []tab
	for _, t := range allTabs {
		if !(states && t.detailed || !states && t.plain) {
			continue
		}
		to := q.newest()
		to.Tab = t.key
		out := tab{Key: t.key, Label: t.label, URL: to.URL(), Current: t.key == q.Tab}
		if counts != nil && q.Filter == "" && (states || t.key == "") {
			out.Counted, out.Count = true, counts.sum(t.states)
		}
		tabs = append(tabs, out)
	}
	return tabs
}

// sum counts operations in some states, of all kinds; nil is all states.
func (c Counts) sum(states []State) int64 {
	var n int64
	for _, byState := range c {
		if states == nil {
			for _, m := range byState {
				n += m
			}
		}
		for _, s := range states {
			n += byState[s]
		}
	}
	return n
}
