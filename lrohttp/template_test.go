package lrohttp

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTemplateMatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		template, path string
		want           map[string]string // nil for no match
	}{
		{"/v1/{name=operations/**}", "/v1/operations/x", map[string]string{"name": "operations/x"}},
		{"/v1/{name=operations/**}", "/v1/operations/a/b", map[string]string{"name": "operations/a/b"}},
		{"/v1/{name=operations/**}", "/v1/operations/a%2Fb+c=", map[string]string{"name": "operations/a/b+c="}},
		{"/v1/{name=operations/**}", "/v1/operations/a%252Fb%20c", map[string]string{"name": "operations/a%2Fb c"}},
		{"/v1/{name=operations/**}", "/v1/operations/a//b/", map[string]string{"name": "operations/a//b/"}},
		{"/v1/{name=operations/**}", "/v1/operations/a%2F%2fb%2F", map[string]string{"name": "operations/a//b/"}},
		{"/v1/{name=operations/**}", "/v1/operations/x:y", map[string]string{"name": "operations/x:y"}},
		{"/v1/{name=operations/**}", "/v1/operations", nil},
		{"/v1/{name=operations/**}", "/v1/operations/", nil},
		{"/v1/{name=operations/**}", "/v1/operations//", nil},
		{"/v1/{name=operations/**}", "/v2/operations/x", nil},
		{"/v1/{name=operations/**}", "v1/operations/x", nil},
		{"/v1/{name=operations/**}", "", nil},
		{"/v1/{name=operations/**}:cancel", "/v1/operations/x:cancel", map[string]string{"name": "operations/x"}},
		{"/v1/{name=operations/**}:cancel", "/v1/operations/x:cancel:cancel", map[string]string{"name": "operations/x:cancel"}},
		{"/v1/{name=operations/**}:cancel", "/v1/operations/x", nil},
		{"/v1/{name=operations/**}:cancel", "/v1/operations:cancel", nil},
		{"/v1/{name=**/operations/*}", "/v1/p/q/operations/x", map[string]string{"name": "p/q/operations/x"}},
		{"/v1/{name=**/operations/*}", "/v1/operations/operations/operations", map[string]string{"name": "operations/operations/operations"}},
		{"/v1/{name=**/operations/*}", "/v1/operations/x", nil},
		{"/v1/{name=**/operations/*}", "/v1/p/operations/a/b", nil},
		{"/v1/{name=**/operations/*}", "/v1/p/operations/a%2Fb", map[string]string{"name": "p/operations/a/b"}},
		{"/v1/{name=**}/operations", "/v1/p/q/operations", map[string]string{"name": "p/q"}},
		{"/v1/{name=**}/operations", "/v1/operations/operations", map[string]string{"name": "operations"}},
		{"/v1/{name=**}/operations", "/v1/operations", nil},
		{"/v1/{name=**}/operations", "/v1//operations", nil},
		{"/v1/{name=operations}", "/v1/operations", map[string]string{"name": "operations"}},
		{"/v1/{name=operations}", "/v1/%6Fperations", map[string]string{"name": "operations"}},
		{"/v1/operations/{name}", "/v1/operations/p%2Foperations%2Fx", map[string]string{"name": "p/operations/x"}},
		{"/v1/operations/{name=**}", "/v1/operations/a/b", map[string]string{"name": "a/b"}},
		{"/v1/{name=p/*}/x/{filter=*}:go", "/v1/p/1/x/2:go", map[string]string{"name": "p/1", "filter": "2"}},
		{"/v1/*/**/end", "/v1/a/b/c/end", map[string]string{}},
		{"/v1/{name=**/a/**/b}", "/v1/a/a/b/a/b", map[string]string{"name": "a/a/b/a/b"}},
		{"/v1/{name=**/a/**/b}", "/v1/a/a/b", nil},
		{"/", "/", map[string]string{}},
		{"/", "/v1", nil},
		{"/v1/kinds", "/v1/kinds", map[string]string{}},
		{"/v1/kinds", "/v1/kinds/", nil},
	}
	for _, tt := range tests {
		tmpl, err := parseTemplate(tt.template)
		if err != nil {
			t.Errorf("parseTemplate(%q): %v", tt.template, err)
			continue
		}
		got, ok := tmpl.match(tt.path)
		if ok != (tt.want != nil) || ok && !cmp.Equal(got, tt.want) {
			t.Errorf("template %q matches %q: got %v, %t, want %v", tt.template, tt.path, got, ok, tt.want)
		}
	}
}

func TestTemplateExpand(t *testing.T) {
	t.Parallel()
	tests := []struct {
		template, name string
		want           string // empty when the name does not fit
	}{
		{"/v1/{name=operations/**}", "operations/x", "/v1/operations/x"},
		{"/v1/{name=operations/**}", "operations/a/b+c=", "/v1/operations/a/b%2Bc%3D"},
		{"/v1/{name=operations/**}", "operations/a%2Fb c?d#e", "/v1/operations/a%252Fb%20c%3Fd%23e"},
		{"/v1/{name=operations/**}", "operations/a//b/", "/v1/operations/a/%2Fb%2F"},
		{"/v1/{name=operations/**}", "operations/x:cancel", "/v1/operations/x%3Acancel"},
		{"/v1/{name=operations/**}", "operations/ü", "/v1/operations/%C3%BC"},
		{"/v1/{name=operations/**}:cancel", "operations/x", "/v1/operations/x:cancel"},
		{"/v1/{name=operations/**}", "operations/", ""},
		{"/v1/{name=operations/**}", "operations", ""},
		{"/v1/{name=operations/**}", "x", ""},
		{"/v1/{name=operations/**}", "", ""},
		{"/v1/{name=**/operations/*}", "p/operations/x", "/v1/p/operations/x"},
		{"/v1/{name=**/operations/*}", "p/operations/a/b", ""},
		{"/v1/{name=**}/operations", "p/q", "/v1/p/q/operations"},
		{"/v1/{name=**}/operations", "", ""},
		{"/v1/{name}", "p/operations/x", "/v1/p%2Foperations%2Fx"},
		{"/v1/operations/{name=**}", "12", "/v1/operations/12"},
		{"/", "operations/x", "/"},
	}
	for _, tt := range tests {
		tmpl, err := parseTemplate(tt.template)
		if err != nil {
			t.Errorf("parseTemplate(%q): %v", tt.template, err)
			continue
		}
		got, ok := tmpl.expand(func(string) string { return tt.name })
		if ok != (tt.want != "") || ok && got != tt.want {
			t.Errorf("template %q expands %q: got %q, %t, want %q", tt.template, tt.name, got, ok, tt.want)
		}
	}
}

func TestParseTemplateFails(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "v1", "//", "/v1/", "/v1//x", "/v1/{name", "/v1/name}", "/v1/{}", "/v1/{=x}", "/v1/{name=}", "/v1/{name=a//b}",
		"/v1/{1x}", "/v1/{a.b}", "/v1/{name=**}x", "/v1/x*", "/v1/***", "/v1/x:", "/v1/x:a:b", "/v1/x:a/b", "/v1/{name={x}}",
		"/v1/x?y", "/v1/x#y", "/v1/a b", "/v1/%41",
	} {
		if got, err := parseTemplate(text); err == nil {
			t.Errorf("parseTemplate(%q) = %+v, want an error", text, got)
		}
	}
}

// TestGlobIsFast shows that no path takes long to compare.
func TestGlobIsFast(t *testing.T) {
	t.Parallel()
	tmpl, err := parseTemplate("/{name=**/a/**/a/**/a/**/b}")
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if got, ok := tmpl.match(strings.Repeat("/a", 50_000)); ok {
		t.Errorf("match of a path without b = %v, want none", got)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("match of 50,000 segments took %v", took)
	}
}

// FuzzTemplate shows that what a template makes of a value, it reads back.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{"/v1/{name=operations/**}:cancel", "/v1/{name=**/operations/*}", "/v1/{name=**}/operations", "/{name}", "/"} {
		f.Add(text, "operations/a/b+c=", "/v1/operations/a%2Fb")
	}
	f.Add("/v1/{name=**/a/**}/*:x", "//", "//%2f:x")
	f.Fuzz(func(t *testing.T, text, name, path string) {
		tmpl, err := parseTemplate(text)
		if err != nil {
			return
		}
		if values, ok := tmpl.match(path); ok && len(values) > len(tmpl.vars) {
			t.Errorf("template %q: match(%q) = %v, more than the %d variables", text, path, values, len(tmpl.vars))
		}
		if tmpl.expandable() != nil || len(tmpl.vars) != 1 {
			return
		}
		made, ok := tmpl.expand(func(string) string { return name })
		if !ok {
			return
		}
		u, err := url.Parse("http://h" + made)
		if err != nil {
			t.Fatalf("template %q: expand(%q) = %q, which is no path: %v", text, name, made, err)
		}
		values, ok := tmpl.match(u.EscapedPath())
		if got := values[tmpl.vars[0].field]; !ok || got != name {
			t.Errorf("template %q: match(expand(%q)) = %q, %t", text, name, got, ok)
		}
	})
}
