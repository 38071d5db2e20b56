package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/go-lro/lro/bench/report"
)

// compare runs this benchmark of an older revision, in a worktree of its own, and
// that of the checkout in turns, rounds times each, and prints their numbers side
// by side. args are the flags of both.
func (b *bench) compare(ctx context.Context, revision string, rounds int, args []string) (err error) {
	dir, err := os.MkdirTemp("", "lro-bench")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	old := filepath.Join(dir, "tree")
	if err := b.command(ctx, b.programs.root, "git", "worktree", "add", "--quiet", "--detach", old, revision); err != nil {
		return err
	}
	// The context may have ended.
	defer func() {
		err = errors.Join(err, b.command(context.WithoutCancel(ctx), b.programs.root, "git", "worktree", "remove", "--force", old))
	}()
	roots := [2]string{old, b.programs.root}
	var reports [2][]*report.Report
	for i, root := range roots {
		if err := b.command(ctx, filepath.Join(root, "bench"), "go", "build", "-o", filepath.Join(dir, fmt.Sprint("bench", i)), "."); err != nil {
			return err
		}
	}
	for round := range rounds {
		for i, root := range roots {
			b.say("round %d of %d, %s", round+1, rounds, [2]string{revision, "checkout"}[i])
			out := filepath.Join(dir, fmt.Sprint("out", i, "-", round))
			run := append([]string{"-root", root, "-out", out, "-clients", b.programs.clients}, args...)
			if err := b.command(ctx, dir, filepath.Join(dir, fmt.Sprint("bench", i)), run...); err != nil {
				return err
			}
			r, err := report.Read(filepath.Join(out, "benchmarks", "benchmarks.json"))
			if err != nil {
				return err
			}
			reports[i] = append(reports[i], r)
		}
	}
	name := func(i int) string { return reports[i][0].Run.Commit }
	return report.Compare(name(0), name(1), reports[0], reports[1]).Text(os.Stdout)
}

// command runs a program, whose output is shown only if it fails.
func (b *bench) command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s %s: %w: %s", name, strings.Join(args, " "), err, lastLine(string(out)))
	}
	return nil
}
