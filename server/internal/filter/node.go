package filter

import (
	"slices"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/server/engine"
)

// Filter is a parsed filter. It is immutable.
type Filter struct {
	terms []node // all must hold
}

// node is a part of a filter.
type node interface {
	match(*item) bool
}

type (
	all   []node
	anyOf []node
	not   struct{ node }
)

func (n all) match(it *item) bool {
	return !slices.ContainsFunc(n, func(n node) bool { return !n.match(it) })
}

func (n anyOf) match(it *item) bool {
	return slices.ContainsFunc(n, func(n node) bool { return n.match(it) })
}

func (n not) match(it *item) bool { return !n.node.match(it) }

// restriction compares a field with a value.
type restriction struct {
	path  []string
	op    operator
	value literal
}

type operator string

const (
	equals        operator = "="
	notEquals     operator = "!="
	has           operator = ":"
	less          operator = "<"
	lessEquals    operator = "<="
	greater       operator = ">"
	greaterEquals operator = ">="
)

// literal is a value as it was written.
type literal struct {
	text string
}

// anything is the value of "field:*".
const anything = "*"

// conjuncts are the terms that all have to hold for n to hold.
func conjuncts(n node) []node {
	terms, ok := n.(all)
	if !ok {
		return []node{n}
	}
	var out []node
	for _, term := range terms {
		out = append(out, conjuncts(term)...)
	}
	return out
}

// item is an operation that is being matched.
type item struct {
	rec *engine.Record
	op  *longrunningpb.Operation
	// decoded keeps what an Any holds, nil if that cannot be known, since
	// several terms often look into the same.
	decoded map[*anypb.Any]proto.Message
}

func (it *item) decode(a *anypb.Any) proto.Message {
	if m, ok := it.decoded[a]; ok {
		return m
	}
	m, err := a.UnmarshalNew()
	if err != nil {
		m = nil
	}
	if it.decoded == nil {
		it.decoded = map[*anypb.Any]proto.Message{}
	}
	it.decoded[a] = m
	return m
}
