package filter

import (
	"testing"

	"github.com/go-lro/lro/server/engine"
)

// Whatever is accepted can be evaluated, and what was pushed down to the
// engine selects the same as the terms one by one.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"done:true", "NOT done", "error:*", "metadata.@type=type.googleapis.com/lro.v1.OperationMetadata",
		"metadata.progress.done>=5 AND (name:x OR kind=export) -state:RUNNING", `name="a\"b" response.files<0x10`,
		"create_time>2026-03-28T14:50:00+02:00", "metadata.duration=1.5s", "error.details.metadata.disk:sda",
		"a(b(c(d(", "((((", "=", "!", `"`, "\xff", "a.b.c.d.e=1", "done:true done:false", "kind=a OR kind=b",
		`name:"\u00e4"`, "x<-1.", "timestamp(\"x\")<1",
	} {
		f.Add(seed)
	}
	run, ok, failed, strange := testRecords(f)
	f.Fuzz(func(t *testing.T, text string) {
		for _, types := range []Types{{}, testTypes} {
			filter, err := Parse(text, types)
			if err != nil {
				continue
			}
			where := filter.Where(view)
			for _, rec := range []*engine.Record{run, ok, failed, strange} {
				want := all(filter.terms).match(&item{rec: rec, op: view(rec)})
				if got := where.Matches(rec); got != want {
					t.Fatalf("filter %q of %s: Where matches %t, terms %t", text, rec.Name, got, want)
				}
			}
		}
	})
}
