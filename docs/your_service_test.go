package docs_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/lrotest"
)

// TestBar: the policy that your-service.md recommends for progress shows each
// step of a minute; without it, few are seen.
func TestBar(t *testing.T) {
	t.Parallel()
	bar := ExportBooks
	bar.Policy = &lro.Policy{MaxInterval: time.Second}

	const steps = 60
	for _, tt := range []struct {
		name     string
		method   lro.Method[*librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata]
		min, max int
	}{
		{"default", ExportBooks, 5, 25},
		{"each second", bar, steps - 10, steps + 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var script []lrotest.Step
				for i := range steps {
					script = append(script, lrotest.Running(&librarypb.ExportBooksMetadata{BooksExported: int64(i)}).For(time.Second))
				}
				var srv lrotest.Server
				srv.Add("operations/export", append(script, lrotest.Succeeded(&librarypb.ExportBooksResponse{}))...)
				op, err := tt.method.Resume(lro.NewClient(srv.Stub()), "operations/export")
				if err != nil {
					t.Fatal(err)
				}
				seen := map[int64]bool{}
				for state, err := range op.Progress(t.Context()) {
					if err != nil {
						t.Fatal(err)
					}
					if md, ok := state.Metadata(); ok {
						seen[md.GetBooksExported()] = true
					}
				}
				if n := len(seen); n < tt.min || n > tt.max {
					t.Errorf("Progress showed %d of %d steps, want %d to %d", n, steps, tt.min, tt.max)
				}
			})
		})
	}
}
