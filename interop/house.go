package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// house is the checkout, with what was built and installed in it.
type house struct {
	root  string
	cache string // what install.sh fills
	built string // our own programs
	temp  string
}

// newHouse builds our servers and players.
func newHouse(ctx context.Context) (*house, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return nil, fmt.Errorf("find the checkout: %w", err)
	}
	h := &house{root: strings.TrimSpace(string(root))}
	h.cache = filepath.Join(h.root, ".cache", "interop")
	h.built = filepath.Join(h.cache, "built")
	if err := os.MkdirAll(h.built, 0o755); err != nil {
		return nil, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", h.built+string(filepath.Separator), "./cmd/lro", "./examples/library", "./interop/go", "./interop/grpcurl")
	build.Dir, build.Stderr = h.root, os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("build servers: %w", err)
	}
	h.temp, err = os.MkdirTemp("", "interop")
	return h, err
}

func (h *house) close() {
	if err := os.RemoveAll(h.temp); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
	}
}

// exitMissing is install.sh's exit code when a language is not there.
const exitMissing = 3

// install installs what the columns need. It returns the parts that cannot be
// installed here, with what is missing.
func (h *house) install(ctx context.Context, picked []column) (missing map[string]string, err error) {
	missing = make(map[string]string)
	done := map[string]bool{"go": true} // it is running
	for _, c := range picked {
		if done[c.part] {
			continue
		}
		done[c.part] = true
		var stderr bytes.Buffer
		cmd := exec.CommandContext(ctx, filepath.Join(h.root, "interop", "install.sh"), c.part)
		cmd.Stdout, cmd.Stderr = os.Stderr, &stderr
		err := cmd.Run()
		if failed, ok := errors.AsType[*exec.ExitError](err); ok && failed.ExitCode() == exitMissing {
			missing[c.part] = strings.TrimSpace(stderr.String())
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("install %s: %w: %s", c.part, err, stderr.String())
		}
	}
	return missing, nil
}

// player returns the command that plays a column's scenarios, without what to
// play.
func (h *house) player(ctx context.Context, part string) *exec.Cmd {
	var cmd *exec.Cmd
	switch part {
	case "go":
		cmd = exec.CommandContext(ctx, filepath.Join(h.built, "go"))
	case "python":
		cmd = exec.CommandContext(ctx, filepath.Join(h.cache, "python", "bin", "python"), "interop/python/main.py")
		cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	case "node":
		cmd = exec.CommandContext(ctx, filepath.Join(h.cache, "node", "bin", "node"), "interop/node/main.js")
		cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(h.cache, "node", "node_modules"))
	case "java":
		classes, libs := filepath.Join(h.cache, "java", "target", "classes"), filepath.Join(h.cache, "java", "lib", "*")
		// For a process of seconds the second compiler does not pay.
		cmd = exec.CommandContext(ctx, "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
			"-cp", classes+string(filepath.ListSeparator)+libs, "interop.Main")
	case "grpcurl":
		cmd = exec.CommandContext(ctx, filepath.Join(h.built, "grpcurl"))
		path := filepath.Join(h.cache, "bin") + string(filepath.ListSeparator) + os.Getenv("PATH")
		cmd.Env = append(os.Environ(), "PATH="+path)
	}
	cmd.Dir = h.root
	return cmd
}
