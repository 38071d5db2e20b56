package postgres

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/go-lro/lro/server/engine"
)

// TestDamaged: an operation that cannot be read back is shown as damaged and
// harms no other. Without its request it ends as DATA_LOSS.
func TestDamaged(t *testing.T) {
	t.Parallel()
	s := newStore(t, &Options{Lease: testLease})
	e := s.open(t)
	pending := mustStart(t, e, engine.Spec{Request: text("request"), Trace: map[string]string{"a": "b"}, Metadata: text("metadata")})
	good := mustStart(t, e, engine.Spec{Request: text("request")})
	ended := mustStart(t, e, engine.Spec{Kind: "other", External: true})
	if _, err := e.Complete(t.Context(), ended.Lease(), engine.Completion{Response: text("response")}); err != nil {
		t.Fatal(err)
	}
	seq := func(rec *engine.Record) int64 { return startedNews(rec).seq }
	s.exec(t, e.sql.tables.Replace(`UPDATE {op} SET request = '\xff', trace = '[' WHERE seq = $1`), seq(pending))
	s.exec(t, e.sql.tables.Replace(`UPDATE {live} SET metadata = '\xff', history = '{"t": 1}' WHERE seq = $1`), seq(pending))
	s.exec(t, e.sql.tables.Replace(`UPDATE {op} SET result = '\xff' WHERE seq = $1`), seq(ended))

	page, err := e.List(t.Context(), engine.Query{AnyParent: true, Limit: 10})
	if err != nil || len(page.Records) != 3 {
		t.Fatalf("List() = %v, %v; want 3 operations", page.Records, err)
	}
	for i, want := range []string{"result", "", "request"} {
		if got := page.Records[i].Damaged; (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("damage of operation %d is %q, want %q", i, got, want)
		}
	}
	for _, part := range []string{"trace", "metadata", "history"} {
		if got := page.Records[2].Damaged; !strings.Contains(got, part) {
			t.Errorf("damage is %q, want %q in it", got, part)
		}
	}
	if got := page.Records[0]; got.State != engine.Succeeded || got.Error.GetCode() != int32(code.Code_DATA_LOSS) {
		t.Errorf("state %v, error %v; want DATA_LOSS", got.State, got.Error)
	}

	work(t, e, func(_ context.Context, a engine.Attempt) engine.Outcome {
		if a.Record().Name != good.Name {
			t.Errorf("attempt of %q, want none without its request", a.Record().Name)
		}
		return engine.Outcome{Response: text("ran")}
	})
	if rec, err := e.Wait(t.Context(), good.Name); err != nil || rec.State != engine.Succeeded {
		t.Errorf("Wait() = %v, %v; want success", rec, err)
	}
	if rec, err := e.Wait(t.Context(), pending.Name); err != nil || rec.Error.GetCode() != int32(code.Code_DATA_LOSS) {
		t.Errorf("Wait() of the damaged one = %v, %v; want DATA_LOSS", rec, err)
	}
	for _, rec := range page.Records {
		if err := e.Delete(t.Context(), rec.Name); err != nil {
			t.Errorf("Delete(%q) = %v", rec.Name, err)
		}
	}
}
