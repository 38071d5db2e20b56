package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/lropb"
)

func operationURL(name string) string {
	return "/operation?" + url.Values{"name": {name}}.Encode()
}

func TestOperation(t *testing.T) {
	t.Parallel()
	op := running(t, "projects/p/operations/one", 42)
	op.Info.Request = pack(t, &lropb.SimulateRequest{Echo: "what was asked"})
	op.Info.Crashes = 2
	src := &fullSource{plainSource: plainSource{ops: []Operation{op}}, events: []Event{
		{Time: began, Type: EventCreated},
		{Time: began.Add(time.Second), Type: EventAttemptStarted, Attempt: 1},
		{Time: began.Add(3 * time.Second), Type: EventAttemptRetry, Attempt: 1, Text: "disk was full"},
		{Time: began.Add(4 * time.Second), Type: "moon_phase", Text: "full"},
	}}
	h := newHandler(t, src, Config{Endpoint: Endpoint{Address: "host:443"}})
	code, page := get(t, h, operationURL("projects/p/operations/one"))
	if code != http.StatusOK {
		t.Fatalf("GET = %d, want 200", code)
	}
	wantIn(t, "the page", page,
		"<bdi>export</bdi>", ">Running<", "42 of 100 books", "what was asked", "lro.v1.SimulateRequest", "shelves/1",
		"Attempt 1 started", "disk was full", "2.0 s later", "moon_phase", "2 died with their process",
		"lro get --addr host:443 projects/p/operations/one", "lro wait --addr host:443",
		"grpcurl -d &#39;{&#34;name&#34;: &#34;projects/p/operations/one&#34;}&#39; host:443 google.longrunning.Operations/GetOperation",
		`action="cancel"`, `action="delete"`, "It is not done. Deleting hides it",
		"progressPercent", `data-events="events?name=projects%2Fp%2Foperations%2Fone&amp;page=operation"`)
	wantNotIn(t, "the page", page, "This service")
}

// TestDamaged: a source that knows of damage has it shown, whatever is left of
// the metadata.
func TestDamaged(t *testing.T) {
	t.Parallel()
	op := running(t, "operations/one", 42)
	op.Info.Damaged = "metadata: no <tag>"
	h := newHandler(t, &fullSource{plainSource: plainSource{ops: []Operation{op}}}, Config{})
	for _, path := range []string{operationURL("operations/one"), "/"} {
		_, page := get(t, h, path)
		wantIn(t, path, page, "The stored operation is damaged: metadata: no &lt;tag&gt;")
	}
}

func TestSameHost(t *testing.T) {
	t.Parallel()
	src := &fullSource{plainSource: plainSource{ops: []Operation{running(t, "operations/one", 1)}}}
	h := newHandler(t, src, Config{Endpoint: Endpoint{SameHost: true, Plaintext: true}})
	_, page := get(t, h, "http://localhost:8700"+operationURL("operations/one"))
	wantIn(t, "the page", page, "lro get --addr localhost:8700 --plaintext operations/one")
}

func TestOperationFailed(t *testing.T) {
	t.Parallel()
	op := ended(t, "operations/one", &spb.Status{Code: 14, Message: "shelf is\nlocked", Details: []*anypb.Any{
		pack(t, &errdetails.ErrorInfo{Reason: "SHELF_LOCKED", Metadata: map[string]string{"shelf": "east"}}),
		{TypeUrl: "type.googleapis.com/library.Unknown", Value: []byte("xyz")},
	}})
	_, page := get(t, newHandler(t, &fullSource{plainSource: plainSource{ops: []Operation{op}}}, Config{}), operationURL("operations/one"))
	wantIn(t, "the page", page,
		">Failed<", "UNAVAILABLE", "shelf is\nlocked", "SHELF_LOCKED", "east",
		"library.Unknown", "3 bytes of a type that is not known here", "eHl6", "cannot be found any more after this")
	wantNotIn(t, "the page", page, `action="cancel"`, "lro wait", "lro cancel")
}

// TestOperationFailedWithCodeZero: an error is never shown as OK.
func TestOperationFailedWithCodeZero(t *testing.T) {
	t.Parallel()
	op := ended(t, "operations/one", &spb.Status{Message: "odd"})
	h := newHandler(t, &fullSource{plainSource: plainSource{ops: []Operation{op}}}, Config{})
	_, page := get(t, h, operationURL("operations/one"))
	wantIn(t, "the page", page, ">Failed<", "UNKNOWN", "odd")
	_, list := get(t, h, "/")
	wantIn(t, "the list", list, "UNKNOWN: odd")
}

func TestOperationPlain(t *testing.T) {
	t.Parallel()
	op := ended(t, "operations/one", nil)
	op.Info = nil
	op.Message.Metadata = pack(t, &lropb.OperationMetadata{
		Verb: "export", CreateTime: ts(began), StartTime: ts(began.Add(time.Second)), EndTime: ts(began.Add(time.Minute)),
	})
	_, page := get(t, newHandler(t, &plainSource{ops: []Operation{op}}, Config{}), operationURL("operations/one"))
	wantIn(t, "the page", page,
		">Succeeded<", "keeps no history", "does not show the request of an operation", "no change feed", "59 s",
		"Created", "Attempt started", "hello", "lro get --addr HOST:PORT operations/one")
}

func TestOperationProblems(t *testing.T) {
	t.Parallel()
	h := newHandler(t, &plainSource{}, Config{})
	tests := []struct {
		target string
		code   int
		want   string
	}{
		{"/operation", 400, "no name of an operation"},
		{operationURL("operations/none"), 404, "was not found"},
		{"/raw?name=operations%2Fnone", 404, "was not found"},
		{"/raw", 404, ""},
		{"/nothing", 404, "No such page"},
		{"/assets/none.js", 404, "No such page"},
		{"/events", 400, "No such stream"},
		{"/cancel", 404, "No such page"},
	}
	for _, tt := range tests {
		code, page := get(t, h, tt.target)
		if code != tt.code {
			t.Errorf("GET %s = %d, want %d", tt.target, code, tt.code)
		}
		wantIn(t, "GET "+tt.target, page, tt.want)
	}
	if resp := post(t, h, "/overview", nil); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST /overview = %d, want 405", resp.StatusCode)
	}
}

func TestRaw(t *testing.T) {
	t.Parallel()
	op := running(t, "operations/one", 3)
	_, text := get(t, newHandler(t, &plainSource{ops: []Operation{op}}, Config{}), "/raw?name=operations%2Fone")
	var got struct {
		Name     string
		Metadata struct {
			Type            string `json:"@type"`
			ProgressPercent int
		}
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("raw JSON: %v in\n%s", err, text)
	}
	if got.Name != "operations/one" || got.Metadata.Type != "type.googleapis.com/lro.v1.OperationMetadata" || got.Metadata.ProgressPercent != 3 {
		t.Errorf("raw JSON = %s", text)
	}
}

// TestHostile shows an operation whose text attacks the viewer.
func TestHostile(t *testing.T) {
	t.Parallel()
	const evil = `<script>alert(1)</script>"'><img src=x onerror=alert(1)>` + "\u202e}}{{.}}javascript:alert(1)\x00"
	big := strings.Repeat("A", 1<<20)
	name := "operations/" + evil
	op := Operation{
		Message: &longrunningpb.Operation{Name: name, Done: true, Metadata: pack(t, &lropb.OperationMetadata{
			Target: evil, StatusMessage: evil + big, Verb: evil, Progress: &lropb.Progress{Total: 2, Unit: evil, Message: evil},
		})},
		Info: &Info{Kind: evil, CreateTime: began, Request: pack(t, &lropb.SimulateRequest{Echo: big})},
	}
	op.Message.Result = &longrunningpb.Operation_Error{Error: &spb.Status{Code: 77, Message: evil, Details: []*anypb.Any{
		{TypeUrl: evil, Value: []byte(evil)}, pack(t, &errdetails.Help{Links: []*errdetails.Help_Link{{Url: "javascript:alert(1)", Description: evil}}}),
	}}}
	src := &fullSource{
		plainSource: plainSource{ops: []Operation{op}},
		events:      []Event{{Type: EventType(evil), Text: evil}},
		counts:      Counts{evil: {lropb.OperationMetadata_RUNNING: 1}},
	}
	h := newHandler(t, src, Config{Title: evil})
	values := regexp.MustCompile(` (data-name|value)="[^"]*"`)
	for _, target := range []string{
		"/", operationURL(name), "/overview", operationURL("operations/" + evil + "x"),
		"/?" + url.Values{"filter": {"bad" + evil}, "state": {evil}, "token": {evil}, "n": {evil}}.Encode(),
	} {
		_, page := get(t, h, target)
		if len(page) > 200_000 {
			t.Errorf("GET %.40s has %d bytes, want the megabytes cut", target, len(page))
		}
		wantNotIn(t, "GET "+target, page, "<script>alert", "<img src=x", "\x00", `href="javascript:`)
		// These values are not shown; forms and the script need them as they are.
		wantNotIn(t, "what GET "+target+" shows", values.ReplaceAllString(page, ""), "\u202e")
	}
	_, page := get(t, h, operationURL(name))
	wantIn(t, "the page", page, "more characters", `\u202e`, "CODE(77)", "javascript:alert(1)")
}

func TestActions(t *testing.T) {
	t.Parallel()
	src := &fullSource{plainSource: plainSource{ops: []Operation{running(t, "operations/a&b", 1)}}}
	h := newHandler(t, src, Config{})
	form := url.Values{"name": {"operations/a&b"}}
	for action, location := range map[string]string{
		"cancel": "operation?name=operations%2Fa%26b&notice=cancelled",
		"delete": "./?notice=deleted",
	} {
		src.did = nil
		resp := post(t, h, "/"+action, form)
		if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != location {
			t.Errorf("POST /%s = %d to %q, want 303 to %q", action, resp.StatusCode, resp.Header.Get("Location"), location)
		}
		if want := action + " operations/a&b"; len(src.did) != 1 || src.did[0] != want {
			t.Errorf("POST /%s did %q, want %q", action, src.did, want)
		}
	}
	_, page := get(t, h, "/operation?name=operations%2Fa%26b&notice=cancelled")
	wantIn(t, "the page after cancel", page, "Cancellation was requested")
	if resp := post(t, h, "/cancel", nil); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("POST /cancel without a name = %d, want 400", resp.StatusCode)
	}
}

// refuser cannot do what it is asked to.
type refuser struct {
	fullSource
	refusal error
}

func (s *refuser) Delete(ctxT, string) error { return s.refusal }

func TestActionFails(t *testing.T) {
	t.Parallel()
	src := &refuser{refusal: status.Error(codes.FailedPrecondition, "it has <not> ended")}
	src.ops = []Operation{running(t, "operations/one", 1)}
	h := newHandler(t, src, Config{})
	resp := post(t, h, "/delete", url.Values{"name": {"operations/one"}})
	if resp.StatusCode != http.StatusConflict {
		t.Errorf("POST /delete = %d, want 409", resp.StatusCode)
	}
	page := bodyOf(t, resp)
	wantIn(t, "the page", page, "it has &lt;not&gt; ended", "FAILED_PRECONDITION", "<bdi>export</bdi>")
	src.refusal = status.Error(codes.NotFound, "gone")
	if resp := post(t, h, "/delete", url.Values{"name": {"operations/one"}}); resp.StatusCode != http.StatusNotFound {
		t.Errorf("POST /delete of what is gone = %d, want 404", resp.StatusCode)
	}
}

var errNo = errors.New("secret reason")

func TestAuthorize(t *testing.T) {
	t.Parallel()
	var asked []Access
	src := &fullSource{plainSource: plainSource{ops: []Operation{running(t, "operations/one", 1)}}}
	var allowed func(Access) bool
	h := newHandler(t, src, Config{Authorize: func(_ *http.Request, a Access) error {
		asked = append(asked, a)
		if allowed(a) {
			return nil
		}
		return errNo
	}})

	allowed = func(Access) bool { return false }
	one := Access{View, "operations/one"}
	for target, want := range map[string]Access{
		"/": {View, ""}, "/overview": {View, ""}, "/nothing": {View, ""}, "/" + assets["console.js"].url: {View, ""},
		operationURL("operations/one"): one, "/raw?name=operations%2Fone": one,
		"/events?page=operation&name=operations%2Fone": one, "/events?page=list&name=operations%2Fone": {View, ""},
	} {
		asked = nil
		code, page := get(t, h, target)
		if code != http.StatusForbidden || len(asked) != 1 || asked[0] != want {
			t.Errorf("GET %s = %d, asked %v, want 403 and %v", target, code, asked, want)
		}
		wantNotIn(t, "GET "+target, page, "secret reason", "export")
	}
	for _, action := range []Action{Cancel, Delete} {
		asked = nil
		resp := post(t, h, "/"+string(action), url.Values{"name": {"operations/one"}})
		if resp.StatusCode != http.StatusForbidden || len(asked) != 1 || asked[0] != (Access{action, "operations/one"}) {
			t.Errorf("POST /%s = %d, asked %v, want 403", action, resp.StatusCode, asked)
		}
	}
	if len(src.did) > 0 {
		t.Errorf("did %v without permission", src.did)
	}

	allowed = func(a Access) bool { return a.Action != Delete }
	_, page := get(t, h, operationURL("operations/one"))
	wantIn(t, "the page", page, `action="cancel"`)
	wantNotIn(t, "the page", page, `action="delete"`)
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	src := &fullSource{plainSource: plainSource{ops: []Operation{running(t, "operations/one", 1)}}}
	h := newHandler(t, src, Config{ReadOnly: true})
	_, page := get(t, h, operationURL("operations/one"))
	wantNotIn(t, "the page", page, `action="cancel"`, `action="delete"`)
	for _, action := range []string{"/cancel", "/delete"} {
		if resp := post(t, h, action, url.Values{"name": {"operations/one"}}); resp.StatusCode != http.StatusForbidden {
			t.Errorf("POST %s = %d, want 403", action, resp.StatusCode)
		}
	}
	if len(src.did) > 0 {
		t.Errorf("did %v although it is read-only", src.did)
	}
}

func TestOtherSites(t *testing.T) {
	t.Parallel()
	src := &fullSource{plainSource: plainSource{ops: []Operation{running(t, "operations/one", 1)}}}
	h := newHandler(t, src, Config{})
	form := url.Values{"name": {"operations/one"}}
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
		{"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
	} {
		if resp := post(t, h, "/cancel", form, header...); resp.StatusCode != http.StatusForbidden {
			t.Errorf("POST with %q = %d, want 403", header, resp.StatusCode)
		}
	}
	if len(src.did) > 0 {
		t.Errorf("did %v for another site", src.did)
	}
	if resp := post(t, h, "/cancel", form, "Sec-Fetch-Site", "", "Origin", "http://example.com"); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("POST from an old browser at the same origin = %d, want 303", resp.StatusCode)
	}
}
