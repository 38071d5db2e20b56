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
	parent string // taken off the names of the last page
}

// The columns. The last takes what is left of the line.
const (
	nameColumn = iota
	stateColumn
	progressColumn
	createdColumn
	kindColumn
	detailColumn
	columns
)

var heads = [columns]string{"NAME", "STATE", "PROGRESS", "CREATED", "KIND", "DETAIL"}

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
	}
	var b strings.Builder
	if !t.io.OutTerminal {
		for _, row := range rows {
			b.WriteString(strings.Join(row[:], "\t") + "\n")
		}
		_, err := io.WriteString(t.io.Out, b.String())
		return err
	}
	t.measure(rows, stateColumn)
	if below := t.shorten(rows); below != "" {
		b.WriteString(term.FitMiddle(below, t.io.Width()) + "\n")
	}
	t.measure(rows, nameColumn)
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

// measure makes the columns beginning with first as wide as the rows need.
func (t *Table) measure(rows [][columns]string, first int) {
	for _, row := range rows {
		for c := first; c < columns; c++ {
			t.widths[c] = max(t.widths[c], term.Columns(row[c]))
		}
	}
}

// shorten takes what all names begin with off them, if there is no room for the
// names beside their state, progress and time, and returns it if it must be
// shown above. measure of the other columns comes first.
func (t *Table) shorten(rows [][columns]string) (show string) {
	width := t.widths[nameColumn]
	for _, row := range rows {
		width = max(width, term.Columns(row[nameColumn]))
	}
	parent := commonParent(rows)
	if t.parent != "" && strings.HasPrefix(parent, t.parent) {
		parent = t.parent // as on the page before
	} else if parent == "" || t.need(width, progressColumn, createdColumn) <= t.io.Width() {
		return ""
	}
	for i := range rows {
		rows[i][nameColumn] = strings.TrimPrefix(rows[i][nameColumn], parent)
	}
	if parent == t.parent {
		return ""
	}
	t.parent = parent
	return parent
}

// commonParent returns what all names begin with, up to a slash.
func commonParent(rows [][columns]string) string {
	if len(rows) == 0 {
		return ""
	}
	parent := rows[0][nameColumn]
	for _, row := range rows {
		name := row[nameColumn]
		n := 0
		for n < min(len(parent), len(name)-1) && parent[n] == name[n] {
			n++
		}
		parent = parent[:strings.LastIndexByte(parent[:n], '/')+1]
	}
	return parent
}

func (o *Operation) row(times Times) [columns]string {
	row := [columns]string{
		nameColumn:    term.Clean(o.Proto.GetName()),
		stateColumn:   o.State,
		createdColumn: times.Text(o.Created),
		kindColumn:    field(o.Kind),
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
// detail goes first, then the kind, the time and the progress; at last the middle
// of the name. The state is always there.
func (t *Table) line(row [columns]string, state string) string {
	shown := t.fitting()
	room := t.io.Width()
	row[nameColumn] = term.FitMiddle(row[nameColumn], t.nameWidth())
	var b strings.Builder
	for i, c := range shown {
		text, width := row[c], t.widths[c]
		switch {
		case i == len(shown)-1:
			width = room
		case c == nameColumn:
			width = t.nameWidth()
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

// nameWidth is the width of the names beside their states.
func (t *Table) nameWidth() int {
	return min(t.widths[nameColumn], t.io.Width()-gap-t.widths[stateColumn])
}

// need is the width of a name, its state and the given columns.
func (t *Table) need(name int, more ...int) int {
	need := name + gap + t.widths[stateColumn]
	for _, c := range more {
		need += gap + t.widths[c]
	}
	return need
}

// fitting returns the columns that there is room for, in their order.
func (t *Table) fitting() []int {
	const minDetail = 12
	width := t.io.Width()
	need := t.need(t.nameWidth())
	shown := []int{nameColumn, stateColumn}
	for _, c := range []int{progressColumn, createdColumn, kindColumn} {
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
