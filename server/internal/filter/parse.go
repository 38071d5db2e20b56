package filter

import (
	"errors"
	"fmt"
	"strings"

	"go.einride.tech/aip/filtering"
	expr "google.golang.org/genproto/googleapis/api/expr/v1alpha1"
)

// Limits of a filter (AIP-160 has them documented).
const (
	MaxLength = 4096 // bytes
	MaxTerms  = 100  // comparisons
	MaxDepth  = 32   // nested parentheses
)

// Parse reads a filter. The empty one matches everything. t is what is known
// about the messages in operations.
func Parse(text string, t Types) (*Filter, error) {
	if len(text) > MaxLength {
		return nil, fmt.Errorf("filter has %d bytes, more than %d", len(text), MaxLength)
	}
	if text = strings.TrimSpace(text); text == "" {
		return &Filter{}, nil
	}
	quoted, err := quoteValues(text)
	if err != nil {
		return nil, err
	}
	var p filtering.Parser
	p.Init(quoted)
	parsed, err := p.Parse()
	if err != nil {
		return nil, explain(text, quoted, err)
	}
	b := builder{types: t}
	root, err := b.node(parsed.GetExpr())
	if err != nil {
		return nil, err
	}
	return &Filter{terms: conjuncts(root)}, nil
}

// builder turns the parser's tree into nodes.
type builder struct {
	types Types
	terms int
}

func (b *builder) node(e *expr.Expr) (node, error) {
	call := e.GetCallExpr()
	if call == nil {
		// A field alone, such as "done" or "NOT done".
		return b.restriction(e, filtering.FunctionEquals, literal{text: "true"})
	}
	switch call.GetFunction() {
	case filtering.FunctionAnd, filtering.FunctionFuzzyAnd:
		nodes, err := b.nodes(call.GetArgs())
		return all(nodes), err
	case filtering.FunctionOr:
		nodes, err := b.nodes(call.GetArgs())
		return anyOf(nodes), err
	case filtering.FunctionNot:
		nodes, err := b.nodes(call.GetArgs())
		if err != nil || len(nodes) != 1 {
			return nil, errors.Join(err, errors.New("NOT needs one term"))
		}
		return not{nodes[0]}, nil
	case filtering.FunctionEquals, filtering.FunctionNotEquals, filtering.FunctionHas,
		filtering.FunctionLessThan, filtering.FunctionLessEquals,
		filtering.FunctionGreaterThan, filtering.FunctionGreaterEquals:
		if len(call.GetArgs()) != 2 {
			return nil, fmt.Errorf("%q needs a field and a value", call.GetFunction())
		}
		value, err := literalOf(call.GetArgs()[1])
		if err != nil {
			return nil, err
		}
		return b.restriction(call.GetArgs()[0], call.GetFunction(), value)
	}
	return nil, fmt.Errorf("function %q is not supported", call.GetFunction())
}

func (b *builder) nodes(exprs []*expr.Expr) ([]node, error) {
	var out []node
	for _, e := range exprs {
		n, err := b.node(e)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

func (b *builder) restriction(field *expr.Expr, op string, value literal) (node, error) {
	if b.terms++; b.terms > MaxTerms {
		return nil, fmt.Errorf("filter has more than %d comparisons", MaxTerms)
	}
	path, err := pathOf(field)
	if err != nil {
		return nil, err
	}
	if strings.EqualFold(path[0], "verb") {
		path[0] = "kind" // as it was called before
	}
	r := restriction{path: path, op: operator(op), value: value}
	return b.withKind(r), b.types.check(r)
}

// withKind adds the full name of a kind to a comparison with its short one, such
// as ExportBooks for example.v1.Library.ExportBooks, which lists show.
func (b *builder) withKind(r restriction) node {
	if !strings.EqualFold(r.path[0], "kind") || len(r.path) > 1 || r.op != equals && r.op != notEquals {
		return r
	}
	var found []string
	for _, kind := range b.types.Kinds {
		if kind == r.value.text {
			return r
		}
		if kind[strings.LastIndexByte(kind, '.')+1:] == r.value.text {
			found = append(found, kind)
		}
	}
	if len(found) != 1 {
		return r
	}
	full := restriction{path: r.path, op: r.op, value: literal{text: found[0]}}
	if r.op == notEquals {
		return all{r, full}
	}
	return anyOf{r, full}
}

// pathOf is the names of the fields that lead to a value.
func pathOf(e *expr.Expr) ([]string, error) {
	if ident := e.GetIdentExpr(); ident != nil {
		return []string{ident.GetName()}, nil
	}
	if member := e.GetSelectExpr(); member != nil {
		path, err := pathOf(member.GetOperand())
		return append(path, member.GetField()), err
	}
	return nil, errors.New("a comparison needs a field on its left")
}

// literalOf is the text of a value. The functions timestamp and duration, which
// some users write around one, change nothing: the field has a type already.
func literalOf(e *expr.Expr) (literal, error) {
	if call := e.GetCallExpr(); call != nil {
		if f := call.GetFunction(); (f == filtering.FunctionTimestamp || f == filtering.FunctionDuration) && len(call.GetArgs()) == 1 {
			return literalOf(call.GetArgs()[0])
		}
		return literal{}, fmt.Errorf("%q is not a value", call.GetFunction())
	}
	if c := e.GetConstExpr(); c != nil {
		switch k := c.GetConstantKind().(type) {
		case *expr.Constant_StringValue:
			return literal{text: k.StringValue}, nil
		case *expr.Constant_Int64Value:
			return literal{text: fmt.Sprint(k.Int64Value)}, nil
		case *expr.Constant_DoubleValue:
			return literal{text: fmt.Sprint(k.DoubleValue)}, nil
		}
	}
	path, err := pathOf(e)
	if err != nil {
		return literal{}, errors.New("a comparison needs a value on its right")
	}
	return literal{text: strings.Join(path, ".")}, nil
}
