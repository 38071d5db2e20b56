package tree

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
)

// JSON returns a message in the JSON mapping of protobuf, indented, at any
// depth with the bytes of what cannot be decoded as "value". What [Visible]
// would escape is escaped here too, so that the text can be shown. Nil is
// "null".
//
// It stops once it has written limit bytes, roughly; 0 is no limit. whole
// reports whether it got to the end.
func JSON(m proto.Message, decode Decode, limit int) (text []byte, whole bool) {
	if m == nil {
		return []byte("null"), true
	}
	s := &jsonSink{limit: limit}
	w := walker{sink: s, decode: decode}
	w.message(m.ProtoReflect())
	return s.buf.Bytes(), !s.full
}

// jsonSink writes JSON. When it is full, it lets no member begin any more, and
// only closes what is open.
type jsonSink struct {
	buf   bytes.Buffer
	ends  []byte // closing brackets of what is open
	empty bool   // nothing stands in what was opened last
	limit int
	full  bool
}

func (s *jsonSink) open(object bool) {
	begin, end := byte('['), byte(']')
	if object {
		begin, end = '{', '}'
	}
	s.buf.WriteByte(begin)
	s.ends = append(s.ends, end)
	s.empty = true
}

func (s *jsonSink) close() {
	end := s.ends[len(s.ends)-1]
	s.ends = s.ends[:len(s.ends)-1]
	if !s.empty {
		s.line()
	}
	s.buf.WriteByte(end)
	s.empty = false
}

func (s *jsonSink) line() {
	s.buf.WriteByte('\n')
	for range s.ends {
		s.buf.WriteString("  ")
	}
}

func (s *jsonSink) next() bool {
	if s.full = s.full || s.limit > 0 && s.buf.Len() >= s.limit; s.full {
		return false
	}
	if !s.empty {
		s.buf.WriteByte(',')
	}
	s.empty = false
	s.line()
	return true
}

func (s *jsonSink) key(_, json string) bool {
	if !s.next() {
		return false
	}
	s.quote(json)
	s.buf.WriteString(": ")
	return true
}

func (s *jsonSink) item(int, int) bool { return s.next() }

func (s *jsonSink) of(url string) {
	if s.key("", "@type") {
		s.quote(url)
	}
}

func (s *jsonSink) scalar(v any) {
	switch v := v.(type) {
	case nil:
		s.buf.WriteString("null")
	case bool:
		s.buf.WriteString(strconv.FormatBool(v))
	case number:
		s.buf.WriteString(string(v))
	case integer:
		s.quote(string(v))
	case word:
		s.quote(string(v))
	case instant:
		t := time.Time(v)
		s.quote(t.Format("2006-01-02T15:04:05") + fraction(int64(t.Nanosecond())) + "Z")
	case string:
		s.quote(v)
	default:
		panic(fmt.Sprintf("tree: scalar of type %T", v))
	}
}

func (s *jsonSink) raw(b []byte) {
	if len(b) > 0 && s.key("", "value") {
		s.quote(base64.StdEncoding.EncodeToString(b))
	}
}

// quote writes a string, or its beginning where the limit cuts it.
func (s *jsonSink) quote(text string) {
	room := len(text)
	if s.limit > 0 {
		room = max(0, s.limit-s.buf.Len())
	}
	s.buf.WriteByte('"')
	for i, r := range text {
		if i >= room {
			s.full = true
			s.buf.WriteString("…")
			break
		}
		switch {
		case r == '"' || r == '\\':
			s.buf.WriteByte('\\')
			s.buf.WriteRune(r)
		case r == '\n':
			s.buf.WriteString(`\n`)
		case r == '\t':
			s.buf.WriteString(`\t`)
		case r == '\r':
			s.buf.WriteString(`\r`)
		case r > 0xffff && hidden(r):
			high, low := surrogates(r)
			fmt.Fprintf(&s.buf, `\u%04x\u%04x`, high, low)
		case hidden(r):
			fmt.Fprintf(&s.buf, `\u%04x`, r)
		case r < utf8.RuneSelf:
			s.buf.WriteByte(byte(r))
		default:
			s.buf.WriteRune(r)
		}
	}
	s.buf.WriteByte('"')
}

func surrogates(r rune) (high, low rune) {
	r -= 0x10000
	return 0xd800 + r>>10, 0xdc00 + r&0x3ff
}

// Quote returns text as a string of JSON, escaped like the rest of [JSON].
func Quote(text string) string {
	var s jsonSink
	s.quote(strings.ToValidUTF8(text, "\ufffd"))
	return s.buf.String()
}
