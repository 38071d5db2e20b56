package mutation

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// place is one change that can be made to a file.
type place struct {
	file       string // below the root of the repository
	line       int
	start, end int // bytes of the file that are replaced
	from, to   string
	at         string // the line of code
	nth        int    // of the places of the file that look the same, from 1
}

// String names the place, for good: not by the number of a line, which changes.
func (p place) String() string {
	nth := ""
	if p.nth > 1 {
		nth = fmt.Sprintf(" (%d)", p.nth)
	}
	return fmt.Sprintf("%s: %s → %s in %s%s", p.file, oneLine(p.from), oneLine(p.to), oneLine(p.at), nth)
}

// oneLine shortens the text of a change to what fits a line.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 100 {
		s = string(r[:99]) + "…"
	}
	if s == "" {
		return "nothing"
	}
	return s
}

// swaps are operators and what each becomes.
var swaps = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.EQL: token.NEQ, token.NEQ: token.EQL, token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL,
	token.INC: token.DEC, token.DEC: token.INC, token.BREAK: token.CONTINUE, token.CONTINUE: token.BREAK,
	token.ADD_ASSIGN: token.SUB_ASSIGN, token.SUB_ASSIGN: token.ADD_ASSIGN,
}

// places returns the changes that can be made to a file.
func places(root, file string) ([]place, error) {
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	m := &mutator{file: file, text: string(text), fset: fset, lines: strings.Split(string(text), "\n"), same: make(map[string]int)}
	ast.Inspect(parsed, m.visit)
	return m.all, nil
}

type mutator struct {
	file, text string
	fset       *token.FileSet
	lines      []string
	same       map[string]int // places by name
	all        []place
}

func (m *mutator) add(from, to token.Pos, text string) {
	at := m.fset.Position(from)
	start, end := at.Offset, m.fset.Position(to).Offset
	p := place{m.file, at.Line, start, end, m.text[start:end], text, m.lines[at.Line-1], 0}
	m.same[p.String()]++
	p.nth = m.same[p.String()]
	m.all = append(m.all, p)
}

func (m *mutator) source(n ast.Node) string {
	return m.text[m.fset.Position(n.Pos()).Offset:m.fset.Position(n.End()).Offset]
}

func (m *mutator) swap(at token.Pos, t token.Token) {
	if to, ok := swaps[t]; ok {
		m.add(at, at+token.Pos(len(t.String())), to.String())
	}
}

// visit adds the changes of one node.
func (m *mutator) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok != token.IMPORT
	case *ast.BinaryExpr:
		m.swap(n.OpPos, n.Op)
	case *ast.IncDecStmt:
		m.swap(n.TokPos, n.Tok)
	case *ast.BranchStmt:
		if n.Label == nil {
			m.swap(n.TokPos, n.Tok)
		}
	case *ast.AssignStmt:
		m.swap(n.TokPos, n.Tok)
		if n.Tok != token.DEFINE {
			m.drop(n)
		}
	case *ast.ExprStmt, *ast.SendStmt, *ast.DeferStmt, *ast.GoStmt:
		m.drop(n)
	case *ast.IfStmt:
		m.add(n.Cond.Pos(), n.Cond.End(), "!("+m.source(n.Cond)+")")
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			m.add(n.Pos(), n.X.Pos(), "")
		}
	case *ast.BasicLit:
		if n.Kind == token.INT {
			m.add(n.Pos(), n.End(), "("+n.Value+" + 1)")
		}
	case *ast.Ident:
		switch n.Name {
		case "true":
			m.add(n.Pos(), n.End(), "false")
		case "false":
			m.add(n.Pos(), n.End(), "true")
		}
	case *ast.CaseClause:
		m.empty(n.Colon+1, n.Body)
	case *ast.CommClause:
		m.empty(n.Colon+1, n.Body)
		for _, s := range n.Body { // the communication itself cannot be left out
			ast.Inspect(s, m.visit)
		}
		return false
	}
	return true
}

// drop removes a statement. What it was the only one to use no longer compiles,
// and is drawn again.
func (m *mutator) drop(n ast.Node) { m.add(n.Pos(), n.End(), "{}") }

func (m *mutator) empty(from token.Pos, body []ast.Stmt) {
	if len(body) > 1 { // of one statement, the change is in that
		m.add(from, body[len(body)-1].End(), "")
	}
}

// mutated returns the text of a file with one change.
func (p place) mutated(text string) string { return text[:p.start] + p.to + text[p.end:] }
