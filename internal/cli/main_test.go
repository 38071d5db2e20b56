package cli_test

import (
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/go-lro/lro/internal/cli"
	"github.com/go-lro/lro/internal/leak"
)

// commandEnv makes this test binary the command, so that tests start real
// processes of exactly the code that is tested.
const commandEnv = "LRO_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(commandEnv) != "" {
		os.Exit(cli.Main())
	}
	leak.Main(m)
}

// command returns the command with args, ready to be started. It is killed at
// the end of the test.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, args...)
	cmd.Env = append(os.Environ(), commandEnv+"=1")
	return cmd
}

// capture starts cmd with its standard error read by the returned reader.
func capture(t *testing.T, cmd *exec.Cmd) io.Reader {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return stderr
}
