package render

import (
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro/internal/cli/dial"
	"github.com/go-lro/lro/internal/cli/term"
)

// Table shows operations as rows: aligned, with ages and no wider than the
// terminal for people; separated by tabs, complete and without a header for
// everything else.
type Table struct {
	io     *term.IO
	widths [columns]int
	headed bool
}

// The columns. The last takes what is left of the line.
const (
	nameColumn = iota
	stateColumn
	progressColumn
	createdColumn
	verbColumn
	detailColumn
	columns
)

var heads = [columns]string{"NAME", "STATE", "PROGRESS", "CREATED", "VERB", "DETAIL"}

// NewTable returns a table that is written to Out.
func NewTable(io *term.IO) *Table {
	t := &Table{io: io}
	for i, head := range heads {
		t.widths[i] = len(head)
	}
	return t
}

// Write adds rows. Columns are as wide as all rows so far need, so rows of a
// later page may stand a little further right.
func (t *Table) Write(ops []*Operation) error {
	times := Times{Terminal: t.io.OutTerminal, Now: time.Now()}
	rows := make([][columns]string, len(ops))
	for i, op := range ops {
		rows[i] = op.row(times)
		for c, text := range rows[i] {
			t.widths[c] = max(t.widths[c], term.Columns(text))
		}
	}
	var b strings.Builder
	if !t.io.OutTerminal {
		for _, row := range rows {
			b.WriteString(strings.Join(row[:], "\t") + "\n")
		}
		_, err := io.WriteString(t.io.Out, b.String())
		return err
	}
	if !t.headed && len(rows) > 0 {
		t.headed = true
		b.WriteString(t.line(heads, "") + "\n")
	}
	for i, row := range rows {
		b.WriteString(t.line(row, ops[i].State) + "\n")
	}
	_, err := io.WriteString(t.io.Out, b.String())
	return err
}

func (o *Operation) row(times Times) [columns]string {
	row := [columns]string{
		nameColumn:    term.Clean(o.Proto.GetName()),
		stateColumn:   o.State,
		createdColumn: times.Text(o.Created),
		verbColumn:    field(o.Verb),
		detailColumn:  field(o.Meter().Text),
	}
	if o.Progress.Percent >= 0 {
		row[progressColumn] = fmt.Sprintf("%d%%", o.Progress.Percent)
	}
	if e := o.Proto.GetError(); e != nil && o.Proto.GetDone() {
		row[detailColumn] = field(dial.CodeName(codes.Code(e.GetCode())) + ": " + e.GetMessage())
	}
	return row
}

const gap = 2

// line lays a row out for the terminal. Where there is not enough room the
// detail goes first, then the verb, the time and the progress; at last the name
// is cut.
func (t *Table) line(row [columns]string, state string) string {
	shown := t.fitting()
	room := t.io.Width()
	var b strings.Builder
	for i, c := range shown {
		text, width := row[c], t.widths[c]
		if last := i == len(shown)-1; last || width > room {
			width = room
		}
		text = term.Fit(text, width)
		pad := width - term.Columns(text)
		if c == stateColumn && text == state {
			text = paint(t.io, state)
		}
		b.WriteString(text)
		room -= width + gap
		if i < len(shown)-1 && room > 0 {
			b.WriteString(strings.Repeat(" ", pad+gap))
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// fitting returns the columns that there is room for, in their order.
func (t *Table) fitting() []int {
	const minDetail = 12
	width := t.io.Width()
	need := t.widths[nameColumn] + gap + t.widths[stateColumn]
	shown := []int{nameColumn, stateColumn}
	for _, c := range []int{progressColumn, createdColumn, verbColumn} {
		if need+gap+t.widths[c] > width {
			return shown
		}
		need += gap + t.widths[c]
		shown = append(shown, c)
	}
	if need+gap+minDetail <= width {
		shown = append(shown, detailColumn)
	}
	return shown
}
