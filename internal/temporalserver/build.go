package temporalserver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// Root returns the root of the checkout that the working directory is in.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "temporal", "devserver", "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("find checkout: no temporal/devserver in the working directory or above it")
		}
		dir = up
	}
}

// binaryName is followed by a hash of the sources.
const binaryName = "temporal-devserver-"

// Build returns the path of a devserver binary, which it builds if .cache of the
// checkout at root has none for the sources as they are. That takes minutes, and
// seconds once the go command has it all in its cache. Several Builds may run at
// once.
func Build(ctx context.Context, root string) (string, error) {
	path, ok, err := Built(root)
	if ok || err != nil {
		return path, err
	}
	cache := filepath.Dir(path)
	if err := os.MkdirAll(cache, 0o777); err != nil {
		return "", fmt.Errorf("build devserver: %w", err)
	}
	fresh := fmt.Sprintf("%s.%d", path, os.Getpid())
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", fresh, ".")
	cmd.Dir = filepath.Join(root, "temporal", "devserver")
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build devserver: %w\n%s", err, out)
	}
	old, err := filepath.Glob(filepath.Join(cache, binaryName+"*"))
	if err != nil {
		return "", fmt.Errorf("build devserver: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return "", fmt.Errorf("build devserver: %w", err)
	}
	for _, name := range old {
		if name != path && filepath.Ext(name) == "" { // not what another process is building
			_ = os.Remove(name)
		}
	}
	return path, nil
}

// Built returns where [Build] puts its binary, and whether it is there already.
func Built(root string) (path string, ok bool, err error) {
	name, err := sourceName(filepath.Join(root, "temporal", "devserver"))
	if err != nil {
		return "", false, fmt.Errorf("build devserver: %w", err)
	}
	path = filepath.Join(root, ".cache", name)
	_, err = os.Stat(path)
	return path, err == nil, nil
}

// sourceName names the binary of the sources in dir.
func sourceName(dir string) (string, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return "", err
	}
	names = append(names, filepath.Join(dir, "go.mod"), filepath.Join(dir, "go.sum"))
	slices.Sort(names)
	hash := sha256.New()
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(hash, "%s %d\n%s", filepath.Base(name), len(text), text)
	}
	return fmt.Sprintf("%s%x", binaryName, hash.Sum(nil)[:6]), nil
}
