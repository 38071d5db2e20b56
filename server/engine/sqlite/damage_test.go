package sqlite

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-lro/lro/server/engine"
)

// FuzzOpenDamaged opens a database of which one piece was overwritten. It may
// refuse, or answer with errors, and must not panic or hang.
func FuzzOpenDamaged(f *testing.F) {
	for _, seed := range []struct {
		off  uint32
		data string
	}{{0, "x"}, {16, "\x00"}, {18, "\x01\x01"}, {24, "\xff\xff\xff\xff"}, {60, "\x09"}, {68, "\x00"}, {100, "\x0d\x00\x00\x00\x00"}, {4096, "\x00"},
		{8192, "\xff\xff\xff\xff\xff\xff\xff\xff"}, {9000, "CREATE"}, {40000, "\x00\x00\x00\x00\x00\x00"}} {
		f.Add(seed.off, []byte(seed.data))
	}
	sound, err := os.ReadFile(filepath.Join("testdata", "schema1.db"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, off uint32, data []byte) {
		damaged := bytes.Clone(sound)
		copy(damaged[int(off)%len(damaged):], data)
		path := filepath.Join(t.TempDir(), "operations.db")
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := Open(t.Context(), path, nil)
		if err != nil {
			return
		}
		defer e.Close()
		p, err := e.List(t.Context(), engine.Query{AnyParent: true, Limit: 100})
		if err != nil {
			return
		}
		for _, rec := range p.Records {
			_, _ = e.Cancel(t.Context(), rec.Name)
			_, _ = e.Get(t.Context(), rec.Name)
			_ = e.Delete(t.Context(), rec.Name)
		}
		_, _ = e.Start(t.Context(), engine.Spec{Kind: "k", RequestID: "id"})
	})
}
