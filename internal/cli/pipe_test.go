//go:build !windows

package cli_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-lro/lro/internal/cli"
	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/lrotest"
)

// TestBrokenPipe: a reader that has seen enough, such as head, ends the command
// without a word.
func TestBrokenPipe(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for range 300 {
		s.simulate(`{}`)
	}
	for _, args := range [][]string{
		{"list", "--all", "--page-size", "5"},
		{"list", "--all", "--page-size", "5", "--output", "json"},
	} {
		cmd := command(t, args...)
		cmd.Env = append(os.Environ(), s.env()...)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReaderSize(stdout, 16).ReadString('\n'); err != nil && len(line) == 0 {
			t.Errorf("lro %q printed nothing: %v", args, err)
		}
		stdout.Close()
		begin := time.Now()
		_ = cmd.Wait() // by the signal, as other commands
		if took := time.Since(begin); stderr.Len() > 0 || took > 10*time.Second {
			t.Errorf("lro %q into a broken pipe took %v and said %q, want no word", args, took, &stderr)
		}
	}
}

// TestWatchStreams: a change is printed when it happens, also into a pipe.
func TestWatchStreams(t *testing.T) {
	t.Parallel()
	s := serve(t)
	name := s.running()
	cmd := command(t, "watch", "--interval", "50ms", name)
	cmd.Env = append(os.Environ(), s.env()...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	if !lines.Scan() || !strings.HasSuffix(lines.Text(), name+"  RUNNING  0%  0 of 4 steps") {
		t.Errorf("first line %q, want the state while it runs", lines.Text())
	}
	cancelled := command(t, "cancel", name)
	cancelled.Env = cmd.Env
	if out, err := cancelled.CombinedOutput(); err != nil {
		t.Fatalf("cancel: %v\n%s", err, out)
	}
	rest, err := io.ReadAll(stdout)
	if err != nil {
		t.Fatal(err)
	}
	if text := lines.Text() + string(rest); !strings.Contains(text, name) {
		t.Errorf("watch printed %q", text)
	}
	if err := cmd.Wait(); err == nil || err.Error() != "exit status 4" {
		t.Errorf("watch of a cancelled operation: %v, want exit status 4", err)
	}
}

// TestListStreams: the rows of a page are printed before the next is asked for.
func TestListStreams(t *testing.T) {
	t.Parallel()
	read, write := io.Pipe()
	shown := make(chan struct{})
	lists := 0
	srv := &lrotest.Server{OnCall: func(ctx context.Context, c lrotest.Call) error {
		if lists++; lists == 2 {
			select {
			case <-shown:
			case <-ctx.Done():
			}
		}
		return nil
	}}
	for range 4 {
		srv.Add("")
	}
	addr := serveForeign(t, srv, false)
	var status int
	var running sync.WaitGroup
	running.Go(func() {
		defer write.Close()
		status = cli.Run(t.Context(), []string{"list", "--addr", addr, "--plaintext", "--all", "--page-size", "2"},
			&term.IO{In: strings.NewReader(""), Out: write, Err: io.Discard})
	})
	lines := bufio.NewScanner(read)
	n := 0
	for lines.Scan() {
		if n++; n == 2 {
			close(shown)
		}
	}
	running.Wait()
	if n != 4 || status != 0 {
		t.Errorf("list printed %d rows with status %d, want 4 and 0", n, status)
	}
}
