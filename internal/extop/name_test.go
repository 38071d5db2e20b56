package extop

import (
	"strings"
	"testing"
)

func TestCanonicalName(t *testing.T) {
	t.Parallel()
	const zonal = "projects/p/zones/z/operations/x"
	for link, want := range map[string]string{
		zonal: zonal,
		"https://www.googleapis.com/compute/v1/" + zonal:                                                     zonal,
		"https://compute.googleapis.com/compute/beta/" + zonal:                                               zonal,
		"https://compute.googleapis.com/compute/alpha/" + zonal:                                              zonal,
		"//compute.googleapis.com/" + zonal:                                                                  zonal,
		"https://proxy.example.com:8443/google/compute/v1/" + zonal:                                          zonal,
		"compute/v1/" + zonal:                                                                                zonal,
		"https://compute.googleapis.com/compute/v1/projects/example.com:p/zones/z/operations/x":              "projects/example.com:p/zones/z/operations/x",
		"https://compute.googleapis.com/compute/v1/projects/example.com%3Ap/regions/r/operations/x":          "projects/example.com:p/regions/r/operations/x",
		"projects/p/global/operations/x":                                                                     "projects/p/global/operations/x",
		"https://compute.googleapis.com/compute/v1/locations/global/operations/x":                            "locations/global/operations/x",
		"https://compute.googleapis.com/compute/v1/locations/global/operations/x?parentId=organizations%2F1": "locations/global/operations/x?parentId=organizations/1",
		"locations/global/operations/x?parentId=a%20b":                                                       "locations/global/operations/x?parentId=a+b",
		"projects/p/zones/z/operations/x?parentId=organizations/1":                                           zonal,
		"projects/p/locations/l/operations/x":                                                                "",
		"projects/p/zones/z/instances/x":                                                                     "",
		"projects/p/zones/z/operations":                                                                      "",
		"projects//zones/z/operations/x":                                                                     "",
		"projects/../zones/z/operations/x":                                                                   "",
		"https://compute.googleapis.com/compute/v1/projects/p/zones/z/operations/x%2F..%2Fy":                 "",
		"https://compute.googleapis.com/compute/v1/projects/p/zones/z/operations/%2e%2e":                     "",
		"operation-1": "",
		"":            "",
		"http://[::1": "",
	} {
		got, err := CanonicalName(link)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("CanonicalName(%q) = %q, %v, want %q", link, got, err, want)
		}
		if again, err := CanonicalName(got); want != "" && (again != got || err != nil) {
			t.Errorf("CanonicalName(%q) = %q, %v, want the same", got, again, err)
		}
	}
}

func FuzzParseName(f *testing.F) {
	f.Add("https://www.googleapis.com/compute/v1/projects/p/zones/z/operations/x?parentId=y")
	f.Add("locations/global/operations/x?parentId=organizations/1&b=%zz")
	f.Fuzz(func(t *testing.T, link string) {
		n, err := ParseName(link)
		if err != nil {
			return
		}
		again, err := ParseName(n.String())
		if err != nil || again.String() != n.String() || again.ID != n.ID || again.Parent != n.Parent {
			t.Errorf("ParseName(%q) = %q, which is read as %q, %v", link, n, again, err)
		}
		if path := pathOf(n.Path, n.ID); strings.Contains(path, "/../") || strings.HasSuffix(path, "/..") || strings.ContainsAny(path, "?#") {
			t.Errorf("pathOf(%q): %q", link, path)
		}
	})
}

// All scopes of a project are for lists alone.
func TestParsePlace(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"projects/p", "projects/p/aggregated", "https://compute.googleapis.com/compute/v1/projects/p/aggregated/operations"} {
		if p, err := parseScope(text); err != nil || p.Path != "projects/p/aggregated" {
			t.Errorf("parseScope(%q) = %+v, %v, want the project", text, p, err)
		}
		if p, err := ParsePlace(text); err == nil {
			t.Errorf("ParsePlace(%q) = %+v, want an error", text, p)
		}
	}
}
