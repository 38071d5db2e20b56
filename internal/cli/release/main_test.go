package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	dirs := [2]string{t.TempDir(), t.TempDir()}
	for _, dir := range dirs {
		if err := write(dir); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"man/lro.1":           "lro - View, wait for",
		"man/lro-wait.1":      "--cancel-on-interrupt",
		"man/lro-demo.1":      "EXAMPLE",
		"completion/lro.bash": "bash completion V2 for lro",
		"completion/_lro":     "#compdef lro",
		"completion/lro.fish": "fish completion for lro",
		"completion/lro.ps1":  "Register-ArgumentCompleter",
	} {
		var texts [2]string
		for i, dir := range dirs {
			text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
			if err != nil {
				t.Fatal(err)
			}
			texts[i] = string(text)
		}
		if !strings.Contains(texts[0], want) && !strings.Contains(strings.ReplaceAll(texts[0], `\-`, "-"), want) {
			t.Errorf("%s has no %q:\n%.300s", path, want, texts[0])
		}
		if texts[0] != texts[1] {
			t.Errorf("%s differs from one run to the next", path)
		}
	}
}
