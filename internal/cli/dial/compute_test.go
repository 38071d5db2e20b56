package dial

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/payload"
)

// A link says which service is meant where nothing else does, and never which
// host gets credentials.
func TestReachLinks(t *testing.T) {
	t.Parallel()
	type env = map[string]string
	const path = "/compute/v1/projects/p/zones/z/operations/x"
	for name, test := range map[string]struct {
		env   env
		flags []string
		args  []string
		want  string // URL after it
		err   string
	}{
		"link":               {nil, nil, []string{"https://compute.googleapis.com" + path}, "https://compute.googleapis.com/compute/v1", ""},
		"old host, beta":     {nil, nil, []string{"https://www.googleapis.com/compute/beta/locations/global/operations/x"}, "https://compute.googleapis.com/compute/beta", ""},
		"scope":              {nil, nil, []string{"https://www.googleapis.com/compute/v1/projects/p/zones/z"}, "https://compute.googleapis.com/compute/v1", ""},
		"after a name":       {nil, nil, []string{"operations/1", "https://www.googleapis.com" + path}, "https://compute.googleapis.com/compute/v1", ""},
		"other host":         {nil, nil, []string{"https://googleapis.com.evil.example" + path}, "", "not Google's"},
		"host that ends so":  {nil, nil, []string{"https://evilgoogleapis.com" + path}, "", "not Google's"},
		"user":               {nil, nil, []string{"https://www.googleapis.com@evil.example" + path}, "", "not Google's"},
		"name":               {nil, nil, []string{"projects/p/zones/z/operations/x"}, "", ""},
		"URL of another":     {nil, nil, []string{"https://file.googleapis.com/v1/projects/p/operations/x"}, "", ""},
		"flag":               {nil, []string{"--url", "http://host/compute/v1"}, []string{"https://www.googleapis.com" + path}, "http://host/compute/v1", ""},
		"address":            {nil, []string{"--addr", "host:1"}, []string{"https://www.googleapis.com" + path}, "", ""},
		"variable":           {env{"LRO_URL": "http://host/v1"}, nil, []string{"https://www.googleapis.com" + path}, "https://compute.googleapis.com/compute/v1", ""},
		"variable, Compute":  {env{"LRO_URL": "http://host/compute/v1"}, nil, []string{"https://www.googleapis.com" + path}, "", ""},
		"variable, link set": {env{"LRO_URL": "http://host/compute/v1"}, nil, []string{"https://evil.example" + path}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := flags(t, test.env, test.flags...)
			err := f.ReachLinks(test.args)
			if (err != nil) != (test.err != "") || err != nil && (!strings.Contains(err.Error(), test.err) || exit.Of(err) != exit.Usage) {
				t.Errorf("ReachLinks(%q): %v, want %q", test.args, err, test.err)
			}
			if f.URL != test.want {
				t.Errorf("ReachLinks(%q) makes it call %q, want %q", test.args, f.URL, test.want)
			}
		})
	}
}

// Headers and credentials go to Compute as to every other service.
func TestComputeHeaders(t *testing.T) {
	t.Parallel()
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.URL.String(), r.Header.Get("Authorization"), r.Header.Get("X-Own"), r.Header.Get("User-Agent"))
		_, _ = w.Write([]byte(`{"name": "x", "status": "DONE"}`))
	}))
	defer server.Close()
	f := flags(t, map[string]string{"LRO_TOKEN": "t"}, "--url", server.URL+"/compute/v1", "--header", "x-own: 1")
	s, err := f.Open(t.Context(), (&payload.Types{}).Local())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const name = "projects/p/zones/z/operations/x"
	if _, err := s.GetOperation(t.Context(), &longrunningpb.GetOperationRequest{Name: name}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"GET /compute/v1/" + name, "Bearer t", "1", userAgent}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !s.WaitsFor(name) || s.WaitsFor("locations/global/operations/x") {
		t.Error("long polls are for all but organizations")
	}
}
