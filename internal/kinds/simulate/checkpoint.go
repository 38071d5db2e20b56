package simulate

import "encoding/binary"

// encodeStep returns a checkpoint: the number of steps done.
func encodeStep(step int64) []byte { return binary.AppendUvarint(nil, uint64(step)) }

// decodeStep reads what encodeStep wrote, and starts over where that makes no
// sense.
func decodeStep(checkpoint []byte, steps int64) int64 {
	step, n := binary.Uvarint(checkpoint)
	if n <= 0 || n != len(checkpoint) || step > uint64(steps) {
		return 0
	}
	return int64(step)
}
