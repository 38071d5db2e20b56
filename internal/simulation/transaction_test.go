package simulation

import (
	"context"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/go-lro/lro/internal/oracle"
)

// saysOf compares what the oracle says of a history with what it should say: nothing
// where want is empty.
func saysOf(t *testing.T, r *result, events []oracle.Event, want string) {
	t.Helper()
	for _, e := range events {
		r.Events = append(r.Events, &e)
	}
	got := strings.Join(check(r).wrong, "\n")
	if want == "" && got != "" || !strings.Contains(got, want) {
		t.Errorf("the oracle says %q, want %q", got, want)
	}
}

// TestWritten: what an attempt does in a transaction, and the row that it writes
// there, are there together or not at all, once.
func TestWritten(t *testing.T) {
	t.Parallel()
	const name, row = "shelves/a/operations/x", "a row"
	view := func(state, result string) *oracle.View {
		return &oracle.View{Name: name, State: state, Attempt: 1, Result: result}
	}
	claimed := []oracle.Event{
		{Do: oracle.Start, Seen: &oracle.View{Name: name, State: "PENDING"}, Call: 1, Return: 2},
		{Do: oracle.Claim, Name: name, Attempt: 1, Call: 3, Return: 4},
	}
	done := oracle.Event{Do: oracle.Get, Name: name, Seen: view("SUCCEEDED", "ok:in"), Call: 7, Return: 8}
	runs := oracle.Event{Do: oracle.Wait, Name: name, Seen: view("RUNNING", ""), Call: 7, Return: 8}
	for _, tt := range []struct {
		name string
		out  string // of the transaction
		seen oracle.Event
		rows []string
		want string // empty for nothing
	}{
		{"committed", oracle.OK, done, []string{row}, ""},
		{"committed, and the row is lost", oracle.OK, done, nil, "its row is not there"},
		{"committed, and the end is lost", oracle.OK, runs, []string{row}, "no order"},
		{"committed twice", oracle.OK, done, []string{row, row}, "written 2 times"},
		{"rolled back", oracle.Undone, runs, nil, ""},
		{"rolled back, and the row is there", oracle.Undone, runs, []string{row}, "not committed"},
		{"rolled back, and the end is there", oracle.Undone, done, nil, "no order"},
		{"without an answer, committed", oracle.Unknown, done, []string{row}, ""},
		{"without an answer, not committed", oracle.Unknown, runs, nil, ""},
		{"without an answer, and the row is lost", oracle.Unknown, done, nil, "no order"},
		{"refused, and the row is there", oracle.Lost, runs, []string{row}, "not committed"},
		{"a row of another", oracle.Undone, runs, []string{"another"}, "of no transaction"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			end := oracle.Event{Do: oracle.Complete, Name: name, Attempt: 1, Arg: "in", Row: row, Out: tt.out, Call: 5, Return: 6}
			if tt.out == oracle.Unknown {
				end.Return = 0
			}
			saysOf(t, &result{Keys: []string{kindWork}, Rows: tt.rows}, append(claimed, end, tt.seen), tt.want)
		})
	}
	t.Run("without an answer, committed, and it runs on", func(t *testing.T) {
		t.Parallel()
		end := oracle.Event{Do: oracle.Complete, Name: name, Attempt: 1, Arg: "in", Row: row, Out: oracle.Unknown, Call: 5}
		after := oracle.Event{Do: oracle.Get, Name: name, Seen: view("FAILED", "err:FAILED_PRECONDITION"), Call: 9, Return: 10}
		finish := oracle.Event{Do: oracle.Finish, Name: name, Attempt: 1, Arg: "err:FAILED_PRECONDITION", Out: oracle.Unknown, Call: 7}
		saysOf(t, &result{Keys: []string{kindWork}, Rows: []string{row}}, append(claimed, end, finish, after), "no order")
	})
	t.Run("two attempts of one that was deleted", func(t *testing.T) {
		t.Parallel()
		saysOf(t, &result{Keys: []string{kindWork}, Rows: []string{"1", "2"}}, append(claimed,
			oracle.Event{Do: oracle.Delete, Name: name, Call: 5, Return: 6},
			oracle.Event{Do: oracle.Complete, Name: name, Attempt: 1, Row: "1", Call: 7, Return: 8},
			oracle.Event{Do: oracle.Complete, Name: name, Attempt: 2, Row: "2", Call: 9, Return: 10},
		), "transactions of two attempts")
	})
}

// TestToldElsewhere: an attempt hears of a cancel through another process, unless
// something happens to its own.
func TestToldElsewhere(t *testing.T) {
	t.Parallel()
	const name = "shelves/a/operations/x"
	died := func(lived int) []oracle.Event {
		return []oracle.Event{{Key: -1, Do: oracle.Die, Out: oracle.Unknown, Call: 7, From: 2 * time.Second, To: 2 * time.Second, Lived: lived}}
	}
	for _, tt := range []struct {
		name   string
		told   time.Duration
		faults []oracle.Event
		want   string // empty for nothing
	}{
		{"at once", 2 * time.Second, nil, ""},
		{"never", 0, nil, "heard of a cancel"},
		{"late", 25 * time.Second, nil, "heard of a cancel"},
		{"never, and its process had a fault", 0, died(1), ""},
		{"never, and another process had a fault", 0, died(2), "heard of a cancel"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			saysOf(t, &result{Keys: []string{kindWork}, Shared: true, Pace: sharedPace}, append(tt.faults,
				oracle.Event{Do: oracle.Start, Seen: &oracle.View{Name: name, State: "PENDING"}, Call: 1, Return: 2, Lived: 2},
				oracle.Event{Do: oracle.Claim, Name: name, Attempt: 1, Call: 3, Return: 4, Lived: 1},
				oracle.Event{Do: oracle.Cancel, Name: name, Call: 5, Return: 6, From: time.Second, To: time.Second, Lived: 2},
				oracle.Event{Do: oracle.Finish, Name: name, Attempt: 1, Arg: "ok:1/0", Out: oracle.Unknown, Call: 8, From: 30 * time.Second, To: 30 * time.Second, Lived: 1, Told: tt.told},
			), tt.want)
		})
	}
}

// interrupted is a Transactor with something that happens between the first statement
// of a transaction and the call in it.
type interrupted struct {
	Transactor
	meanwhile func()
}

func (i interrupted) Transact(ctx context.Context, _ Way, f func(context.Context, func(string) error) error) error {
	return f(ctx, func(string) error { i.meanwhile(); return nil })
}

// TestSnapshot: a transaction that is isolated may be shown what was there at its first
// statement, any other one what is there at each.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	for isolation, before := range map[string]bool{"": false, "REPEATABLE READ": true, "SERIALIZABLE": true} {
		w := newWorld(&program{})
		var meanwhile int
		in := transaction{
			Transactor: interrupted{meanwhile: func() { meanwhile = w.history.next() }},
			way:        Way{Isolation: isolation},
		}
		w.together(t.Context(), in, call{do: func(context.Context) (*longrunningpb.Operation, error) { return nil, nil }})
		if e := w.history.events[0]; (e.Call < meanwhile) != before {
			t.Errorf("isolation %q: the call is at %d, and what happened meanwhile at %d", isolation, e.Call, meanwhile)
		}
	}
}
