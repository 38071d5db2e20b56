package enginekit

import "testing"

func FuzzDecodeHistory(f *testing.F) {
	for _, seed := range []string{"", "[]", `[{"t":1,"e":"checkpoint","a":1,"x":"text"}]`, `[{"t":"x"}]`, "null", "[[", `[{"t":9223372036854775807}]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		events, err := DecodeHistory(text)
		if err != nil {
			return
		}
		again, err := EncodeHistory(events)
		if err != nil {
			t.Fatalf("EncodeHistory(%v) = %v", events, err)
		}
		back, err := DecodeHistory(again)
		if err != nil || len(back) != len(events) {
			t.Errorf("DecodeHistory(%q) = %v, %v; want %v", again, back, err, events)
		}
	})
}
