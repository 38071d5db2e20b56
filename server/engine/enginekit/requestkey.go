package enginekit

import (
	"crypto/sha256"
	"encoding/binary"
)

// RequestKey identifies a request ID and its caller. It is unique as far as
// SHA-256 is free of collisions. Engines store it, and it never changes.
func RequestKey(caller, requestID string) [16]byte {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 8+len(caller)+len(requestID)), uint64(len(caller)))
	sum := sha256.Sum256(append(append(b, caller...), requestID...))
	return [16]byte(sum[:16])
}
