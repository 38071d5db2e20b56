package host

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// A page of another site that resolves its name to this machine gets
// nothing, on any path.
func TestHostNames(t *testing.T) {
	t.Parallel()
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for _, test := range []struct {
		hosts []string
		host  string
		want  int
	}{
		{nil, "evil.example", http.StatusOK},
		{[]string{}, "evil.example", http.StatusForbidden},
		{[]string{}, "evil.example:8700", http.StatusForbidden},
		{[]string{}, "127.0.0.1.evil.example", http.StatusForbidden},
		{[]string{}, "10.0.0.1:8700", http.StatusOK},
		{[]string{}, "", http.StatusForbidden},
		{[]string{}, "127.0.0.1:8700", http.StatusOK},
		{[]string{}, "[::1]:8700", http.StatusOK},
		{[]string{}, "LocalHost:8700", http.StatusOK},
		{[]string{"ops.example"}, "ops.example:8700", http.StatusOK},
	} {
		r := httptest.NewRequest(http.MethodGet, "/v1/operations", nil)
		r.Host = test.host
		w := httptest.NewRecorder()
		known(test.hosts, ok).ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("hosts %q, request for %q: status %d, want %d", test.hosts, test.host, w.Code, test.want)
		}
	}
}
