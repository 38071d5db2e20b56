package child

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Process is a child. Its methods are safe for concurrent use.
type Process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	ended chan struct{} // closed when the process is gone and its output read
	err   error         // of its end; after ended

	mu    sync.Mutex
	lines []string // last ones of its output
	found chan string
}

// keptLines is how much of the output is kept for messages.
const keptLines = 40

// Prefix is a match for [Start]: a line with the prefix, of which it returns the
// rest.
func Prefix(prefix string) func(line string) (string, bool) {
	return func(line string) (string, bool) { return strings.CutPrefix(line, prefix) }
}

// Start starts cmd and returns once match accepts a line of its output, standard
// or error, with what match made of it. If the process ends before that, or ctx
// does, it is killed and the error has its last output. ctx does not bound the
// life of the process.
//
// The standard input of the process stays open until it is stopped or killed, or
// until this process ends.
func Start(ctx context.Context, cmd *exec.Cmd, match func(line string) (string, bool)) (*Process, string, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, "", err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, "", err
	}
	cmd.Stdout, cmd.Stderr = write, write
	dieWithParent(cmd)
	p := &Process{cmd: cmd, stdin: stdin, ended: make(chan struct{}), found: make(chan string, 1)}
	started := make(chan error)
	go func() {
		// The child dies with the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		write.Close()
		started <- err
		if err != nil {
			read.Close()
			return
		}
		p.read(read, match)
		p.err = cmd.Wait()
		close(p.ended)
	}()
	if err := <-started; err != nil {
		return nil, "", fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	select {
	case line := <-p.found:
		return p, line, nil
	case <-p.ended:
		return nil, "", fmt.Errorf("start %s: it ended (%v); its output:\n%s", cmd.Path, p.err, p.Output())
	case <-ctx.Done():
		p.Kill()
		return nil, "", fmt.Errorf("start %s: not ready: %w; its output:\n%s", cmd.Path, context.Cause(ctx), p.Output())
	}
}

// read reads the output to its end, which is that of the process and of those
// it has started.
func (p *Process) read(output io.ReadCloser, match func(string) (string, bool)) {
	defer output.Close()
	in := bufio.NewReader(output)
	for {
		line, err := in.ReadString('\n')
		if line = strings.TrimSuffix(line, "\n"); line != "" {
			p.mu.Lock()
			p.lines = append(p.lines, line)
			if over := len(p.lines) - keptLines; over > 0 {
				p.lines = slices.Delete(p.lines, 0, over)
			}
			p.mu.Unlock()
			if match != nil {
				if text, ok := match(line); ok {
					p.found <- text
					match = nil
				}
			}
		}
		if err != nil {
			return
		}
	}
}

// Output returns the last lines the process wrote.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// PID returns the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Signal sends sig. It is no error if the process has ended.
func (p *Process) Signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.cmd.Path, err)
	}
	return nil
}

// Kill ends the process at once, as a crash would, and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
	p.stdin.Close()
}

// Stop asks the process to end with SIGTERM, and then does what Wait does.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.Wait(ctx)
}

// Wait waits until the process has ended by itself. When ctx ends first, it kills
// the process. The error is that of its exit, or ctx's.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.ended:
		p.stdin.Close()
		if p.err != nil {
			return fmt.Errorf("run %s: %w; its output:\n%s", p.cmd.Path, p.err, p.Output())
		}
		return nil
	case <-ctx.Done():
		p.Kill()
		return fmt.Errorf("run %s: did not end: %w; its output:\n%s", p.cmd.Path, context.Cause(ctx), p.Output())
	}
}
