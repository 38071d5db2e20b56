package postgres

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-lro/lro/server/engine"
)

// pageQuery builds the query for a page: of the operations older than $1 the
// newest, $2 at most.
type pageQuery struct {
	engine.Query
	args  []any
	parts []string // queries, none of which finds what another one does
}

// listQuery returns the query for operations older than before, newest first.
func (e *Engine) listQuery(q engine.Query, before int64, limit int) (string, []any) {
	p := &pageQuery{Query: q, args: []any{before, limit}}
	active, ended := states(q.Where)
	if slices.Contains(ended, int16(engine.Succeeded)) {
		p.addStored(active, ended)
	} else {
		if len(active) > 0 {
			p.addActive(active)
		}
		if len(ended) > 0 {
			p.addUnsuccessful(ended)
		}
	}
	sql := p.parts[0]
	if len(p.parts) > 1 {
		sql = "(" + strings.Join(p.parts, ") UNION ALL (") + ")" + pageBy("seq")
	}
	return e.sql.tables.Replace(sql), p.args
}

// addStored finds operations of some states among all.
func (p *pageQuery) addStored(active, ended []int16) {
	where := p.times()
	if len(active) == 0 {
		where = append(where, "o.state IS NOT NULL")
	} else {
		where = append(where, "l.hidden IS NOT TRUE")
	}
	if len(active) == 1 {
		where = append(where, "(o.state IS NOT NULL OR "+ownedIn(active)+")")
	}
	if len(ended) < 3 {
		where = append(where, "(o.state IS NULL OR o.state = ANY("+p.arg(ended, "smallint[]")+"))")
	}
	switch {
	case len(p.Where.Kinds) > 0:
		p.walk("o.kind", p.arg(p.Where.Kinds, "text[]"), append(where, p.parent()...))
	case !p.AnyParent:
		p.walk("o.parent", p.arg([]string{p.Parent}, "text[]"), where)
	default:
		p.scan(stored, "o.seq", where)
	}
}

// addUnsuccessful finds operations that have ended with some states, which have an
// index. It knows parents and kinds too; for one kind, but not for several, an
// operation of another one need not be read.
func (p *pageQuery) addUnsuccessful(ended []int16) {
	where := slices.Concat(p.times(), p.parent())
	switch kinds := p.Where.Kinds; len(kinds) {
	case 0:
	case 1:
		where = append(where, "o.kind = "+p.arg(kinds[0], "text"))
	default:
		where = append(where, "o.kind = ANY("+p.arg(kinds, "text[]")+")")
	}
	where = append(where, "o.state > 3") // as the index has it
	p.walk("o.state", p.arg(ended, "smallint[]"), where)
}

// addActive finds operations that have not ended. The small table leads; OFFSET has
// the other one read by key, row by row.
func (p *pageQuery) addActive(active []int16) {
	where := slices.Concat(p.times(), p.parent())
	if len(p.Where.Kinds) > 0 {
		where = append(where, "l.kind = ANY("+p.arg(p.Where.Kinds, "text[]")+")")
	}
	if len(active) == 1 {
		where = append(where, ownedIn(active))
	}
	p.scan("{live} l CROSS JOIN LATERAL (SELECT * FROM {op} WHERE seq = l.seq OFFSET 0) o", "l.seq", append(where, "NOT l.hidden"))
}

const stored = "{op} o LEFT JOIN {live} l ON l.seq = o.seq"

func pageBy(order string) string { return " ORDER BY " + order + " DESC LIMIT $2::bigint" }

// scan adds a part that reads in the order of the numbers.
func (p *pageQuery) scan(from, number string, where []string) {
	p.parts = append(p.parts, "SELECT "+rowColumns+" FROM "+from+" WHERE "+number+" < $1::bigint AND "+strings.Join(where, " AND ")+pageBy(number))
}

// walk adds a part that reads an index on column and number, for each of some
// values of column the newest; or all that another index finds, if they are few. The
// order names the column and the condition is no equality, so that the index on the
// number will not do: the planner assumes that the operations of a kind are spread
// evenly among all, and would read it down to the newest of a kind that has not run
// for long. The values are not constants for the planner: for some it would expect
// that there are no operations.
func (p *pageQuery) walk(column, values string, where []string) {
	p.parts = append(p.parts, "SELECT p.* FROM (SELECT DISTINCT unnest("+values+") AS value) v, LATERAL (SELECT "+rowColumns+" FROM "+stored+
		" WHERE ("+column+", o.seq) < (v.value, $1::bigint) AND "+column+" >= v.value AND "+strings.Join(where, " AND ")+
		pageBy(column+" DESC, o.seq")+") p"+pageBy("p.seq"))
}

func (p *pageQuery) arg(v any, typ string) string {
	p.args = append(p.args, v)
	return "$" + strconv.Itoa(len(p.args)) + "::" + typ
}

func (p *pageQuery) parent() []string {
	if p.AnyParent {
		return nil
	}
	return []string{"o.parent = " + p.arg(p.Parent, "text")}
}

func (p *pageQuery) times() (where []string) {
	if from := p.Where.CreatedFrom; !from.IsZero() {
		where = append(where, "o.create_time >= "+p.arg(from, "timestamptz"))
	}
	if before := p.Where.CreatedBefore; !before.IsZero() {
		where = append(where, "o.create_time < "+p.arg(before, "timestamptz"))
	}
	return where
}

// ownedIn is the condition for the one state of operations that have not ended.
func ownedIn(active []int16) string {
	if active[0] == int16(engine.Running) {
		return "l.owner IS NOT NULL"
	}
	return "l.owner IS NULL"
}
