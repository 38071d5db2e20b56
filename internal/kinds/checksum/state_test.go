package checksum

import (
	"bytes"
	"slices"
	"testing"
)

func TestState(t *testing.T) {
	t.Parallel()
	for _, s := range []state{
		{},
		{last: "a/b", bytes: 1 << 40, digests: []digest{{1}, {2}, {255}}},
		{last: "\xff not UTF-8", digests: make([]digest, 1000)},
	} {
		got, err := decodeState(s.encode())
		if err != nil || got.last != s.last || got.bytes != s.bytes || !slices.Equal(got.digests, s.digests) {
			t.Errorf("decodeState(encode(%+v)) = %+v, %v", s, got, err)
		}
	}
}

func FuzzDecodeState(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte{formatVersion})
	f.Add([]byte{formatVersion, 0, 0})
	f.Add([]byte{formatVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0})
	f.Add((&state{last: "a", bytes: 3, digests: []digest{{1}}}).encode())
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := decodeState(in)
		if err != nil {
			return
		}
		again, err := decodeState(s.encode())
		if err != nil || again.last != s.last || again.bytes != s.bytes || !slices.Equal(again.digests, s.digests) {
			t.Errorf("decodeState(%x) = %+v, which decodes from its own encoding as %+v, %v", in, s, again, err)
		}
		// Varints have longer forms than the shortest, so the bytes may differ
		// in length, never in what follows the header.
		if n := 32 * len(s.digests); !bytes.HasSuffix(s.encode(), in[len(in)-n:]) {
			t.Errorf("decodeState(%x) lost digests: %+v", in, s)
		}
	})
}
