package enginetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-lro/lro/server/engine"
)

var getTests = []test{
	{name: "unknown", run: getUnknown},
	{name: "records are immutable", run: getImmutable},
	{name: "revision grows", run: getRevision},
	{name: "many", run: getMany},
	{name: "keeps records", run: getKept},
}

func badNames(name string) []string {
	return []string{
		"", "/", "operations", "operations/", "operations/nope", "nope", "\x00", "operations/" + strings.Repeat("a", 1<<16),
		strings.TrimPrefix(name, parent+"/"), "other/" + name, name + "x", name + "/", "/" + name,
		strings.ToUpper(name), strings.Replace(name, "/operations/", "/", 1), parent, parent + "/operations/",
	}
}

func getKept(v *env) {
	if k, ok := v.eng.(engine.RecordKeeper); !ok || !k.KeepsRecords() {
		v.Skip("not an engine.RecordKeeper")
	}
	rec := v.start(engine.Spec{External: true}) // it runs, so that an engine without a cache has it, too
	if first, second := v.get(rec.Name), v.get(rec.Name); first != second {
		v.Error("Get() makes a record for each call")
	}
}

func getUnknown(v *env) {
	rec := v.start(engine.Spec{})
	for _, name := range badNames(rec.Name) {
		_, err := v.eng.Get(v.Context(), name)
		v.wantErr(fmt.Sprintf("Get(%.80q)", name), err, engine.ErrNotFound)
		_, err = v.eng.Cancel(v.Context(), name)
		v.wantErr(fmt.Sprintf("Cancel(%.80q)", name), err, engine.ErrNotFound)
		_, err = v.eng.Wait(v.Context(), name)
		v.wantErr(fmt.Sprintf("Wait(%.80q)", name), err, engine.ErrNotFound)
		v.wantErr(fmt.Sprintf("Delete(%.80q)", name), v.eng.Delete(v.Context(), name), engine.ErrNotFound)
	}
	v.wantSame("the operation", v.get(rec.Name), rec)
}

// life takes an operation through all its states, and calls look after each.
func life(v *env, look func(*engine.Record)) {
	c := v.work()
	rec := v.start(engine.Spec{Metadata: text("0")})
	look(rec)
	r := c.nextOf(rec)
	look(v.get(rec.Name))
	r.Report(text("1"))
	look(v.get(rec.Name))
	if err := r.Save(r.ctx, []byte("checkpoint")); err != nil {
		v.Errorf("Save() = %v", err)
	}
	look(v.get(rec.Name))
	r.end(engine.Outcome{Error: failed(14, "again"), Retry: true})
	r = c.nextOf(rec)
	look(v.get(rec.Name))
	look(v.cancel(rec.Name))
	<-r.ctx.Done()
	r.end(succeed("response"))
	look(v.wait(rec.Name))
	look(v.cancel(rec.Name))
}

func getImmutable(v *env) {
	var seen, copies []*engine.Record
	life(v, func(r *engine.Record) {
		seen = append(seen, r)
		copies = append(copies, copyRecord(r))
	})
	v.reopen()
	for i := range seen {
		v.wantSame(fmt.Sprintf("record %d changed after it was returned", i), seen[i], copies[i])
	}
}

func getRevision(v *env) {
	var last *engine.Record
	life(v, func(r *engine.Record) {
		if last == nil {
			last = r
			return
		}
		a, b := copyRecord(last), copyRecord(r)
		for _, c := range []*engine.Record{a, b} {
			c.Revision, c.UpdateTime, c.Checkpoint = 0, time.Time{}, nil
		}
		switch changed := diffRecords(b, a) != ""; {
		case r.Revision < last.Revision || changed && r.Revision == last.Revision:
			v.Errorf("revision went from %d to %d, want it to grow with each change:\n%s", last.Revision, r.Revision, diffRecords(b, a))
		case r.UpdateTime.Before(last.UpdateTime):
			v.Errorf("UpdateTime went from %v back to %v", last.UpdateTime, r.UpdateTime)
		}
		last = r
	})
}

func getMany(v *env) {
	var want []*engine.Record
	for i := range 50 {
		want = append(want, v.start(engine.Spec{Request: text(strings.Repeat("x", 100*i))}))
	}
	v.reopen()
	for _, rec := range slices.Backward(want) {
		v.wantSame("Get()", v.get(rec.Name), rec)
	}
}

var listTests = []test{
	{name: "newest first", run: listOrder},
	{name: "pages", run: listPages},
	{name: "is stable while operations start", run: listStable},
	{name: "parents", run: listParents},
	{name: "where", run: listWhere},
	{name: "shows the latest state", run: listLatest},
	{name: "survives crash", run: listSurvives},
	{name: "invalid", run: listInvalid},
}

func (v *env) startN(n int, spec engine.Spec) []string {
	v.Helper()
	names := make([]string, n)
	for i := range n {
		names[n-1-i] = v.start(spec).Name
	}
	return names
}

func listOrder(v *env) {
	v.wantNames(engine.Query{Parent: parent})
	names := v.startN(5, engine.Spec{})
	v.wantNames(engine.Query{Parent: parent}, names...)
}

func listPages(v *env) {
	names := v.startN(7, engine.Spec{})
	for _, limit := range []int{1, 2, 3, 6, 7, 8, 1 << 30} {
		v.wantNames(engine.Query{Parent: parent, Limit: limit}, names...)
	}
	// A cursor holds for another page size.
	p := v.page(engine.Query{Parent: parent, Limit: 2})
	if len(p.Records) == 2 {
		v.wantNames(engine.Query{Parent: parent, Limit: 5, After: p.Next}, names[2:]...)
	}
}

func listStable(v *env) {
	names := v.startN(6, engine.Spec{})
	v.wantNames(engine.Query{Parent: parent}, names...)
	q := engine.Query{Parent: parent, Limit: 2}
	var got []string
	for {
		p := v.page(q)
		for _, r := range p.Records {
			got = append(got, r.Name)
		}
		if p.Next == "" {
			break
		}
		q.After = p.Next
		v.startN(3, engine.Spec{})
	}
	if !slices.Equal(got, names) {
		v.Errorf("pages have %q, want %q", got, names)
	}
}

func listParents(v *env) {
	a := v.startN(2, engine.Spec{Parent: "projects/a"})
	b := v.startN(2, engine.Spec{Parent: "projects/a/locations/b"})
	top, err := v.eng.Start(v.Context(), engine.Spec{Kind: kind})
	if err != nil {
		v.Fatalf("Start() = %v", err)
	}
	v.wantNames(engine.Query{Parent: "projects/a"}, a...)
	v.wantNames(engine.Query{Parent: "projects/a/locations/b"}, b...)
	v.wantNames(engine.Query{}, top.Name)
	v.wantNames(engine.Query{Parent: "projects"})
	v.wantNames(engine.Query{Parent: "projects/a", AnyParent: true, Limit: 2}, slices.Concat([]string{top.Name}, b, a)...)
	v.wantNames(engine.Query{AnyParent: true, Where: engine.Where{Done: new(false)}}, slices.Concat([]string{top.Name}, b, a)...)
}

func listWhere(v *env) {
	old := v.startDone(engine.Spec{Kind: "a"})
	cancelled := v.start(engine.Spec{Kind: "b", Request: text("match")})
	v.cancel(cancelled.Name)
	running := v.start(engine.Spec{Kind: "a", External: true})
	pending := v.start(engine.Spec{Kind: "b"})
	all := []string{pending.Name, running.Name, cancelled.Name, old.Name}
	tests := []struct {
		where engine.Where
		want  []string
	}{
		{engine.Where{}, all},
		{engine.Where{Done: new(false)}, all[:2]},
		{engine.Where{Done: new(true)}, all[2:]},
		{engine.Where{States: []engine.State{engine.Running}}, all[1:2]},
		{engine.Where{States: []engine.State{engine.Pending, engine.Cancelled}}, []string{all[0], all[2]}},
		{engine.Where{Done: new(false), States: []engine.State{engine.Succeeded}}, nil},
		{engine.Where{States: []engine.State{engine.Failed}}, nil},
		{engine.Where{Kinds: []string{"a"}}, []string{all[1], all[3]}},
		{engine.Where{Kinds: []string{"a", "b"}, Done: new(false)}, all[:2]},
		{engine.Where{Kinds: []string{"c"}}, nil},
		{engine.Where{CreatedFrom: running.CreateTime, CreatedBefore: pending.CreateTime}, between(v, all, running, pending)},
		{engine.Where{CreatedFrom: pending.CreateTime.Add(time.Hour)}, nil},
		{engine.Where{CreatedBefore: old.CreateTime}, nil},
		{engine.Where{Match: func(r *engine.Record) bool { return read(r.Request) == "match" }}, all[2:3]},
		{engine.Where{Match: func(*engine.Record) bool { return false }}, nil},
	}
	for _, tt := range tests {
		for _, limit := range []int{1, 100} {
			v.wantNames(engine.Query{Parent: parent, Limit: limit, Where: tt.where}, tt.want...)
			v.wantNames(engine.Query{AnyParent: true, Limit: limit, Where: tt.where}, tt.want...)
		}
	}
}

// between returns the names of those created at or after from and before to,
// by the times the engine gave them: two may have been given the same.
func between(v *env, names []string, from, to *engine.Record) []string {
	var out []string
	for _, name := range names {
		at := v.get(name).CreateTime
		if !at.Before(from.CreateTime) && at.Before(to.CreateTime) {
			out = append(out, name)
		}
	}
	return out
}

func listLatest(v *env) {
	if v.ListLags {
		v.Skip("declared: List lags")
	}
	c := v.work()
	rec := v.start(engine.Spec{})
	look := func() *engine.Record {
		v.Helper()
		p := v.page(engine.Query{Parent: parent, Limit: 10})
		if len(p.Records) != 1 {
			v.Fatalf("List() has %d records, want 1", len(p.Records))
		}
		v.wantSame("List() against Get()", p.Records[0], v.get(rec.Name))
		return p.Records[0]
	}
	r := c.nextOf(rec)
	v.wantState(look(), engine.Running)
	for i := range 5 {
		want := fmt.Sprint(i)
		r.Report(text(want))
		if got := read(look().Metadata); got != want {
			v.Errorf("metadata in List() is %q, want %q", got, want)
		}
		match := func(r *engine.Record) bool { return read(r.Metadata) == want }
		v.wantNames(engine.Query{Parent: parent, Where: engine.Where{Match: match}}, rec.Name)
	}
	r.end(succeed("response"))
	v.wait(rec.Name)
	v.wantState(look(), engine.Succeeded)
	v.wantNames(engine.Query{Parent: parent, Where: engine.Where{Done: new(false)}})
}

func listSurvives(v *env) {
	names := v.startN(5, engine.Spec{})
	v.wantNames(engine.Query{Parent: parent}, names...)
	p := v.page(engine.Query{Parent: parent, Limit: 2})
	v.crash()
	v.wantNames(engine.Query{Parent: parent, Limit: 2}, names...)
	if len(p.Records) == 2 {
		v.wantNames(engine.Query{Parent: parent, Limit: 2, After: p.Next}, names[2:]...)
	}
}

func listInvalid(v *env) {
	v.startN(2, engine.Spec{})
	for _, after := range []string{"x", "\x00", strings.Repeat("a", 1<<16), "../..", "-1", "9223372036854775808"} {
		_, err := v.eng.List(v.Context(), engine.Query{Parent: parent, Limit: 1, After: after})
		v.wantErr(fmt.Sprintf("List(After: %.80q)", after), err, engine.ErrInvalidCursor)
	}
	for _, limit := range []int{0, -1} {
		_, err := v.eng.List(v.Context(), engine.Query{Parent: parent, Limit: limit})
		v.wantErr(fmt.Sprintf("List(Limit: %d)", limit), err, engine.ErrInvalid)
	}
	ctx := canceled(v)
	_, err := v.eng.List(ctx, engine.Query{Parent: parent, Limit: 1})
	v.wantErr("List(ended ctx)", err, ctx.Err())
}
