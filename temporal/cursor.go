package temporal

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/go-lro/lro/internal/base64url"
)

// cursor is a place in a list: behind the operation with this time and ID.
type cursor struct {
	at   time.Time     // as visibility has it
	id   string        // of the activity; empty for before all of this time
	span time.Duration // of time that is worth asking for at once; 0 for all
}

const (
	cursorVersion = 1
	cursorHead    = 1 + 8 + 8
	cursorSum     = 4

	// maxActivityID is Temporal's limit: what stands in our queues need not be
	// ours.
	maxActivityID = 1000
)

func (c cursor) String() string {
	b := []byte{cursorVersion}
	b = binary.BigEndian.AppendUint64(b, uint64(c.at.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, uint64(c.span))
	b = append(b, c.id...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64url.Encode(b)
}

// parseCursor reports false for what String has not made. The sum keeps
// accidents out, nothing else: a cursor gives no right.
func parseCursor(s string) (c cursor, ok bool) {
	b, err := base64url.Decode(s)
	if err != nil || len(b) < cursorHead+cursorSum || len(b) > cursorHead+maxActivityID+cursorSum || b[0] != cursorVersion {
		return cursor{}, false
	}
	body := b[:len(b)-cursorSum]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(b[len(body):]) {
		return cursor{}, false
	}
	c.at = time.Unix(0, int64(binary.BigEndian.Uint64(body[1:]))).UTC()
	c.span = time.Duration(binary.BigEndian.Uint64(body[9:]))
	c.id = string(body[cursorHead:])
	return c, c.span >= 0
}

// before reports whether what has this time and ID comes behind the cursor, in
// a list that begins with the newest.
func (c cursor) before(at time.Time, id string) bool {
	if at.Equal(c.at) {
		return id < c.id
	}
	return at.Before(c.at)
}
