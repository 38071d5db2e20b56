package term

import (
	"context"
	"fmt"
	stdio "io"
	"os"
	"strings"

	"golang.org/x/term"
)

// IO is the surroundings of a command. Results go to Out, everything else to
// Err. The zero value of each field but the streams is usable: no terminal, no
// environment.
type IO struct {
	In  stdio.Reader
	Out stdio.Writer
	Err stdio.Writer

	// InTerminal reports whether In is a keyboard.
	InTerminal bool
	// OutTerminal and ErrTerminal tell whether people watch the streams on
	// something that understands escape sequences.
	OutTerminal bool
	ErrTerminal bool
	// Color allows color on streams that are terminals.
	Color bool
	// Columns returns the width of the terminal now, 0 when it is not known.
	// Nil means never known.
	Columns func() int
	// Getenv looks up the environment. Nil finds nothing.
	Getenv func(string) string
	// CacheDir is where files may be kept that speed up later runs. Empty is
	// nowhere.
	CacheDir string
}

// System returns the surroundings of this process. TERM=dumb makes terminals
// plain streams, NO_COLOR (no-color.org) switches color off.
func System() *IO {
	smart := os.Getenv("TERM") != "dumb"
	cache, _ := os.UserCacheDir() // empty when it is not known
	return &IO{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		OutTerminal: smart && term.IsTerminal(int(os.Stdout.Fd())) && prepare(os.Stdout),
		ErrTerminal: smart && term.IsTerminal(int(os.Stderr.Fd())) && prepare(os.Stderr),
		Color:       os.Getenv("NO_COLOR") == "",
		Columns: func() int {
			for _, f := range []*os.File{os.Stderr, os.Stdout} {
				if columns, _, err := term.GetSize(int(f.Fd())); err == nil {
					return columns
				}
			}
			return 0
		},
		Getenv:   os.Getenv,
		CacheDir: cache,
	}
}

// Env returns a variable of the environment, empty when it is not set.
func (io *IO) Env(name string) string {
	if io.Getenv == nil {
		return ""
	}
	return io.Getenv(name)
}

// Truth reports whether a variable says yes, as any value does but 0, false,
// no and off.
func (io *IO) Truth(name string) bool {
	switch strings.ToLower(io.Env(name)) {
	case "", "0", "false", "no", "off":
		return false
	}
	return true
}

// ReadAll reads In to its end, or until ctx ends, whose cause it then returns.
// A read that nothing interrupts is left behind: the process is about to end.
// what tells the user at a keyboard what is expected.
func (io *IO) ReadAll(ctx context.Context, what string) ([]byte, error) {
	if io.InTerminal {
		fmt.Fprintf(io.Err, "%s; Ctrl-D ends it\n", what)
	}
	type result struct {
		text []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		text, err := stdio.ReadAll(io.In)
		read <- result{text, err}
	}()
	select {
	case r := <-read:
		if r.err != nil {
			return nil, fmt.Errorf("read standard input: %w", r.err)
		}
		return r.text, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

const (
	defaultColumns = 80
	minColumns     = 20
)

// Width returns how many columns a line may have.
func (io *IO) Width() int {
	if io.Columns != nil {
		if n := io.Columns(); n > 0 {
			return max(n, minColumns)
		}
	}
	return defaultColumns
}
