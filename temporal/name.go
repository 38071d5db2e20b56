package temporal

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"

	"github.com/go-lro/lro/server/engine/enginekit"
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
)

var encoding = base32.NewEncoding(enginekit.Digits).WithPadding(base32.NoPadding)

// newID returns the ID of an operation and of its activity.
func newID(queue, caller, requestID string) (id, activityID string) {
	if requestID == "" {
		id = string(randomPrefix) + enginekit.Random(randomDigits)
		return id, id
	}
	h := sha256.New()
	for _, s := range []string{queue, caller, requestID} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		h.Write([]byte(s))
	}
	activityID = string(requestPrefix) + encoding.EncodeToString(h.Sum(nil))[:hashDigits]
	return activityID + enginekit.Random(tailDigits), activityID
}

// parseName returns the ID of the activity that a name may belong to. Whether
// it does is known only after comparing it with the name in the activity.
func parseName(name string) (activityID string, ok bool) {
	id, ok := enginekit.ParseName(name)
	if !ok {
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
		if i > 0 && strings.IndexByte(enginekit.Digits, id[i]) < 0 {
			return "", false
		}
	}
	return activityID, true
}
