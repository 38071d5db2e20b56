package temporal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"
)

// An operation's ID is one of
//
//	o 0123456789abcdefghijklmn                        random
//	r 0123456789abcdefghijklmnop 0123456789abcde      of a request ID, random
//
// in the digits of base32hex in lower case. The activity's ID is the same
// without the random end of the second form: so two starts with one request ID
// meet in one activity, and what was deleted does not come back under its name.
const (
	randomPrefix  = 'o'
	requestPrefix = 'r'

	randomDigits = 24 // 120 bits
	hashDigits   = 26 // 130 bits
	tailDigits   = 15 // 75 bits

	randomLen  = 1 + randomDigits
	requestLen = 1 + hashDigits + tailDigits

	digits     = "0123456789abcdefghijklmnopqrstuv"
	collection = "operations/"
)

var encoding = base32.NewEncoding(digits).WithPadding(base32.NoPadding)

func random(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails, see crypto/rand
	for i, c := range b {
		b[i] = digits[c&31]
	}
	return string(b)
}

// newID returns the ID of an operation and of its activity.
func newID(queue, caller, requestID string) (id, activityID string) {
	if requestID == "" {
		id = string(randomPrefix) + random(randomDigits)
		return id, id
	}
	h := sha256.New()
	for _, s := range []string{queue, caller, requestID} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		h.Write([]byte(s))
	}
	activityID = string(requestPrefix) + encoding.EncodeToString(h.Sum(nil))[:hashDigits]
	return activityID + random(tailDigits), activityID
}

func formatName(parent, id string) string {
	if parent == "" {
		return collection + id
	}
	return parent + "/" + collection + id
}

// parseName returns the ID of the activity that a name may belong to. Whether
// it does is known only after comparing it with the name in the activity.
func parseName(name string) (activityID string, ok bool) {
	i := strings.LastIndexByte(name, '/') + 1
	before, id := name[:i], name[i:]
	if before != collection && !strings.HasSuffix(before, "/"+collection) {
		return "", false
	}
	switch {
	case len(id) == randomLen && id[0] == randomPrefix:
		activityID = id
	case len(id) == requestLen && id[0] == requestPrefix:
		activityID = id[:1+hashDigits]
	default:
		return "", false
	}
	for i := range len(id) {
		if i > 0 && strings.IndexByte(digits, id[i]) < 0 {
			return "", false
		}
	}
	return activityID, true
}
