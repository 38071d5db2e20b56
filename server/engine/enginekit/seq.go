package enginekit

import (
	"fmt"
	"strings"

	"github.com/go-lro/lro/server/engine"
)

// An engine that numbers its operations can use the number in their IDs: a
// letter, the number and random characters, the latter two in [Digits].
//
//	o 00000abc 0123456789abcde
//
// The number finds the operation without an index on names, and sorts names by
// age. The 75 random bits make the name unguessable.
const (
	seqPrefix = 'o'
	seqDigits = 8
	seqIDLen  = 1 + seqDigits + SeqTail

	// SeqTail is how many random digits end an ID.
	SeqTail = 15

	// MaxSeq is the last number that fits, 2^40 - 1.
	MaxSeq = 1<<(5*seqDigits) - 1
)

// FormatSeqID returns the ID of an operation. seq is from 0 to [MaxSeq], and
// tail has [SeqTail] digits of [Random].
func FormatSeqID(seq int64, tail string) string {
	var b [seqIDLen]byte
	b[0] = seqPrefix
	putSeq(b[1:1+seqDigits], seq)
	copy(b[1+seqDigits:], tail)
	return string(b[:])
}

// ParseSeqName returns the number in an operation's name. The caller must
// compare the name with that of the operation it finds.
func ParseSeqName(name string) (seq int64, ok bool) {
	id, ok := ParseName(name)
	if !ok || len(id) != seqIDLen || id[0] != seqPrefix {
		return 0, false
	}
	return parseSeq(id[1 : 1+seqDigits])
}

func putSeq(dst []byte, seq int64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = Digits[seq&31]
		seq >>= 5
	}
}

func parseSeq(s string) (seq int64, ok bool) {
	for i := range len(s) {
		d := strings.IndexByte(Digits, s[i])
		if d < 0 {
			return 0, false
		}
		seq = seq<<5 | int64(d)
	}
	return seq, true
}

// FormatSeqCursor returns a cursor of a list: the number of the last operation
// that was looked at.
func FormatSeqCursor(seq int64) string {
	var b [seqDigits]byte
	putSeq(b[:], seq)
	return string(b[:])
}

// ParseSeqCursor returns the number in a cursor, and false for what
// [FormatSeqCursor] cannot have made.
func ParseSeqCursor(s string) (seq int64, ok bool) {
	if len(s) != seqDigits {
		return 0, false
	}
	return parseSeq(s)
}

// SeqBefore returns the number before which a page of a list begins, newest first:
// that of the query's cursor, or one more than [MaxSeq]. A cursor that
// [FormatSeqCursor] cannot have made is [engine.ErrInvalidCursor], and a limit
// that is not positive is [engine.ErrInvalid].
func SeqBefore(q engine.Query) (int64, error) {
	before := int64(MaxSeq + 1)
	if q.After != "" {
		var ok bool
		if before, ok = ParseSeqCursor(q.After); !ok {
			return 0, fmt.Errorf("%w: %q", engine.ErrInvalidCursor, q.After)
		}
	}
	if q.Limit < 1 {
		return 0, fmt.Errorf("%w: limit %d is not positive", engine.ErrInvalid, q.Limit)
	}
	return before, nil
}
