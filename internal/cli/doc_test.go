//go:build linux

package cli_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"

	"github.com/go-lro/lro/internal/cli"
	"github.com/go-lro/lro/internal/cli/term"
)

var update = flag.Bool("update", false, "write docs/command.md")

const (
	docPath     = "../../docs/command.md"
	docTemplate = "testdata/doc/command.md.tmpl"
	docColumns  = 110
)

// docMasks are what differs between two runs that are both right.
var docMasks = []*regexp.Regexp{
	regexp.MustCompile(`\b\d{4}-\d\d-\d\dT[0-9:.]+Z\b`),
	regexp.MustCompile(`127\.0\.0\.1:\d+`),
	regexp.MustCompile(`\b(\d+m\d\ds|\d+(\.\d+)?(ms|s|µs))( +|\b)`),
	regexp.MustCompile(`operations/o[0-9a-z]{15,}`),
	regexp.MustCompile(`go1\.[0-9.]+`),
	regexp.MustCompile(`"elapsedSeconds":[0-9.e-]+`),
	regexp.MustCompile(`\bago +|CREATED +`),                                                              // as wide as the oldest
	regexp.MustCompile(`RUNNING \(cancel requested\)|CANCELLED  CANCELLED: the operation was cancelled`), // whichever is first
}

func maskDoc(text string) string {
	for i, re := range docMasks {
		text = re.ReplaceAllString(text, "<"+string(rune('a'+i))+">")
	}
	return text
}

// TestCommandDoc keeps docs/command.md what the command does.
func TestCommandDoc(t *testing.T) {
	t.Parallel()
	d := newDocument(t)
	text, err := os.ReadFile(docTemplate)
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := template.New("command.md").Funcs(template.FuncMap{
		"help": d.help, "screen": d.screen, "piped": d.piped, "interrupted": d.interrupted, "demo": d.demo, "serve": d.serve,
	}).Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := tmpl.Execute(&got, d); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(docPath)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	diff := cmp.Diff(maskDoc(string(old)), maskDoc(got.String()))
	if diff == "" {
		return
	}
	if !*update {
		t.Fatalf("%s is not what the command prints (-file +command); go test ./internal/cli -run TestCommandDoc -update writes it:\n%s", docPath, diff)
	}
	if err := os.WriteFile(docPath, got.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// document makes the parts of docs/command.md that the command prints.
type document struct {
	Running, Done, Failed string
	Verbs                 []string

	t       *testing.T
	service *service
}

func newDocument(t *testing.T) *document {
	s := serve(t)
	d := &document{t: t, service: s}
	d.Failed = s.simulate(`{"error": {"code": 9, "message": "the disk is full"}}`)
	s.wait(d.Failed)
	d.Done = s.simulate(`{"duration": "0.3s", "steps": 3, "echo": "hello"}`)
	s.wait(d.Done)
	for _, verb := range cli.New(&term.IO{}).Commands() {
		if name := verb.Name(); name != "help" && name != "completion" {
			d.Verbs = append(d.Verbs, name)
		}
	}
	return d
}

// block is a command line and what it printed, as an indented block.
func block(args []string, output string) string {
	var line strings.Builder
	line.WriteString("$ lro")
	for _, arg := range args {
		line.WriteString(" " + term.Quote(arg))
	}
	return indent(line.String() + "\n" + output)
}

func indent(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = "    " + line
		}
	}
	return strings.Join(lines, "\n")
}

// screen is what a command leaves on a terminal.
func (d *document) screen(args ...string) string {
	c := open(d.t, docColumns, append(d.service.env(), "NO_COLOR=1"), args...)
	_, text := c.end()
	if args[0] == "start" {
		d.Running = strings.TrimSpace(text)
		d.service.untilRunning(d.Running)
	}
	return block(args, text)
}

// piped is what a command prints away from a terminal.
func (d *document) piped(args ...string) string {
	cmd := command(d.t, args...)
	cmd.Env = append(os.Environ(), d.service.env()...)
	out, err := cmd.Output()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		d.t.Fatal(err)
	}
	return block(args, string(out))
}

// interrupted is the screen while a command waits, and after Ctrl-C.
func (d *document) interrupted(args ...string) string {
	c := open(d.t, docColumns, append(d.service.env(), "NO_COLOR=1"), args...)
	bar := c.until(`0/4 steps  2s`)
	c.press(ctrlC)
	_, text := c.end()
	return block(args, bar+"\n"+text)
}

// demo is the demo of a small tree.
func (d *document) demo() string {
	dir := filepath.Join(d.t.TempDir(), "tree")
	for _, name := range []string{"a", "b", "c/d"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			d.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			d.t.Fatal(err)
		}
	}
	db := filepath.Join(filepath.Dir(dir), "demo.db")
	c := open(d.t, 500, nil, "demo", "--db", db, dir)
	_, text := c.end()
	text = strings.NewReplacer(dir, "/usr/share/doc/tree", db, "/home/me/demo.db").Replace(text)
	return block([]string{"demo", "--db", "demo.db", "/usr/share/doc/tree"}, text)
}

// serve is what a server says when it begins.
func (d *document) serve() string {
	db := filepath.Join(d.t.TempDir(), "lro.db")
	c := open(d.t, 500, nil, "serve", "--listen", "127.0.0.1:0", "--db", db)
	text := c.until(`console: \S+$`)
	c.press(ctrlC)
	c.end()
	addr := listeningLine.FindStringSubmatch(text)[1]
	return block([]string{"serve"}, strings.NewReplacer(db, "lro.db", addr, "127.0.0.1:8700").Replace(text)) +
		"\n\n" + indent("$ export LRO_ADDR=127.0.0.1:8700 LRO_PLAINTEXT=1")
}

// help is the help of a verb.
func (d *document) help(verb string) string {
	got := runCommand(d.t, nil, verb, "--help")
	if got.status != 0 {
		d.t.Fatalf("lro %s --help: %+v", verb, got)
	}
	return indent(got.out)
}
