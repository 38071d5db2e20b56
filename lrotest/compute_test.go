package lrotest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro/internal/computeop"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/lrotest"
)

// ask sends a request to a handler and returns the status and the JSON of the
// answer, without the links.
func ask(t *testing.T, h http.Handler, method, path string) (int, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	var o map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &o); err != nil {
		t.Fatalf("%s %s: %v in %q", method, path, err, w.Body)
	}
	return w.Code, o
}

func TestComputeStates(t *testing.T) {
	t.Parallel()
	const name = "projects/p/zones/z/operations/x"
	entry := &computeop.Errors{Code: new("C"), Message: new("m"), Location: new("l")}
	errors := func(entries ...any) map[string]any { return map[string]any{"errors": entries} }
	for _, test := range []struct {
		step lrotest.Step
		want map[string]any
	}{
		{lrotest.Running(nil), map[string]any{"status": "RUNNING"}},
		{lrotest.Running(&lropb.OperationMetadata{ProgressPercent: 40, Verb: "insert", Target: "t"}),
			map[string]any{"status": "RUNNING", "progress": 40.0, "operationType": "insert", "targetLink": "t"}},
		{lrotest.Running(&computeop.Operation{Status: computeop.Operation_PENDING.Enum(), User: new("u")}), map[string]any{"status": "PENDING", "user": "u"}},
		{lrotest.Succeeded(nil), map[string]any{"status": "DONE", "progress": 100.0}},
		{lrotest.Succeeded(&computeop.Operation{Progress: proto.Int32(99), HttpErrorStatusCode: proto.Int32(404)}),
			map[string]any{"status": "DONE", "progress": 99.0, "httpErrorStatusCode": 404.0}},
		{lrotest.Failed(codes.NotFound, "gone"), map[string]any{"status": "DONE", "httpErrorStatusCode": 404.0, "httpErrorMessage": "NOT FOUND",
			"error": errors(map[string]any{"code": "NOT_FOUND", "message": "gone"})}},
		{lrotest.Failed(codes.ResourceExhausted, "full", &errdetails.ErrorInfo{Reason: "QUOTA"}), map[string]any{"status": "DONE", "httpErrorStatusCode": 429.0,
			"httpErrorMessage": "TOO MANY REQUESTS", "error": errors(map[string]any{"code": "QUOTA", "message": "full"})}},
		{lrotest.Failed(codes.Internal, "broken", entry, entry), map[string]any{"status": "DONE", "httpErrorStatusCode": 500.0, "httpErrorMessage": "INTERNAL SERVER ERROR",
			"error": errors(map[string]any{"code": "C", "message": "m", "location": "l"}, map[string]any{"code": "C", "message": "m", "location": "l"})}},
	} {
		t.Run(fmt.Sprint(test.step), func(t *testing.T) {
			t.Parallel()
			var srv lrotest.Server
			script := srv.Add(name, test.step)
			test.want["kind"], test.want["name"], test.want["selfLink"] = "compute#operation", "x", "https://www.googleapis.com/compute/v1/"+name
			code, got := ask(t, lrotest.NewComputeHandler(&srv), "GET", "/compute/v1/"+name)
			if diff := cmp.Diff(test.want, got); diff != "" || code != http.StatusOK {
				t.Errorf("HTTP status %d, (-want +got):\n%s", code, diff)
			}
			w := httptest.NewRecorder()
			lrotest.WriteCompute(w, script)
			var started map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &started); err != nil || !cmp.Equal(test.want, started) {
				t.Errorf("WriteCompute: %s, %v", w.Body, err)
			}
		})
	}
}

func TestComputePaths(t *testing.T) {
	t.Parallel()
	var srv lrotest.Server
	srv.Add("projects/p/global/operations/x", lrotest.Succeeded(nil))
	srv.Add("projects/p/global/operations/broken", lrotest.PollError(codes.Unavailable, "away"))
	srv.Add("locations/global/operations/x?parentId=organizations/1", lrotest.Succeeded(nil))
	h := lrotest.NewComputeHandler(&srv)
	for request, want := range map[string]int{
		"GET /compute/v1/projects/p/global/operations/x":                               200,
		"GET /compute/beta/projects/p/global/operations/x":                             200,
		"POST /compute/v1/projects/p/global/operations/x/wait":                         200,
		"GET /compute/v1/projects/p/global/operations":                                 200,
		"GET /compute/v1/projects/p/global/operations?maxResults=x":                    400,
		"GET /compute/v1/projects/p/global/operations/broken":                          503,
		"GET /compute/v1/projects/p/global/operations/none":                            404,
		"GET /compute/v1/locations/global/operations/x?parentId=organizations/1":       200,
		"GET /compute/v1/locations/global/operations/x":                                404,
		"POST /compute/v1/locations/global/operations/x/wait?parentId=organizations/1": 404,
		"GET /compute/v1/projects/p/global/operations/x/wait":                          404,
		"POST /compute/v1/projects/p/global/operations/x":                              404,
		"POST /compute/v1/projects/p/zones/z/instances":                                404,
		"GET /v1/projects/p/global/operations/x":                                       404,
		"GET /":                                                                        404,
	} {
		method, path, _ := strings.Cut(request, " ")
		if code, o := ask(t, h, method, path); code != want || (o["error"] != nil) != (want >= 400) {
			t.Errorf("%s: HTTP status %d, %v, want %d", request, code, o, want)
		}
	}
	const org = "/compute/v1/locations/global/operations/x?parentId=organizations/1"
	if code, _ := ask(t, h, "DELETE", org); code != http.StatusOK {
		t.Errorf("DELETE: HTTP status %d", code)
	}
	if code, _ := ask(t, h, "GET", org); code != http.StatusNotFound {
		t.Errorf("GET after DELETE: HTTP status %d, want 404", code)
	}
}
