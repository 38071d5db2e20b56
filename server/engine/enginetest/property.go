package enginetest

import (
	"bytes"
	"fmt"
	"slices"
	"sync/atomic"

	"google.golang.org/genproto/googleapis/rpc/code"
	"pgregory.net/rapid"

	"github.com/go-lro/lro/server/engine"
)

var propertyTests = []test{
	{name: "pages under inserts", run: propertyPages},
	{name: "request IDs", run: propertyRequestIDs},
	{name: "fencing", run: propertyFencing},
}

// trial is one case of a property. Cases share an engine and have a parent of
// their own.
type trial struct {
	*rapid.T
	v      *env
	parent string
}

func (v *env) check(property func(*trial)) {
	v.Helper()
	var n atomic.Int64
	rapid.Check(v.T, func(rt *rapid.T) {
		property(&trial{T: rt, v: v, parent: fmt.Sprintf("trials/%d", n.Add(1))})
	})
}

func (t *trial) start(spec engine.Spec) *engine.Record {
	spec.Parent = t.parent
	rec, err := t.v.eng.Start(t.v.Context(), spec)
	if err != nil {
		t.Fatalf("Start(%+v) = %v", spec, err)
	}
	return rec
}

// propertyPages: pages show each operation that was there when the first was
// read, and stays, once and in order, whatever else happens meanwhile.
func propertyPages(v *env) {
	if v.ListLags {
		v.Skip("declared: List lags")
	}
	v.check(func(t *trial) {
		type op struct {
			rec     *engine.Record
			ended   bool
			deleted bool
		}
		var ops []*op // oldest first
		add := func() {
			ops = append(ops, &op{rec: t.start(engine.Spec{Kind: kind, External: true})})
		}
		end := func(o *op) {
			_, err := v.eng.Complete(v.Context(), o.rec.Lease(), engine.Completion{Response: text("")})
			if err != nil {
				t.Fatalf("Complete() = %v", err)
			}
			o.ended = true
		}
		pick := func(label string) *op {
			if len(ops) == 0 {
				return nil
			}
			return ops[rapid.IntRange(0, len(ops)-1).Draw(t.T, label)]
		}
		for range rapid.IntRange(0, 12).Draw(t.T, "operations") {
			add()
		}
		there := slices.Clone(ops)
		var got []string
		q := engine.Query{Parent: t.parent}
		for page := 0; ; page++ {
			q.Limit = rapid.IntRange(1, 5).Draw(t.T, "limit")
			p, err := v.eng.List(v.Context(), q)
			if err != nil {
				t.Fatalf("List(%+v) = %v", q, err)
			}
			for _, rec := range p.Records {
				got = append(got, rec.Name)
			}
			if q.After = p.Next; q.After == "" {
				break
			}
			for range rapid.IntRange(0, 3).Draw(t.T, "changes") {
				switch o := pick("operation"); rapid.IntRange(0, 3).Draw(t.T, "change") {
				case 0, 1:
					add()
				case 2:
					if o != nil && !o.ended {
						end(o)
					}
				case 3:
					if o == nil || o.deleted || !o.ended {
						continue
					}
					if err := v.eng.Delete(v.Context(), o.rec.Name); err != nil {
						t.Fatalf("Delete() = %v", err)
					}
					o.deleted = true
				}
			}
		}
		var want []string
		for _, o := range slices.Backward(there) {
			// A deleted one may have been shown before.
			if !o.deleted || slices.Contains(got, o.rec.Name) {
				want = append(want, o.rec.Name)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("pages have %q, want %q", got, want)
		}
	})
}

// propertyRequestIDs: a request ID leads to the operation it started first.
func propertyRequestIDs(v *env) {
	type key struct{ caller, id string }
	type started struct {
		name, kind, request string
	}
	v.check(func(t *trial) {
		known := make(map[key]started)
		names := make(map[string]bool)
		// Request IDs of other cases must not collide.
		prefix := t.parent + "/"
		for range rapid.IntRange(1, 12).Draw(t.T, "calls") {
			k := key{
				caller: prefix + rapid.SampledFrom([]string{"", "a", "b"}).Draw(t.T, "caller"),
				id:     rapid.SampledFrom([]string{"", "x", "y", "ax"}).Draw(t.T, "request ID"),
			}
			s := started{
				kind:    rapid.SampledFrom([]string{"k", "l"}).Draw(t.T, "kind"),
				request: rapid.SampledFrom([]string{"", "1", "2"}).Draw(t.T, "request"),
			}
			rec, err := v.eng.Start(v.Context(), engine.Spec{
				Kind: s.kind, Parent: t.parent, Request: text(s.request), RequestID: k.id, Caller: k.caller,
			})
			first, ok := known[k]
			if k.id == "" {
				ok = false
			}
			switch {
			case !ok && err == nil && !names[rec.Name]:
				s.name = rec.Name
				known[k] = s
				names[s.name] = true
			case ok && err == nil && rec.Name == first.name && s.kind == first.kind && s.request == first.request:
			case ok && err != nil && (s.kind != first.kind || s.request != first.request):
				v.wantErr("Start()", err, engine.ErrRequestIDReused)
			default:
				t.Fatalf("Start(%+v, %+v) = %v, %v; the request ID had started %+v", k, s, rec, err, first)
			}
		}
	})
}

// propertyFencing: only the latest attempt of an operation can change it.
func propertyFencing(v *env) {
	c := v.workAs(engine.Worker{Kinds: map[string]int{kind: 0}, Concurrency: 1})
	v.check(func(t *trial) {
		rec := t.start(engine.Spec{Kind: kind})
		runs := []*run{c.nextOf(rec)}
		var checkpoint []byte
		for i := range rapid.IntRange(0, 10).Draw(t.T, "steps") {
			current := runs[len(runs)-1]
			r := runs[rapid.IntRange(0, len(runs)-1).Draw(t.T, "attempt")]
			payload := fmt.Appendf(nil, "%d", i)
			switch rapid.IntRange(0, 3).Draw(t.T, "step") {
			case 0:
				err := r.Save(v.Context(), payload)
				if r == current {
					checkpoint = payload
				}
				t.wantFenced("Save()", err, r != current)
			case 1:
				_, err := v.eng.Heartbeat(v.Context(), r.Record().Lease())
				t.wantFenced("Heartbeat()", err, r != current)
			case 2:
				if r == current {
					continue
				}
				_, err := v.eng.Complete(v.Context(), r.Record().Lease(), engine.Completion{Response: text("late")})
				t.wantFenced("Complete()", err, true)
			case 3:
				current.end(engine.Outcome{Error: failed(code.Code_UNAVAILABLE, ""), Retry: true})
				runs = append(runs, c.nextOf(rec))
			}
		}
		runs[len(runs)-1].end(succeed("response"))
		end, err := v.eng.Wait(v.Context(), rec.Name)
		if err != nil {
			t.Fatalf("Wait() = %v", err)
		}
		if end.State != engine.Succeeded || read(end.Response) != "response" || end.Attempt != len(runs) ||
			!bytes.Equal(end.Checkpoint, checkpoint) {
			t.Fatalf("ended as %v, want the end of attempt %d with checkpoint %q", end, len(runs), checkpoint)
		}
		for _, r := range runs {
			t.wantFenced("Save() after the end", r.Save(v.Context(), nil), true)
		}
	})
}

func (t *trial) wantFenced(call string, err error, fenced bool) {
	if !fenced {
		if err != nil {
			t.Fatalf("%s = %v, want none", call, err)
		}
		return
	}
	t.v.wantErr(call, err, engine.ErrFenced)
}
