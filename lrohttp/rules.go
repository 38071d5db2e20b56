package lrohttp

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// DefaultPrefix is the first segment of all default paths, the version of the
// API, unless [WithPrefix] says otherwise.
const DefaultPrefix = "v1"

// DefaultRules returns the rules that hold where [WithRules] says nothing. They
// are those of google/longrunning/operations.proto and of Google's Python
// client together, so that both operations/ID and names below a parent have a
// path, with WaitOperation as the services of Google that offer it bind it:
//
//	GetOperation     GET    /v1/{name=operations/**}
//	                        /v1/{name=**/operations/*}
//	ListOperations   GET    /v1/{name=operations}
//	                        /v1/{name=**}/operations
//	DeleteOperation  DELETE as GetOperation
//	CancelOperation  POST   as GetOperation, with :cancel
//	WaitOperation    POST   as GetOperation, with :wait
//
// and for lro.v1.Starter
//
//	StartOperation   POST   /v1/{parent=**}/operations:start
//	                        /v1/operations:start
//	ListKinds        GET    /v1/kinds
//
// The prefix stands in the place of v1, and may be empty or several segments.
// The result is the caller's, who may add to it for [WithRules].
func DefaultRules(prefix string) []*annotations.HttpRule {
	root := "/"
	if prefix != "" {
		root += prefix + "/"
	}
	top, below := root+"{name=operations/**}", root+"{name=**/operations/*}"
	return []*annotations.HttpRule{
		rule(operations["GetOperation"], get(top), get(below)),
		rule(operations["ListOperations"], get(root+"{name=operations}"), get(root+"{name=**}/operations")),
		rule(operations["DeleteOperation"], del(top), del(below)),
		rule(operations["CancelOperation"], post(top+":cancel"), post(below+":cancel")),
		rule(operations["WaitOperation"], post(top+":wait"), post(below+":wait")),
		rule(starter["StartOperation"], post(root+"{parent=**}/operations:start"), post(root+"operations:start")),
		rule(starter["ListKinds"], get(root+"kinds")),
	}
}

func rule(m *method, first *annotations.HttpRule, additional ...*annotations.HttpRule) *annotations.HttpRule {
	first.Selector, first.AdditionalBindings = m.selector(), additional
	return first
}

func get(path string) *annotations.HttpRule {
	return &annotations.HttpRule{Pattern: &annotations.HttpRule_Get{Get: path}}
}

func del(path string) *annotations.HttpRule {
	return &annotations.HttpRule{Pattern: &annotations.HttpRule_Delete{Delete: path}}
}

func post(path string) *annotations.HttpRule {
	return &annotations.HttpRule{Pattern: &annotations.HttpRule_Post{Post: path}, Body: "*"}
}

const (
	operationsService = "google.longrunning.Operations"
	starterService    = "lro.v1.Starter"
)

// binding is one way to call a method over HTTP.
type binding struct {
	method   *method
	verb     string // of HTTP
	template *template
	body     bool // the fields that are not in the path are in the body, not the query
	// whole marks the path that takes a whole name as one escaped segment; see
	// [table.addWhole].
	whole bool
}

// table holds all bindings.
type table struct {
	byMethod map[*method][]*binding // in the order of the rules
	ranked   []*binding             // in the order in which paths are matched
}

// newTable makes a table of rules, with the defaults for methods that they do
// not mention. Without start it leaves out lro.v1.Starter.
func newTable(prefix string, rules []*annotations.HttpRule, start bool) (*table, error) {
	if prefix != "" {
		if _, err := parseTemplate("/" + prefix); err != nil || strings.ContainsAny(prefix, "{*:") {
			return nil, fmt.Errorf("prefix %q is not one or more segments of a path", prefix)
		}
	}
	t := &table{byMethod: map[*method][]*binding{}}
	for _, r := range rules {
		if err := t.add(r); err != nil {
			return nil, err
		}
	}
	for _, r := range DefaultRules(prefix) {
		if m, _ := methodOf(r.GetSelector()); t.byMethod[m] != nil {
			continue
		}
		if err := t.add(r); err != nil {
			return nil, err
		}
	}
	if !start {
		for _, m := range starter {
			delete(t.byMethod, m)
		}
	}
	t.rank()
	return t, t.addWhole(prefix)
}

// methodOf returns the method that a selector means; nil for one of another
// service.
func methodOf(selector string) (*method, error) {
	dot := strings.LastIndexByte(selector, '.')
	var methods map[string]*method
	switch selector[:max(dot, 0)] {
	case operationsService:
		methods = operations
	case starterService:
		methods = starter
	default:
		return nil, nil
	}
	m := methods[selector[dot+1:]]
	if m == nil {
		return nil, fmt.Errorf("rule for %s: no such method", selector)
	}
	return m, nil
}

func (t *table) add(r *annotations.HttpRule) error {
	m, err := methodOf(r.GetSelector())
	if err != nil || m == nil {
		return err
	}
	for _, one := range append([]*annotations.HttpRule{r}, r.GetAdditionalBindings()...) {
		b, err := newBinding(m, one)
		if err != nil {
			return fmt.Errorf("rule for %s: %w", m.selector(), err)
		}
		t.byMethod[m] = append(t.byMethod[m], b)
	}
	return nil
}

func newBinding(m *method, r *annotations.HttpRule) (*binding, error) {
	b := &binding{method: m}
	var path string
	switch p := r.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		b.verb, path = http.MethodGet, p.Get
	case *annotations.HttpRule_Put:
		b.verb, path = http.MethodPut, p.Put
	case *annotations.HttpRule_Post:
		b.verb, path = http.MethodPost, p.Post
	case *annotations.HttpRule_Delete:
		b.verb, path = http.MethodDelete, p.Delete
	case *annotations.HttpRule_Patch:
		b.verb, path = http.MethodPatch, p.Patch
	case *annotations.HttpRule_Custom:
		b.verb, path = p.Custom.GetKind(), p.Custom.GetPath()
	default:
		return nil, errors.New("it has no path")
	}
	switch r.GetBody() {
	case "":
	case "*":
		b.body = true
	default:
		return nil, fmt.Errorf("body %q: only the whole message can be the body (\"*\")", r.GetBody())
	}
	if r.GetResponseBody() != "" {
		return nil, fmt.Errorf("response_body %q: only the whole message can be the body", r.GetResponseBody())
	}
	if !isField(b.verb) {
		return nil, fmt.Errorf("%q is not an HTTP method", b.verb)
	}
	var err error
	if b.template, err = parseTemplate(path); err != nil {
		return nil, err
	}
	for _, v := range b.template.vars {
		f := m.desc.Input().Fields().ByName(protoreflect.Name(v.field))
		if f == nil || f.Kind() != protoreflect.StringKind || f.IsList() {
			return nil, fmt.Errorf("path template %q: %s has no string field %q", path, m.desc.Input().FullName(), v.field)
		}
	}
	return b, nil
}

// rank orders the bindings for matching: templates that end in a literal first,
// so that /v1/operations/operations, which Google's Python client sends, lists;
// then those with a verb; then by how much is literal; then as they were given.
func (t *table) rank() {
	for _, r := range DefaultRules("") {
		m, _ := methodOf(r.GetSelector())
		t.ranked = append(t.ranked, t.byMethod[m]...)
	}
	slices.SortStableFunc(t.ranked, func(a, b *binding) int {
		return cmp.Or(
			cmp.Compare(b.template.ending(), a.template.ending()),
			cmp.Compare(b.template.literals(), a.template.literals()),
		)
	})
}

// addWhole adds the path of Google's Node client, which asks for
// /v1/operations/{name} with the whole name as one segment, its slashes
// escaped, unless it is told other paths.
func (t *table) addWhole(prefix string) error {
	root := "/"
	if prefix != "" {
		root += prefix + "/"
	}
	b, err := newBinding(operations["GetOperation"], get(root+"operations/{name}"))
	if err != nil {
		return err
	}
	b.whole = true
	t.ranked = slices.Insert(t.ranked, 0, b)
	return nil
}

// match returns the binding for a request and the values of its variables. When
// there is none, allowed holds the HTTP methods that would fit the path. A path
// with escaped slashes that fits nothing is taken as if they were not escaped.
func (t *table) match(verb, path string) (b *binding, values map[string]string, allowed []string) {
	b, values, allowed = t.matchEscaped(verb, path)
	if b == nil && allowed == nil && hasEscapedSlash(path) {
		return t.matchEscaped(verb, strings.NewReplacer("%2F", "/", "%2f", "/").Replace(path))
	}
	return b, values, allowed
}

func hasEscapedSlash(path string) bool {
	return strings.Contains(path, "%2F") || strings.Contains(path, "%2f")
}

func (t *table) matchEscaped(verb, path string) (b *binding, values map[string]string, allowed []string) {
	for _, b := range t.ranked {
		values, ok := b.template.match(path)
		if !ok || b.whole && !t.isWhole(b, values, path) {
			continue
		}
		if b.verb == verb {
			return b, values, nil
		}
		if !slices.Contains(allowed, b.verb) {
			allowed = append(allowed, b.verb)
		}
	}
	slices.Sort(allowed)
	return nil, nil, allowed
}

// isWhole reports whether the path holds a whole name as one escaped segment,
// as opposed to an ID with a slash in it: the name must be one that another
// path of the method has.
func (t *table) isWhole(b *binding, values map[string]string, path string) bool {
	if !hasEscapedSlash(path) {
		return false
	}
	for _, other := range t.byMethod[b.method] {
		if _, ok := other.template.expand(func(field string) string { return values[field] }); ok {
			return true
		}
	}
	return false
}

// find returns the first binding of a method whose path can hold the request's
// fields.
func (t *table) find(m *method, value func(field string) string) (*binding, string, bool) {
	for _, b := range t.byMethod[m] {
		if path, ok := b.template.expand(value); ok {
			return b, path, true
		}
	}
	return nil, "", false
}

// forPaths returns an error when requests cannot be made from the rules.
func (t *table) forPaths() error {
	for _, b := range t.ranked {
		if err := b.template.expandable(); err != nil {
			return fmt.Errorf("rule for %s: %w", b.method.selector(), err)
		}
	}
	return nil
}

// paths lists the templates of a method, for errors.
func (t *table) paths(m *method) string {
	var all []string
	for _, b := range t.byMethod[m] {
		all = append(all, b.verb+" "+b.template.text)
	}
	return strings.Join(all, ", ")
}
