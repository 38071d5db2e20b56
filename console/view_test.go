package console

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/lropb"
)

const secret = "operations/secret-1"

// hidesSecret is a hook that refuses one operation and nothing else.
func hidesSecret(_ *http.Request, a Access) error {
	if a.Name == secret {
		return errors.New("not yours")
	}
	return nil
}

// tracesOf are texts by which a viewer could tell that there is the secret.
func tracesOf() []string {
	return []string{"secret-1", elementID(secret), "secret-kind", "secret-target", "secret-message", "secret-event"}
}

// newSecretSource has two operations and, if hidden, the secret one, whose state
// no other has.
func newSecretSource(t *testing.T, hidden bool) *secretSource {
	src := &fullSource{changes: make(chan Change), counts: Counts{"export": {lropb.OperationMetadata_RUNNING: 1, lropb.OperationMetadata_SUCCEEDED: 1}}}
	src.ops = []Operation{running(t, "operations/b", 1), ended(t, "operations/a", nil)}
	if hidden {
		op := ended(t, secret, &spb.Status{Code: int32(codes.Aborted), Message: "secret-message"})
		op.Message.Metadata = pack(t, &lropb.OperationMetadata{Target: "secret-target"})
		op.Info.Kind = "secret-kind"
		src.ops = slices.Insert(src.ops, 1, op)
		src.counts["secret-kind"] = map[State]int64{lropb.OperationMetadata_FAILED: 1}
	}
	return &secretSource{src}
}

// secretSource has the history of the secret operation.
type secretSource struct{ *fullSource }

func (s *secretSource) History(_ context.Context, name string) ([]Event, error) {
	if name != secret {
		return nil, nil
	}
	return []Event{{Time: began, Type: EventCreated, Text: "secret-event"}}, nil
}

// targets are requests for each route; NAME stands for the secret.
var targets = map[string][]string{
	"GET /{$}":       {"/", "/?state=failed", "/?state=done", "/?filter=secret", "/?filter=NAME", "/?token=t1", "/?token=t2"},
	"GET /operation": {"/operation?name=NAME", "/operation?name=NAME&notice=cancelled", "/operation?name=operations/b"},
	"GET /overview":  {"/overview", "/overview?window=day", "/overview?window=week"},
	"GET /raw":       {"/raw?name=NAME"},
	"GET /events": {
		"/events?page=list&name=NAME", "/events?page=list&name=operations/b&name=NAME&name=operations/a", "/events?page=list",
		"/events?page=list&state=failed", "/events?page=list&filter=NAME&name=NAME", "/events?page=operation&name=NAME",
		"/events?page=overview", "/events?page=overview&name=NAME&window=week", "/events?page=nonsense&name=NAME",
	},
	"GET /assets/{file}": {"/assets/NAME"},
	"POST /cancel":       {"/cancel"},
	"POST /delete":       {"/delete"},
	"/":                  {"/nothing", "/NAME"},
}

// walk makes each request and returns what came, by request. While a stream is
// open the secret operation changes, is deleted and comes back.
func walk(t *testing.T, h *Handler, src *secretSource, hidden bool) map[string]string {
	got := map[string]string{}
	if routes := h.routes(); !slices.Equal(slices.Sorted(maps.Keys(routes)), slices.Sorted(maps.Keys(targets))) {
		t.Errorf("there are requests for %q, want some for each of the routes %q", slices.Sorted(maps.Keys(targets)), slices.Sorted(maps.Keys(routes)))
	}
	for _, route := range slices.Sorted(maps.Keys(targets)) {
		for _, target := range targets[route] {
			what := strings.ReplaceAll(target, "NAME", secret)
			switch {
			case route == "GET /events":
				got[what] = strip(what, streamed(t, h, src, what, hidden))
			case strings.HasPrefix(route, "POST"):
				resp := post(t, h, what, url.Values{"name": {secret}})
				got[what] = strip(what, fmt.Sprint(resp.StatusCode, bodyOf(t, resp)))
			default:
				code, body := get(t, h, what)
				got[what] = strip(what, fmt.Sprint(code, body))
			}
		}
	}
	return got
}

// strip takes away what a page repeats of its own address.
func strip(target, body string) string {
	u, err := url.Parse(target)
	if err != nil {
		return body
	}
	if filter := u.Query().Get("filter"); filter != "" {
		body = strings.ReplaceAll(body, url.QueryEscape(filter), "FILTER")
		body = strings.ReplaceAll(body, `value="`+filter+`"`, "FILTER")
	}
	return regexp.MustCompile(`data-now="\d+"|"now":\d+`).ReplaceAllString(body, "NOW")
}

func streamed(t *testing.T, h *Handler, src *secretSource, target string, hidden bool) string {
	_, query, _ := strings.Cut(target, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	v := look(t, h, values)
	var b strings.Builder
	write := func() {
		for _, e := range v.take() {
			fmt.Fprintf(&b, "%s %s\n", e.name, e.data)
		}
	}
	write()
	for _, c := range []Change{{Name: secret, CreateTime: began}, {Name: secret, Deleted: true}, {Name: secret, CreateTime: began}} {
		if !hidden {
			c.Name = "operations/other" // hidden from the viewer as well
		}
		if v.code == 0 { // a stream that was let in follows
			src.changes <- c
		}
		time.Sleep(2 * lookEvery) // sleep: in the bubble of its callers
		write()
	}
	v.cancel()
	<-v.ended
	return fmt.Sprint(v.code, b.String())
}

// TestAuthorizeHidesOperations: whatever a viewer asks for, an operation that
// Authorize refuses is as if it did not exist: no page and no stream has a trace
// of it, and all figures are those of a service without it.
func TestAuthorizeHidesOperations(t *testing.T) {
	t.Parallel()
	got := map[bool]map[string]string{}
	for _, hidden := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			src := newSecretSource(t, hidden)
			got[hidden] = walk(t, newHandler(t, src, Config{Authorize: hidesSecret}), src, hidden)
			if len(src.did) > 0 {
				t.Errorf("did %q for a viewer who may not", src.did)
			}
		})
	}
	for target, body := range got[true] {
		for _, trace := range tracesOf() {
			wantNotIn(t, target, body, trace)
		}
		if strings.Contains(target, "token=") {
			continue // tokens are the source's, and count what it has
		}
		if want := got[false][target]; body != want {
			t.Errorf("%s is not the same as without the operation:\n%s\nwant\n%s", target, body, want)
		}
	}
}

// TestTracesAreFound: the test above would find each trace where it is shown.
func TestTracesAreFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := newSecretSource(t, true)
		all := strings.Join(slices.Collect(maps.Values(walk(t, newHandler(t, src, Config{}), src, true))), "\n")
		wantIn(t, "the whole", all, tracesOf()...)
	})
}

// TestCancelDoesNotShow: a viewer who may cancel but not see an operation does not
// see it when the cancellation fails.
func TestCancelDoesNotShow(t *testing.T) {
	t.Parallel()
	src := &failingActions{newSecretSource(t, true)}
	h := newHandler(t, src, Config{Authorize: func(r *http.Request, a Access) error {
		if a.Action == View {
			return hidesSecret(r, a)
		}
		return nil
	}})
	resp := post(t, h, "/cancel", url.Values{"name": {secret}})
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("POST /cancel = %d, want 403", resp.StatusCode)
	}
	wantNotIn(t, "the page", bodyOf(t, resp), tracesOf()[1:]...) // it repeats the name that it was given
}

type failingActions struct{ *secretSource }

func (f *failingActions) Cancel(context.Context, string) error {
	return status.Error(codes.FailedPrecondition, "not now")
}

// TestCountAll shows the numbers of all operations where the program says so.
func TestCountAll(t *testing.T) {
	t.Parallel()
	src := &fullSource{counts: Counts{"export": {lropb.OperationMetadata_RUNNING: 4711}}}
	for countAll, want := range map[bool]bool{true: true, false: false} {
		_, page := get(t, newHandler(t, src, Config{Authorize: hidesSecret, CountAll: countAll}), "/")
		if got := strings.Contains(page, count(4711)); got != want {
			t.Errorf("with CountAll %t the page has the numbers: %t", countAll, got)
		}
	}
}
