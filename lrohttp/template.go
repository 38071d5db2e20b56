package lrohttp

import (
	"errors"
	"fmt"
	"strings"
)

// template is a parsed path template of google.api.HttpRule:
//
//	Template = "/" Segments [ ":" Verb ]
//	Segments = Segment { "/" Segment }
//	Segment  = "*" | "**" | literal | Variable
//	Variable = "{" field [ "=" Segments ] "}"
//
// "*" stands for one segment, "**" for one or more. Unlike in the grammar of
// google/api/http.proto, "**" may stand anywhere and more than once, as in the
// defaults of Google's Python client ("{name=**}/operations").
type template struct {
	text     string
	segments []segment
	vars     []variable
	verb     string // without its colon; empty for none
}

type segment struct {
	kind    segmentKind
	literal string
}

type segmentKind uint8

const (
	literal segmentKind = iota
	anyOne
	anyMany
)

// variable is a field that holds the segments from begin up to end.
type variable struct {
	field      string
	begin, end int
}

// parseTemplate parses text.
func parseTemplate(text string) (*template, error) {
	rest, ok := strings.CutPrefix(text, "/")
	if !ok {
		return nil, fmt.Errorf("path template %q does not begin with a slash", text)
	}
	t := &template{text: text}
	if rest == "" {
		t.segments = []segment{{literal: ""}} // the root, which has an empty segment
		return t, nil
	}
	for more := true; more; {
		var err error
		if rest, more, err = t.parseNext(rest); err != nil {
			return nil, fmt.Errorf("path template %q: %w", text, err)
		}
	}
	return t, nil
}

// parseNext takes a segment or variable off text. It reports whether another
// must follow.
func (t *template) parseNext(text string) (rest string, more bool, err error) {
	if strings.HasPrefix(text, "{") {
		rest, err = t.parseVariable(text[1:])
	} else {
		end := strings.IndexAny(text, "/:")
		if end < 0 {
			end = len(text)
		}
		rest = text[end:]
		err = t.addSegment(text[:end])
	}
	switch {
	case err != nil:
		return "", false, err
	case rest == "":
		return "", false, nil
	case rest[0] == '/':
		return rest[1:], true, nil
	case rest[0] == ':':
		return "", false, t.setVerb(rest[1:])
	}
	return "", false, fmt.Errorf("%q follows a variable", rest)
}

func (t *template) parseVariable(text string) (rest string, err error) {
	inner, rest, ok := strings.Cut(text, "}")
	if !ok {
		return "", errors.New("variable is not closed")
	}
	field, pattern, ok := strings.Cut(inner, "=")
	if !ok {
		pattern = "*"
	}
	if !isField(field) {
		return "", fmt.Errorf("variable %q is not a field of the request", field)
	}
	v := variable{field: field, begin: len(t.segments)}
	for s := range strings.SplitSeq(pattern, "/") {
		if err := t.addSegment(s); err != nil {
			return "", err
		}
	}
	v.end = len(t.segments)
	t.vars = append(t.vars, v)
	return rest, nil
}

func (t *template) addSegment(text string) error {
	switch {
	case text == "*":
		t.segments = append(t.segments, segment{kind: anyOne})
	case text == "**":
		t.segments = append(t.segments, segment{kind: anyMany})
	case text == "":
		return errors.New("segment is empty")
	case strings.ContainsAny(text, "{}*=:?#% "):
		return fmt.Errorf("segment %q is neither literal nor a wildcard", text)
	default:
		t.segments = append(t.segments, segment{literal: text})
	}
	return nil
}

func (t *template) setVerb(text string) error {
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r >= 0x80 || !unreserved(byte(r)) }) {
		return fmt.Errorf("verb %q is not of letters, digits and \"-_.~\"", text)
	}
	t.verb = text
	return nil
}

func isField(name string) bool {
	for i, r := range name {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// bare reports whether a variable is one segment of any text, whose slashes
// are escaped in a path.
func (t *template) bare(v variable) bool {
	return v.end-v.begin == 1 && t.segments[v.begin].kind == anyOne
}

// ending ranks the template by how clearly a path tells that it is meant: 2 when
// it ends in a literal segment, 1 more when it has a verb.
func (t *template) ending() int {
	rank := 0
	if t.segments[len(t.segments)-1].kind == literal {
		rank += 2
	}
	if t.verb != "" {
		rank++
	}
	return rank
}

// literals returns the number of segments that are no wildcards.
func (t *template) literals() int {
	n := 0
	for _, s := range t.segments {
		if s.kind == literal {
			n++
		}
	}
	return n
}
