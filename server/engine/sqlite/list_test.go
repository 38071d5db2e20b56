package sqlite

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-lro/lro/server/engine"
)

// TestQueryPlans: no query reads all operations, or sorts them.
func TestQueryPlans(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, filepath.Join(t.TempDir(), "operations.db"), nil)
	for _, tt := range []struct {
		name  string
		query engine.Query
		want  []string
	}{
		{"any parent", engine.Query{AnyParent: true}, []string{"SEARCH op USING INTEGER PRIMARY KEY (rowid<?)"}},
		{"active", engine.Query{Where: engine.Where{Done: new(false)}}, []string{"SEARCH op USING INDEX op_active (parent=? AND end_time=? AND rowid<?)"}},
		{"pending", engine.Query{Where: engine.Where{States: []engine.State{engine.Pending}}}, []string{"SEARCH op USING INDEX op_active (parent=? AND end_time=? AND rowid<?)"}},
		{"ended", engine.Query{Where: engine.Where{Done: new(true)}}, []string{"SEARCH op USING INDEX op_ended (parent=? AND rowid<?)"}},
		{"all", engine.Query{}, []string{
			"MERGE (UNION ALL)", "LEFT", "SEARCH op USING INDEX op_active (parent=? AND end_time=? AND rowid<?)",
			"RIGHT", "SEARCH op USING INDEX op_ended (parent=? AND rowid<?)",
		}},
		{"active of any parent", engine.Query{AnyParent: true, Where: engine.Where{Done: new(false)}}, []string{
			"SEARCH op USING INTEGER PRIMARY KEY (rowid=?)", "LIST SUBQUERY 1",
			"SCAN op USING COVERING INDEX op_active", "USE TEMP B-TREE FOR ORDER BY", // small, and in the index alone
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sql, _ := scanQuery(tt.query, 1)
			stmt, _, err := e.writer.db.Prepare("EXPLAIN QUERY PLAN " + sql)
			if err != nil {
				t.Fatal(err)
			}
			defer stmt.Close()
			var got []string
			for stmt.Step() {
				got = append(got, stmt.ColumnText(3))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("plan of %s (-want +got):\n%s", strings.Join(strings.Fields(sql), " "), diff)
			}
		})
	}
}

// TestListBounds: a page that finds little ends early, and goes on where it
// ended.
func TestListBounds(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, filepath.Join(t.TempDir(), "operations.db"), nil)
	big := textAny(strings.Repeat("x", maxPageBytes/3))
	for i := range 8 {
		if _, err := e.Start(t.Context(), engine.Spec{Kind: fmt.Sprint(i), Request: big}); err != nil {
			t.Fatalf("Start() = %v", err)
		}
	}
	var kinds []string
	pages := 0
	for q := (engine.Query{Limit: 100}); ; pages++ {
		p, err := e.List(t.Context(), q)
		if err != nil {
			t.Fatalf("List() = %v", err)
		}
		for _, rec := range p.Records {
			kinds = append(kinds, rec.Kind)
		}
		if q.After = p.Next; q.After == "" {
			break
		}
	}
	if diff := cmp.Diff(strings.Fields("7 6 5 4 3 2 1 0"), kinds); diff != "" {
		t.Errorf("List() (-want +got):\n%s", diff)
	}
	if pages < 2 {
		t.Errorf("%d pages after the first for %d MiB, want several", pages, 8*maxPageBytes/3>>20)
	}
}

// TestListYields: a page that finds nothing ends when it has read enough, and
// goes on behind that.
func TestListYields(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, filepath.Join(t.TempDir(), "operations.db"), &Options{CacheBytes: -1})
	big := textAny(strings.Repeat("x", maxPageBytes/4))
	const n = 12
	for range n {
		mustStart(t, e, engine.Spec{Metadata: big})
	}
	seen, pages := 0, 0
	q := engine.Query{Limit: 100, Where: engine.Where{Match: func(*engine.Record) bool { seen++; return false }}}
	for more := true; more; more = q.After != "" {
		before := seen
		p, err := e.List(t.Context(), q)
		if err != nil || len(p.Records) != 0 {
			t.Fatalf("List() = %d records, %v; want none", len(p.Records), err)
		}
		if seen-before > 5 {
			t.Errorf("a page read %d rows of %d bytes, want about %d", seen-before, maxPageBytes/4, maxPageBytes)
		}
		q.After = p.Next
		pages++
	}
	if seen != n || pages < 3 {
		t.Errorf("%d rows in %d pages, want %d in several", seen, pages, n)
	}
}

// TestGetBesideLists: however many lists with a costly filter are under way, a
// Get that has to read is answered.
func TestGetBesideLists(t *testing.T) {
	t.Parallel()
	e := mustOpen(t, filepath.Join(t.TempDir(), "operations.db"), &Options{CacheBytes: -1})
	name := mustStart(t, e, engine.Spec{}).Name
	release, busy := make(chan struct{}), make(chan struct{}, 100)
	var lists sync.WaitGroup
	for range 4 * maxReaders {
		lists.Go(func() {
			_, err := e.List(t.Context(), engine.Query{Limit: 1, Where: engine.Where{Match: func(*engine.Record) bool {
				busy <- struct{}{}
				<-release
				return true
			}}})
			if err != nil {
				t.Errorf("List() = %v", err)
			}
		})
	}
	for range maxScanners {
		<-busy
	}
	mustGet(t, e, name)
	close(release)
	lists.Wait()
}
