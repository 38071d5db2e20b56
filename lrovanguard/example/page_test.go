package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-lro/lro/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

const (
	pagePath = "../../docs/http.md"
	pageAddr = "127.0.0.1:8720"
)

// command is a line of a page that begins with "$ ", and what follows it.
type command struct{ line, output string }

// commands returns those of a page's blocks of console.
func commands(t *testing.T, path string) []command {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []command
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		for line := range strings.Lines(block[1]) {
			if text, ok := strings.CutPrefix(line, "$ "); ok {
				all = append(all, command{line: strings.TrimSpace(text)})
			} else {
				all[len(all)-1].output += line
			}
		}
	}
	return all
}

var (
	assignment = regexp.MustCompile(`^[a-z]+=\S.*$`)
	operation  = regexp.MustCompile(`operations/(o[0-9a-z]{20,})`)
)

// TestPage runs the commands of docs/http.md, and compares what they print with
// what the page says. The names of operations may be others.
func TestPage(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(folder, "lro"), "./cmd/lro")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, listener, filepath.Join(folder, "library.db"), "secret") }()
	defer func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	}()

	var variables []string
	names := map[string]string{} // of the page to those that are
	run := 0
	for _, c := range commands(t, pagePath) {
		line := strings.ReplaceAll(c.line, pageAddr, listener.Addr().String())
		for page, real := range names {
			line = strings.ReplaceAll(line, page, real)
		}
		if assignment.MatchString(line) {
			variables = append(variables, line)
			continue
		}
		run++
		bash := exec.CommandContext(t.Context(), "bash", "-c", strings.Join(append(variables, line), "\n"))
		bash.Env = append(os.Environ(), "PATH="+folder+string(os.PathListSeparator)+os.Getenv("PATH"), "no_proxy=*")
		out, err := bash.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", c.line, err, out)
			continue
		}
		page, real := operation.FindStringSubmatch(c.output), operation.FindSubmatch(out)
		if page != nil && real != nil {
			names[page[1]] = string(real[1])
		}
		text := string(out)
		for page, real := range names {
			text = strings.ReplaceAll(text, real, page)
		}
		if diff := cmp.Diff(normal(c.output), normal(text)); diff != "" {
			t.Errorf("%s (-page +now):\n%s", c.line, diff)
		}
	}
	if run < 15 {
		t.Errorf("the page has %d commands, want more: is the pattern wrong?", run)
	}
}

// normal returns a text whose JSON, if it begins with some, has no spaces between
// its parts, which protojson puts there at random.
func normal(text string) string {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\u00a0", " "))
	decoder := json.NewDecoder(strings.NewReader(text))
	var first json.RawMessage
	if decoder.Decode(&first) != nil {
		return text
	}
	var compact bytes.Buffer
	if json.Compact(&compact, first) != nil {
		return text
	}
	return compact.String() + text[decoder.InputOffset():]
}
