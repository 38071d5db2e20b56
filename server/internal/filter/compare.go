package filter

import (
	"cmp"
	"math/big"
	"reflect"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// compare reports whether got, a value of the shape, meets the comparison.
// explicit says that a field that holds its default was set nevertheless.
func (s shape) compare(got any, explicit bool, op operator, value literal) bool {
	if op == has && value.text == anything {
		return explicit || isSet(got)
	}
	switch s.class {
	case list:
		return op == has && contains(got.(protoreflect.List), *s.elem, value)
	case mapping:
		return op == has && hasKey(got.(protoreflect.Map), value.text)
	case message, binary:
		return false
	}
	want, err := s.parse(value)
	if err != nil {
		return false
	}
	switch got := got.(type) {
	case string:
		return compareText(got, want.(string), op, s.class == exactText)
	case time.Time:
		return holds(op, got.Compare(want.(time.Time)))
	case time.Duration:
		return holds(op, cmp.Compare(got, want.(time.Duration)))
	case int64, uint64, float64:
		return holds(op, compareNumbers(got, want))
	}
	if op == notEquals {
		return got != want
	}
	return got == want && (op == equals || op == has)
}

func isSet(v any) bool {
	switch v := v.(type) {
	case protoreflect.List:
		return v.Len() > 0
	case protoreflect.Map:
		return v.Len() > 0
	case protoreflect.Message:
		return v.IsValid()
	case []byte:
		return len(v) > 0
	}
	return !reflect.ValueOf(v).IsZero()
}

// holds reports whether a comparison that came out as order (as by cmp.Compare)
// is what op asks for.
func holds(op operator, order int) bool {
	switch op {
	case equals, has:
		return order == 0
	case notEquals:
		return order != 0
	case less:
		return order < 0
	case lessEquals:
		return order <= 0
	case greater:
		return order > 0
	case greaterEquals:
		return order >= 0
	}
	return false
}

func compareText(got, want string, op operator, exact bool) bool {
	if !exact {
		got, want = strings.ToLower(got), strings.ToLower(want)
	}
	switch op {
	case equals:
		return matchWildcard(got, want)
	case notEquals:
		return !matchWildcard(got, want)
	case has:
		return matchWildcard(got, anything+want+anything)
	}
	return holds(op, strings.Compare(got, want))
}

// matchWildcard reports whether s is pattern, in which "*" is any text.
func matchWildcard(s, pattern string) bool {
	parts := strings.Split(pattern, anything)
	if len(parts) == 1 {
		return s == pattern
	}
	s, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		_, after, found := strings.Cut(s, part)
		if !found {
			return false
		}
		s = after
	}
	return strings.HasSuffix(s, parts[last])
}

// compareNumbers compares exactly: an int64 beyond 2^53 is not what a float64
// makes of it.
func compareNumbers(a, b any) int {
	if a, ok := a.(int64); ok {
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
	}
	x, y := bigNumber(a), bigNumber(b)
	if x == nil || y == nil {
		// Not a number: equal to nothing, so any fixed order will do.
		return -1
	}
	return x.Cmp(y)
}

func bigNumber(v any) *big.Float {
	switch v := v.(type) {
	case int64:
		return new(big.Float).SetInt64(v)
	case uint64:
		return new(big.Float).SetUint64(v)
	case float64:
		if v != v {
			return nil
		}
		return new(big.Float).SetFloat64(v)
	}
	return nil
}

func contains(values protoreflect.List, elem shape, value literal) bool {
	for i := range values.Len() {
		if v, ok := elem.value(values.Get(i)); ok && elem.compare(v, true, equals, value) {
			return true
		}
	}
	return false
}

func hasKey(m protoreflect.Map, key string) bool {
	found := false
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		found = strings.EqualFold(k.String(), key)
		return !found
	})
	return found
}
