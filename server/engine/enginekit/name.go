package enginekit

import (
	"crypto/rand"
	"strings"
)

// Digits are those of base32hex in lower case, which sort by their values. IDs
// of operations are made of them.
const Digits = "0123456789abcdefghijklmnopqrstuv"

// collection is the segment before an operation's ID, see [engine.Engine].
const collection = "operations/"

// Random returns n digits, of 5 random bits each. 15 are unguessable.
func Random(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails, see crypto/rand
	for i, c := range b {
		b[i] = Digits[c&31]
	}
	return string(b)
}

// FormatName returns the name of an operation; parent may be empty.
func FormatName(parent, id string) string {
	if parent == "" {
		return collection + id
	}
	return parent + "/" + collection + id
}

// ParseName returns the last segment of a name that FormatName may have made.
func ParseName(name string) (id string, ok bool) {
	i := strings.LastIndexByte(name, '/') + 1
	before, id := name[:i], name[i:]
	return id, before == collection || strings.HasSuffix(before, "/"+collection)
}
