package api

import (
	"fmt"
	"os"

	"github.com/google/go-cmp/cmp"
)

// Golden compares the public API of the module in dir, whose only public package
// is path, with the text in file, and returns how they differ: empty if they do
// not. With update it first writes the file.
func Golden(dir, path, file string, update bool) (diff string, err error) {
	texts, err := Packages(dir)
	if err != nil {
		return "", err
	}
	now, ok := texts[path]
	if !ok || len(texts) != 1 {
		return "", fmt.Errorf("module in %q has the public packages %v, want %q alone", dir, texts, path)
	}
	if update {
		if err := os.WriteFile(file, []byte(now), 0o644); err != nil {
			return "", err
		}
	}
	old, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return cmp.Diff(string(old), now), nil
}
