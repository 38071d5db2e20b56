package base64url

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"
)

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in string
		at int64
	}{
		{"AAAA\n", 4},
		{"\rAAAA", 0},
		{"AA\r\nAA", 2},
		{"AA==", 2},
		{"AB", 2}, // bits behind the last byte
		{"A A", 1},
		{"+A", 0},
	} {
		b, err := Decode(tt.in)
		if at, ok := errors.AsType[base64.CorruptInputError](err); !ok || int64(at) > tt.at {
			t.Errorf("Decode(%q) = %x, %v; want input refused at byte %d", tt.in, b, err, tt.at)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", "A", "AA", "AQID", "AA\n", "A\r\nA", "AB", "AA=="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := Decode(s)
		if err != nil {
			return
		}
		if again := Encode(b); again != s {
			t.Errorf("Decode(%q) = %x, which is %q", s, b, again)
		}
		if again, err := Decode(Encode(b)); err != nil || !bytes.Equal(again, b) {
			t.Errorf("Decode(Encode(%x)) = %x, %v", b, again, err)
		}
	})
}
