package api

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPackages lists a small module that has one of everything.
func TestPackages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{
		"go.mod":            "module example.com/m\n\ngo 1.26\n",
		"internal/x/x.go":   "package x\n\nfunc Hidden() {}\n",
		"examples/e/e.go":   "package e\n\nfunc Hidden() {}\n",
		"cmd/c/main.go":     "package main\n\nfunc main() {}\n",
		"messagepb/m.pb.go": "package messagepb\n\ntype Message struct{}\n",
		"only/a_test.go":    "package only\n",
		"other/other.go":    "package other\n\ntype T struct{ X int }\n",
		"m.go": `// Package m has one of everything.
package m

import (
	"context"

	"example.com/m/other"
)

const (
	A State = iota
	b
)

const Text = "x"

var V other.T

type State int8

func (State) String() string { return "" }

type S[K comparable, V any] struct {
	Field  map[K]V
	hidden int
	other.T
	base
}

func (*S[K, V]) Put(ctx context.Context, k K, v V) error { return nil }
func (*S[K, V]) hide()                                  {}

type base struct{}

func (base) Promoted() {}

type Sealed interface {
	Do(n ...int) (ok bool)
	sealed()
}

type Open interface{ Do() }

type Short = S[string, int]

type F func(s State) error

func Make[K comparable](f F) *S[K, other.T] { return nil }
func unmake()                               {}

func Two[K comparable](k K) (K, error) { return k, nil }
`,
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Packages(dir)
	if err != nil {
		t.Fatalf("Packages(%q) = %v", dir, err)
	}
	want := map[string]string{
		"example.com/m": `package m // example.com/m
const A State = 0
type F func(s State) error
func Make[K comparable](f F) *S[K, example.com/m/other.T]
type Open interface
	method Do()
type S[K comparable, V any] struct
	field Field map[K]V
	embeds example.com/m/other.T
	method (S) Promoted()
	method (*S) Put(ctx context.Context, k K, v V) error
type Sealed interface with unexported methods
	method Do(n ...int) (ok bool)
type Short = S[string, int]
type State int8
	method (State) String() string
const Text untyped string = "x"
func Two[K comparable](k K) (K, error)
var V example.com/m/other.T
`,
		"example.com/m/other": `package other // example.com/m/other
type T struct
	field X int
`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Packages(%q) (-want +got):\n%s", dir, diff)
	}
	if n := Names(want["example.com/m"]); n != 11 {
		t.Errorf("Names(%s) = %d, want 11", want["example.com/m"], n)
	}
}

func TestPackagesOfWhatDoesNotCompile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{"go.mod": "module m\n\ngo 1.26\n", "m.go": "package m\n\nvar X Y\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Packages(dir); err == nil {
		t.Errorf("Packages of a package that does not compile = %q, want an error", got)
	}
}
