package sqlite

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

func FuzzGet(f *testing.F) {
	id := enginekit.FormatSeqID(42, "0123456789abcde")
	for _, seed := range []string{
		"", "operations/" + id, "projects/p/operations/" + id, "/operations/" + id, "operations/" + strings.ToUpper(id),
		id, "xoperations/" + id, "operations/" + id[:len(id)-1], "operations//" + id, "operations/x" + id[1:],
	} {
		f.Add(seed)
	}
	e := mustOpen(f, filepath.Join(f.TempDir(), "operations.db"), nil)
	rec, err := e.Start(f.Context(), engine.Spec{Kind: "k", Parent: "projects/p"})
	if err != nil {
		f.Fatalf("Start() = %v", err)
	}
	f.Add(rec.Name)
	f.Fuzz(func(t *testing.T, name string) {
		got, err := e.Get(t.Context(), name)
		if name == rec.Name && err != nil || name != rec.Name && !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("Get(%q) = %v, %v", name, got, err)
		}
	})
}
