package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// serverStart limits how long a server may need to say where it is.
const serverStart = time.Minute

// server is a running server.
type server struct {
	addr string
	cmd  *exec.Cmd
	read sync.WaitGroup

	mu  sync.Mutex
	log []string
}

// servingAt is what both servers print first.
var servingAt = regexp.MustCompile(`^serving .*?\b(127\.0\.0\.1:\d+)`)

// serve starts "lro serve" with an empty database.
func (h *house) serve(ctx context.Context, parent string) (*server, error) {
	dir, err := os.MkdirTemp(h.temp, "lro")
	if err != nil {
		return nil, err
	}
	args := []string{"serve", "--listen", "127.0.0.1:0", "--db", filepath.Join(dir, "lro.db")}
	if parent != "" {
		args = append(args, "--parent", parent)
	}
	return startServer(exec.CommandContext(ctx, filepath.Join(h.built, "lro"), args...))
}

// serveLibrary starts examples/library with an empty database.
func (h *house) serveLibrary(ctx context.Context) (*server, error) {
	dir, err := os.MkdirTemp(h.temp, "library")
	if err != nil {
		return nil, err
	}
	// 500 books at this pace are half a second.
	return startServer(exec.CommandContext(ctx, filepath.Join(h.built, "library"), "-addr", "127.0.0.1:0", "-http", "127.0.0.1:0", "-dir", dir, "-pace", "1ms", "serve"))
}

// startServer starts a server and waits until it says where it is.
func startServer(cmd *exec.Cmd) (*server, error) {
	pipe, into := io.Pipe()
	cmd.Stdout, cmd.Stderr = into, into
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	s := &server{cmd: cmd}
	found := make(chan string, 1)
	s.read.Go(func() {
		lines := bufio.NewScanner(pipe)
		for lines.Scan() {
			s.note(lines.Text())
			if at := servingAt.FindStringSubmatch(lines.Text()); at != nil {
				select {
				case found <- at[1]:
				default:
				}
			}
		}
		pipe.CloseWithError(errors.New("line too long")) // so that the server does not wait for us
	})
	ended := make(chan struct{})
	s.read.Go(func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed, so this tells nothing
		into.Close()
	})
	select {
	case s.addr = <-found:
		return s, nil
	case <-ended:
	case <-time.After(serverStart):
	}
	s.stop()
	return nil, fmt.Errorf("start %s: it does not serve: %s", filepath.Base(cmd.Path), s.lastLines())
}

// stop kills the server: its records are no longer needed.
func (s *server) stop() {
	_ = s.cmd.Process.Kill() // fails if it has ended
	s.read.Wait()
}

func (s *server) note(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, line)
	s.log = s.log[max(0, len(s.log)-20):]
}

// lastLines returns the last lines that it printed.
func (s *server) lastLines() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.log, "\n")
}
