package console

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/lropb"
)

func many(t testing.TB, n int) []Operation {
	ops := make([]Operation, n)
	for i := range ops {
		ops[i] = running(t, fmt.Sprintf("projects/p/operations/o%04d", i), int32(i%100))
	}
	return ops
}

func TestList(t *testing.T) {
	t.Parallel()
	src := &fullSource{counts: Counts{"export": {lropb.OperationMetadata_RUNNING: 1200, lropb.OperationMetadata_FAILED: 34}}}
	src.ops = []Operation{
		running(t, "projects/p/operations/one", 42),
		ended(t, "projects/p/operations/two", &spb.Status{Code: 14, Message: "shelf is locked"}),
		ended(t, "operations/three", nil),
	}
	code, page := get(t, newHandler(t, src, Config{Title: "Library"}), "/")
	if code != http.StatusOK {
		t.Fatalf("GET / = %d, want 200", code)
	}
	wantIn(t, "the list", page,
		"<title>List · Library</title>",
		`href="operation?name=projects%2fp%2foperations%2fone"`, `value="42"`, "42 of 100 books", "shelves/1",
		"UNAVAILABLE: shelf is locked", ">Failed<", ">Succeeded<", ">Running<",
		`<span class="n">1,234</span>`, `<span class="n">34</span>`, "Rows 1 to 3 of <span data-total>1,234</span>",
		"1 min 29 s", "2026-11-22T10:00:00.123456789Z", `data-events="events?page=list"`)
	wantNotIn(t, "the list", page, "This service", `id="next"`)
}

func TestListPages(t *testing.T) {
	t.Parallel()
	src := &fullSource{}
	src.ops = many(t, 120)
	h := newHandler(t, src, Config{})
	next := regexp.MustCompile(`id="next" rel="next" href="([^"]*)"`)
	target := "/?filter=p&state=running"
	var rows, ranges []string
	for range 4 {
		code, page := get(t, h, target)
		if code != http.StatusOK {
			t.Fatalf("GET %s = %d, want 200", target, code)
		}
		for _, m := range regexp.MustCompile(`data-name="([^"]*)"`).FindAllStringSubmatch(page, -1) {
			rows = append(rows, m[1])
		}
		ranges = append(ranges, regexp.MustCompile(`Rows \d+ to \d+`).FindString(page))
		m := next.FindStringSubmatch(page)
		if m == nil {
			break
		}
		target = "/" + strings.TrimPrefix(html.UnescapeString(m[1]), "./")
		wantIn(t, "the next page's URL", target, "filter=p", "state=running")
	}
	if len(rows) != 120 || rows[0] != "projects/p/operations/o0000" || rows[119] != "projects/p/operations/o0119" {
		t.Errorf("pages have %d rows from %q to %q, want all 120", len(rows), rows[0], rows[len(rows)-1])
	}
	if diff := cmp.Diff([]string{"Rows 1 to 50", "Rows 51 to 100", "Rows 101 to 120"}, ranges); diff != "" {
		t.Errorf("ranges (-want +got):\n%s", diff)
	}
}

func TestListFilters(t *testing.T) {
	t.Parallel()
	tests := []struct {
		target, filter string
	}{
		{"/", ""},
		{"/?filter=+one+", "one"},
		{"/?state=failed", "state = FAILED"},
		{"/?state=failed&filter=one", "one AND state = FAILED"},
		{"/?state=nonsense&filter=one", "one"},
		{"/?state=active", "done:false"},
	}
	for _, tt := range tests {
		src := &fullSource{}
		get(t, newHandler(t, src, Config{}), tt.target)
		if len(src.queries) == 0 || src.queries[0].Filter != tt.filter {
			t.Errorf("GET %s asks %+v, want the filter %q", tt.target, src.queries, tt.filter)
		}
	}
}

func TestListFilterError(t *testing.T) {
	t.Parallel()
	src := &fullSource{counts: Counts{"k": {lropb.OperationMetadata_FAILED: 7}}}
	code, page := get(t, newHandler(t, src, Config{}), "/?filter=bad%22%3Cscript%3E&state=failed")
	if code != http.StatusBadRequest {
		t.Errorf("GET with a bad filter = %d, want 400", code)
	}
	wantIn(t, "the page", page,
		`value="bad&#34;&lt;script&gt;"`, `aria-invalid="true"`, `id="filter-error"`, "&lt;is&gt; wrong", `href="./?filter=`)
	// The error is about what the viewer wrote, without what the tab adds.
	wantNotIn(t, "the page", page, "<script>", "AND state", "data-events")
}

func TestListWithoutCapabilities(t *testing.T) {
	t.Parallel()
	src := &plainSource{ops: many(t, 1)}
	_, page := get(t, newHandler(t, src, Config{}), "/")
	wantIn(t, "the list", page, "no change feed, so the page polls it every 2 s", "does not count", "does not filter by state", ">Not done<", ">Done<")
	wantNotIn(t, "the list", page, `class="n"`, `href="./?state=running"`, "data-total")
}

func TestListProblems(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		err    error
		target string
		code   int
		want   []string
	}{
		{"unreachable", status.Error(codes.Unavailable, `connection error: desc = "transport: Error while dialing: refused"`), "/", 503,
			[]string{"cannot be reached", "Error while dialing: refused", "UNAVAILABLE", "data-retry"}},
		{"cannot list", status.Error(codes.Unimplemented, "no"), "/", 501, []string{"does not support this", "Open an operation by its name"}},
		{"denied", status.Error(codes.PermissionDenied, "no"), "/", 403, []string{"Not allowed"}},
		{"secret", fmt.Errorf("password is hunter2"), "/", 500, []string{"Something went wrong"}},
		{"bad token", nil, "/?token=nonsense", 400, []string{"This page of the list has expired", `href="./"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			src := &fullSource{plainSource: plainSource{ops: many(t, 1), err: tt.err}}
			code, page := get(t, newHandler(t, src, Config{}), tt.target)
			if code != tt.code {
				t.Errorf("GET %s = %d, want %d", tt.target, code, tt.code)
			}
			wantIn(t, "the page", page, tt.want...)
			wantNotIn(t, "the page", page, "hunter2")
		})
	}
}

func TestListTimeout(t *testing.T) {
	t.Parallel()
	src := &plainSource{hang: true}
	code, page := get(t, newHandler(t, src, Config{Timeout: time.Millisecond}), "/")
	if code != http.StatusGatewayTimeout {
		t.Errorf("GET / of a source that hangs = %d, want 504", code)
	}
	wantIn(t, "the page", page, "did not answer within 1 ms")
}

// sameToken is a service that would make a list endless.
type sameToken struct{ plainSource }

func (s *sameToken) List(context.Context, Query) (Page, error) {
	return Page{Next: "again"}, nil
}

func TestListSameToken(t *testing.T) {
	t.Parallel()
	code, page := get(t, newHandler(t, &sameToken{}, Config{}), "/")
	if code != http.StatusBadGateway {
		t.Errorf("GET / = %d, want 502", code)
	}
	wantIn(t, "the page", page, "gave a page token again")
}

func TestListEmpty(t *testing.T) {
	t.Parallel()
	h := newHandler(t, &fullSource{}, Config{})
	for target, want := range map[string]string{
		"/":                "There are no operations yet",
		"/?filter=x":       "No operations match",
		"/?state=failed":   "No operations match",
		"/?token=t5":       "There are no more operations",
		"/?notice=deleted": "The operation was deleted",
	} {
		_, page := get(t, h, target)
		wantIn(t, "GET "+target, page, want)
	}
}
