package lrohttp

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// This file puts values into templates and takes them out of paths.

// match compares an escaped path with the template and returns the decoded
// value of each variable. %2F is decoded too: a name is the same whether its
// slashes were escaped or not.
func (t *template) match(path string) (values map[string]string, ok bool) {
	segs, ok := t.split(path)
	if !ok {
		return nil, false
	}
	at, ok := glob(t.segments, segs)
	if !ok {
		return nil, false
	}
	values = make(map[string]string, len(t.vars))
	for _, v := range t.vars {
		values[v.field] = strings.Join(segs[at[v.begin]:at[v.end]], "/")
	}
	return values, true
}

// split cuts the verb off a path and returns its decoded segments.
func (t *template) split(path string) ([]string, bool) {
	path, ok := strings.CutPrefix(path, "/")
	if !ok {
		return nil, false
	}
	if t.verb != "" {
		if path, ok = strings.CutSuffix(path, ":"+t.verb); !ok {
			return nil, false
		}
	}
	segs := strings.Split(path, "/")
	for i, s := range segs {
		decoded, err := url.PathUnescape(s)
		if err != nil {
			return nil, false
		}
		segs[i] = decoded
	}
	return segs, true
}

// glob compares segments with a pattern and returns where in segs each segment
// of the pattern begins, and where the last one ends. It never goes back
// further than to the last "**", so that hostile paths take no more than
// len(pattern)*len(segs) steps.
func glob(pattern []segment, segs []string) ([]int, bool) {
	at := make([]int, len(pattern)+1)
	many, taken := -1, 0 // the last "**", and the end of what it took
	p, s := 0, 0
	for p < len(pattern) || s < len(segs) {
		if p < len(pattern) && s < len(segs) && pattern[p].fits(segs[s]) {
			at[p] = s
			s++
			if pattern[p].kind == anyMany {
				many, taken = p, s
			}
			p++
			continue
		}
		if many < 0 || taken >= len(segs) {
			return nil, false
		}
		taken++
		p, s = many+1, taken
	}
	at[len(pattern)] = len(segs)
	for i, want := range pattern {
		if want.kind == anyMany && strings.Join(segs[at[i]:at[i+1]], "") == "" {
			return nil, false
		}
	}
	return at, true
}

func (want segment) fits(text string) bool {
	switch want.kind {
	case anyOne:
		return text != ""
	case anyMany:
		return true
	}
	return text == want.literal
}

// expand returns the escaped path for the values of the variables. It reports
// false when a value does not fit its variable.
func (t *template) expand(value func(field string) string) (path string, ok bool) {
	var b strings.Builder
	next := 0
	for _, v := range t.vars {
		t.writeLiterals(&b, next, v.begin)
		text := value(v.field)
		switch {
		case !t.fits(v, text):
			return "", false
		case t.bare(v):
			b.WriteByte('/')
			escapeSegment(&b, text)
		default:
			b.WriteByte('/')
			escapeName(&b, text)
		}
		next = v.end
	}
	t.writeLiterals(&b, next, len(t.segments))
	if t.verb != "" {
		b.WriteString(":" + t.verb)
	}
	return b.String(), true
}

func (t *template) writeLiterals(b *strings.Builder, begin, end int) {
	for _, s := range t.segments[begin:end] {
		b.WriteByte('/')
		escapeSegment(b, s.literal)
	}
}

// fits reports whether text can be the value of v.
func (t *template) fits(v variable, text string) bool {
	if t.bare(v) {
		return text != ""
	}
	_, ok := glob(t.segments[v.begin:v.end], strings.Split(text, "/"))
	return ok
}

// expandable returns an error when a path cannot be made from the template
// because it has wildcards outside of variables.
func (t *template) expandable() error {
	next := 0
	for _, v := range slices.Concat(t.vars, []variable{{begin: len(t.segments)}}) {
		for _, s := range t.segments[next:v.begin] {
			if s.kind != literal {
				return fmt.Errorf("path template %q: wildcard outside of a variable", t.text)
			}
		}
		next = v.end
	}
	return nil
}

// escapeName writes a value of several segments. A slash that would make an
// empty segment is escaped, because proxies and http.ServeMux tidy those away.
func escapeName(b *strings.Builder, name string) {
	for i := range len(name) {
		if name[i] != '/' {
			escapeByte(b, name[i])
			continue
		}
		if i == 0 || i == len(name)-1 || name[i-1] == '/' {
			b.WriteString("%2F")
			continue
		}
		b.WriteByte('/')
	}
}

func escapeSegment(b *strings.Builder, text string) {
	for i := range len(text) {
		escapeByte(b, text[i])
	}
}

// escapeByte escapes all but the unreserved characters, as
// google/api/http.proto asks for.
func escapeByte(b *strings.Builder, c byte) {
	if unreserved(c) {
		b.WriteByte(c)
		return
	}
	fmt.Fprintf(b, "%%%02X", c)
}

// unreserved reports whether a character means the same in a URL, escaped or
// not (RFC 3986, 2.3).
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~", c) >= 0
}

// hasDots reports whether a name has a segment "." or "..", which everything on
// the way to a server may resolve, escaped or not (RFC 3986, 5.2.4).
func hasDots(name string) bool {
	for s := range strings.SplitSeq(name, "/") {
		if s == "." || s == ".." {
			return true
		}
	}
	return false
}
