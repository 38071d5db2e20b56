package anyjson

import "fmt"

// MaxNesting is how deep messages may be nested to be read: as in protobuf
// for C++ and Java. protojson would take 10,000 levels, and time that grows
// with the square of them for Anys within Anys.
const MaxNesting = 100

// JSON can take far more memory as messages than as text: "0," in a
// google.protobuf.ListValue takes 130 bytes, and each Any around another one
// copies what is inside. So a handler bounds the number of values and the
// nesting of a body by its size, before it makes messages of it.
const (
	// freeValues is how many values a body may have whatever its size.
	freeValues = 16 << 10
	// valueSize is how many bytes a body must have for each value beyond them.
	valueSize = 32
	// deepSize is the size of a body, in bytes, beyond which it may be nested
	// maxLargeNesting levels deep only. A smaller one has MaxNesting.
	deepSize        = 64 << 10
	maxLargeNesting = 20
)

// TooComplex returns why a JSON text would cost too much to decode; empty if it
// would not. It expects no valid JSON.
func TooComplex(text []byte) string {
	if len(text) < freeValues {
		return ""
	}
	values, depth, deepest := 1, 0, 0
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
			if c == '\\' {
				i++
			}
		case c == ',':
			values++
		case c == '{' || c == '[':
			values++
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	if limit := freeValues + len(text)/valueSize; values > limit {
		return fmt.Sprintf("%d values in %d bytes are more than %d", values, len(text), limit)
	}
	if len(text) > deepSize && deepest > maxLargeNesting {
		return fmt.Sprintf("%d bytes are nested %d levels deep, more than %d", len(text), deepest, maxLargeNesting)
	}
	return ""
}
