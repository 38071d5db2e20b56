package cli_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-lro/lro/internal/cli"
	"github.com/go-lro/lro/internal/cli/term"
)

// ended is how a command ended.
type ended struct {
	status   int
	out, err string
}

// runCommand runs the command in this process, away from any terminal.
func runCommand(t *testing.T, env map[string]string, args ...string) ended {
	t.Helper()
	var out, stderr bytes.Buffer
	status := cli.Run(t.Context(), args, &term.IO{
		In: strings.NewReader(""), Out: &out, Err: &stderr,
		Getenv: func(name string) string { return env[name] },
	})
	return ended{status, out.String(), stderr.String()}
}
