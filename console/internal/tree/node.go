package tree

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
)

// Kinds of nodes.
const (
	Object = "object"
	List   = "list"
	Text   = "text"   // of any content
	Word   = "word"   // a number, true, false, null, or one of a fixed set
	Time   = "time"   // see Node.Time
	Opaque = "opaque" // bytes of a type that is not known
)

// Node is a value in a tree, fit to be shown.
type Node struct {
	Key  string // of a member, as filters spell it; empty for an element
	Kind string
	Text string // of Text, Word and Opaque
	Rest int    // characters left out of Text, bytes left out of Opaque
	Time time.Time
	URL  string // the type URL, of an Any
	Size int    // bytes, of Opaque

	Items []*Node // of Object and List
	More  int     // members or elements left out
}

// Limits are how much of a message a tree shows. Zero fields mean that
// nothing is shown, not that there is no limit.
type Limits struct {
	Nodes int // all together
	Chars int // of one text
}

// Of returns the tree of a message.
func Of(m proto.Message, decode Decode, l Limits) *Node {
	root := &Node{Kind: Object}
	if m == nil {
		return root
	}
	s := &nodeSink{limits: l, next: root}
	w := walker{sink: s, decode: decode}
	w.message(m.ProtoReflect())
	return root
}

// nodeSink builds a tree.
type nodeSink struct {
	limits Limits
	next   *Node   // to be filled by the value that comes
	opened []*Node // objects and lists that are not closed
}

func (s *nodeSink) open(object bool) {
	s.next.Kind = List
	if object {
		s.next.Kind = Object
	}
	s.opened = append(s.opened, s.next)
}

func (s *nodeSink) top() *Node { return s.opened[len(s.opened)-1] }

func (s *nodeSink) close() { s.opened = s.opened[:len(s.opened)-1] }

func (s *nodeSink) add(key string) bool {
	if s.limits.Nodes <= 0 {
		return false
	}
	s.limits.Nodes--
	s.next = &Node{Key: key}
	s.top().Items = append(s.top().Items, s.next)
	return true
}

func (s *nodeSink) key(name, _ string) bool {
	key, rest := Cut(name, s.limits.Chars)
	if rest > 0 {
		key += "…"
	}
	if !s.add(Line(key)) {
		s.top().More++
		return false
	}
	return true
}

func (s *nodeSink) item(i, n int) bool {
	if !s.add("") {
		s.top().More = n - i
		return false
	}
	return true
}

func (s *nodeSink) of(url string) {
	head, rest := Cut(url, s.limits.Chars)
	if rest > 0 {
		head += "…"
	}
	s.top().URL = Line(head)
}

func (s *nodeSink) scalar(v any) {
	s.next.Kind = Word
	switch v := v.(type) {
	case nil:
		s.next.Text = "null"
	case bool:
		s.next.Text = strconv.FormatBool(v)
	case number:
		s.next.Text = string(v)
	case integer:
		s.next.Text = string(v)
	case word:
		s.text(string(v))
		s.next.Kind = Word
	case instant:
		s.next.Kind, s.next.Time = Time, time.Time(v)
	case string:
		s.text(v)
	default:
		panic(fmt.Sprintf("tree: scalar of type %T", v))
	}
}

func (s *nodeSink) text(v string) {
	s.next.Kind = Text
	s.next.Text, s.next.Rest = Cut(v, s.limits.Chars)
	s.next.Text = Visible(s.next.Text)
}

func (s *nodeSink) raw(b []byte) {
	n := s.top()
	n.Kind, n.Size = Opaque, len(b)
	shown := b[:min(len(b), s.limits.Chars*3/4)]
	n.Text, n.Rest = base64.StdEncoding.EncodeToString(shown), len(b)-len(shown)
}
