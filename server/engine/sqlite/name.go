package sqlite

import (
	"strings"

	"github.com/go-lro/lro/server/engine/enginekit"
)

// An operation's ID is a letter, the operation's sequence number and random
// characters, the latter two in the digits of base32hex in lower case:
//
//	o 00000abc 0123456789abcde
//
// The number finds the row without an index on names, and sorts names by age.
// The 75 random bits make the name unguessable.
const (
	idPrefix   = 'o'
	seqDigits  = 8
	tailDigits = 15
	idLen      = 1 + seqDigits + tailDigits

	// maxSeq is the last sequence number that fits, 2^40 - 1.
	maxSeq = 1<<(5*seqDigits) - 1
)

func formatID(seq int64, tail string) string {
	var b [idLen]byte
	b[0] = idPrefix
	putSeq(b[1:1+seqDigits], seq)
	copy(b[1+seqDigits:], tail)
	return string(b[:])
}

// parseName returns the sequence number in an operation's name. Whether the
// name is that operation's is known only after comparing it with the row's.
func parseName(name string) (seq int64, ok bool) {
	id, ok := enginekit.ParseName(name)
	if !ok || len(id) != idLen || id[0] != idPrefix {
		return 0, false
	}
	return parseSeq(id[1 : 1+seqDigits])
}

func putSeq(dst []byte, seq int64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = enginekit.Digits[seq&31]
		seq >>= 5
	}
}

func parseSeq(s string) (seq int64, ok bool) {
	for i := range len(s) {
		d := strings.IndexByte(enginekit.Digits, s[i])
		if d < 0 {
			return 0, false
		}
		seq = seq<<5 | int64(d)
	}
	return seq, true
}

// A cursor is the sequence number of the last operation that was looked at.

func formatCursor(seq int64) string {
	var b [seqDigits]byte
	putSeq(b[:], seq)
	return string(b[:])
}

func parseCursor(s string) (seq int64, ok bool) {
	if len(s) != seqDigits {
		return 0, false
	}
	return parseSeq(s)
}
