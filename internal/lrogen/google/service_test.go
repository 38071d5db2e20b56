package google

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestServiceTakesClients compiles a program that makes a service of each client
// which has generated operations: of the client itself where it has GetOperation,
// and of its operations where it has not.
func TestServiceTakesClients(t *testing.T) {
	t.Parallel()
	var imports, services []string
	whole := 0
	for _, pkg := range regexp.MustCompile(`_ "(.*)"`).FindAllStringSubmatch(read(t, "clients_test.go"), -1) {
		dir, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}", pkg[1]).Output()
		if err != nil {
			t.Fatalf("go list %s: %v", pkg[1], err)
		}
		name := regexp.MustCompile(`[^a-z0-9]`).ReplaceAllString(pkg[1], "_")
		imports = append(imports, fmt.Sprintf("%s %q", name, pkg[1]))
		found := clientsIn(t, strings.TrimSpace(string(dir)))
		if len(found) == 0 {
			t.Errorf("%s has no client with operations", pkg[1])
		}
		for _, c := range found {
			value := fmt.Sprintf("(*%s.%s)(nil)", name, c.name)
			switch {
			case c.gets:
				whole++
				services = append(services, fmt.Sprintf("lrogax.Service(%s),", value))
			case c.empty:
				services = append(services, fmt.Sprintf("lrogax.EmptyPollService(%s.%s),", value, c.operation))
			default:
				services = append(services, fmt.Sprintf("lrogax.PollService(%s.%s),", value, c.operation))
			}
		}
	}
	text := "package accepted\n\nimport (\n\"github.com/go-lro/lro\"\n\"github.com/go-lro/lro/lrogax\"\n" + strings.Join(imports, "\n") +
		"\n)\n\nfunc Services() []lro.Service {\nreturn []lro.Service{\n" + strings.Join(services, "\n") + "\n}\n}\n"
	at := overlay(t, map[string]string{"accepted/accepted.go": text})
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay="+at, "./accepted").CombinedOutput(); err != nil {
		t.Errorf("compile: %v\n%.4000s", err, out)
	}
	if whole == 0 || whole == len(services) {
		t.Errorf("clients with GetOperation: got %d of %d, want both sorts", whole, len(services))
	}
	t.Logf("%d clients, %d of them with GetOperation", len(services), whole)
}

// generatedClient is a client that makes operations of names.
type generatedClient struct {
	name, operation string // of the type, and of a method that makes an operation
	empty           bool   // the operation has no response
	gets            bool   // it has GetOperation
}

// clientsIn returns the exported clients in a folder.
func clientsIn(t *testing.T, dir string) []*generatedClient {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]*generatedClient)
	var clients []*generatedClient
	gets, polls := make(map[string]bool), make(map[string]int) // by receiver: GetOperation, and results of Poll
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || f.Type.Results == nil {
				continue
			}
			on, name := pointee(f.Recv.List[0].Type), f.Name.Name
			switch {
			case name == "GetOperation":
				gets[on] = true
			case name == "Poll":
				polls[on] = len(f.Type.Results.List)
			case ast.IsExported(on) && found[on] == nil && strings.HasSuffix(name, "Operation") && pointee(f.Type.Results.List[0].Type) == name:
				found[on] = &generatedClient{name: on, operation: name}
				clients = append(clients, found[on])
			}
		}
	}
	for _, c := range clients {
		c.gets, c.empty = gets[c.name], polls[c.operation] == 1
	}
	return clients
}

// pointee is the name of the type that a pointer to a type of the package points
// to; empty for other types.
func pointee(e ast.Expr) string {
	if star, ok := e.(*ast.StarExpr); ok {
		if name, ok := star.X.(*ast.Ident); ok {
			return name.Name
		}
	}
	return ""
}
