// Command release writes what a release of the command carries besides the
// program: man pages, and completion scripts for four shells.
//
//	go run ./internal/cli/release DIR
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/go-lro/lro/internal/cli"
	"github.com/go-lro/lro/internal/cli/term"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/cli/release DIR")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "release: %v\n", err)
		os.Exit(1)
	}
}

// write writes DIR/man and DIR/completion.
func write(dir string) error {
	root := cli.New(&term.IO{In: os.Stdin, Out: io.Discard, Err: io.Discard})
	root.DisableAutoGenTag = true // builds of one commit are the same, with SOURCE_DATE_EPOCH
	man := filepath.Join(dir, "man")
	if err := os.MkdirAll(man, 0o755); err != nil {
		return err
	}
	if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "lro", Manual: "lro"}, man); err != nil {
		return fmt.Errorf("man pages: %w", err)
	}
	completion := filepath.Join(dir, "completion")
	if err := os.MkdirAll(completion, 0o755); err != nil {
		return err
	}
	for name, generate := range map[string]func(*cobra.Command, io.Writer) error{
		"lro.bash": func(c *cobra.Command, w io.Writer) error { return c.GenBashCompletionV2(w, true) },
		"_lro":     (*cobra.Command).GenZshCompletion,
		"lro.fish": func(c *cobra.Command, w io.Writer) error { return c.GenFishCompletion(w, true) },
		"lro.ps1":  (*cobra.Command).GenPowerShellCompletionWithDesc,
	} {
		if err := writeFile(filepath.Join(completion, name), func(w io.Writer) error { return generate(root, w) }); err != nil {
			return fmt.Errorf("completion %s: %w", name, err)
		}
	}
	return nil
}

func writeFile(path string, generate func(io.Writer) error) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	return generate(f)
}
