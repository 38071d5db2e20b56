package demo

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// defaultDir is the Go source tree, which is on the machine of most people who
// try this, large enough to watch and the same for all who have that version.
func defaultDir(ctx context.Context, getenv func(string) string) string {
	root := getenv("GOROOT")
	if root == "" {
		root = askGo(ctx)
	}
	src := filepath.Join(root, "src")
	if info, err := os.Stat(src); root != "" && err == nil && info.IsDir() {
		return src
	}
	return "."
}

// askGo asks the go command, empty when there is none.
func askGo(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
