package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

func TestHello(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	program := filepath.Join(folder, "hello.exe")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), "TMPDIR="+folder, "TMP="+folder)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("hello: %v\n%s", err, out)
	}
	want := regexp.MustCompile(`(?s)RUNNING [1-9]\d* %\n.*SUCCEEDED 100 %\nHello, world!\n$`)
	if !want.Match(out) {
		t.Errorf("hello printed\n%s\nwant a match of %s", out, want)
	}
}

// The example promises to be short.
func TestShort(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(source, []byte("\n")); n >= 60 {
		t.Errorf("main.go has %d lines, want fewer than 60", n)
	}
}
