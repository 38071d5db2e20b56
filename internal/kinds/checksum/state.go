package checksum

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
)

type digest [sha256.Size]byte

// state is what has been done: all that a later attempt needs to resume.
type state struct {
	last    string // path of the last file, relative to the directory; empty before the first
	bytes   int64
	digests []digest // of the files, in the order they were read
}

// formatVersion is the first byte of a checkpoint.
const formatVersion = 1

// encode returns the state as a checkpoint: the version, the length of last,
// last, the bytes, and the digests one after another.
func (s *state) encode() []byte {
	out := make([]byte, 0, 1+2*binary.MaxVarintLen64+len(s.last)+len(s.digests)*sha256.Size)
	out = append(out, formatVersion)
	out = binary.AppendUvarint(out, uint64(len(s.last)))
	out = append(out, s.last...)
	out = binary.AppendUvarint(out, uint64(s.bytes))
	for i := range s.digests {
		out = append(out, s.digests[i][:]...)
	}
	return out
}

var errCheckpoint = errors.New("checkpoint is of another version or damaged")

// decodeState reads what encode wrote.
func decodeState(in []byte) (state, error) {
	if len(in) == 0 || in[0] != formatVersion {
		return state{}, errCheckpoint
	}
	in = in[1:]
	length, n := binary.Uvarint(in)
	if n <= 0 || length > uint64(len(in)-n) {
		return state{}, errCheckpoint
	}
	in = in[n:]
	s := state{last: string(in[:length])}
	in = in[length:]
	size, n := binary.Uvarint(in)
	if n <= 0 || int64(size) < 0 || (len(in)-n)%sha256.Size != 0 {
		return state{}, errCheckpoint
	}
	s.bytes = int64(size)
	for chunk := range slices.Chunk(in[n:], sha256.Size) {
		s.digests = append(s.digests, digest(chunk))
	}
	return s, nil
}

// sum is SHA-256 over the digests, each as lower-case hex and a newline,
// sorted; itself as hex.
func (s *state) sum() string {
	sorted := slices.Clone(s.digests)
	slices.SortFunc(sorted, func(a, b digest) int { return bytes.Compare(a[:], b[:]) })
	h := sha256.New()
	line := make([]byte, 2*sha256.Size+1)
	line[2*sha256.Size] = '\n'
	for i := range sorted {
		hex.Encode(line, sorted[i][:])
		h.Write(line)
	}
	return hex.EncodeToString(h.Sum(nil))
}
