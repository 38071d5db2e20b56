//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package cli_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
	"golang.org/x/sys/unix"
)

// console is the command in a pseudo-terminal, and the screen that its
// user sees.
type console struct {
	t       *testing.T
	cmd     *exec.Cmd
	file    *os.File
	ended   chan error // of the command
	changed chan struct{}
	reading sync.WaitGroup

	mu     sync.Mutex
	screen vt10x.Terminal
	raw    bytes.Buffer
}

const consoleRows = 40

// open starts the command in a terminal with so many columns. env is added to
// the environment.
func open(t *testing.T, columns int, env []string, args ...string) *console {
	t.Helper()
	cmd := command(t, args...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color")
	cmd.Env = append(cmd.Env, env...)
	file, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: uint16(columns), Rows: consoleRows})
	if err != nil {
		t.Fatal(err)
	}
	keepOutput(t, file)
	c := &console{
		t: t, cmd: cmd, file: file, ended: make(chan error, 1), changed: make(chan struct{}, 1),
		screen: vt10x.New(vt10x.WithSize(columns, consoleRows)),
	}
	c.reading.Go(c.read)
	go func() { c.ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		file.Close()
		c.reading.Wait()
	})
	return c
}

// keepOutput keeps the terminal from dropping what was written and not read yet
// when Ctrl-C is typed. It drops that after it has sent the signal, and with it,
// on a busy machine, what the command says about the signal.
func keepOutput(t *testing.T, file *os.File) {
	t.Helper()
	conn, err := file.SyscallConn() // Fd would make reads block that Close must end
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		termios, err := unix.IoctlGetTermios(int(fd), getTermios)
		if err != nil {
			failed = err
			return
		}
		termios.Lflag |= unix.NOFLSH
		failed = unix.IoctlSetTermios(int(fd), setTermios, termios)
	})
	if err = errors.Join(err, failed); err != nil {
		t.Fatalf("set up the terminal: %v", err)
	}
}

// read shows what the command writes until it has ended.
func (c *console) read() {
	chunk := make([]byte, 4096)
	for {
		n, err := c.file.Read(chunk)
		c.mu.Lock()
		c.raw.Write(chunk[:n])
		_, _ = c.screen.Write(chunk[:n])
		c.mu.Unlock()
		select {
		case c.changed <- struct{}{}:
		default:
		}
		if err != nil { // EIO once the command has closed its end
			return
		}
	}
}

// text is the screen, without what is blank at the ends.
func (c *console) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := strings.Split(c.screen.String(), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

func (c *console) bytes() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raw.String()
}

const consolePatience = 30 * time.Second

// until waits for a screen that matches.
func (c *console) until(pattern string) string {
	c.t.Helper()
	re := regexp.MustCompile("(?m)" + pattern)
	deadline := time.After(consolePatience)
	for {
		if text := c.text(); re.MatchString(text) {
			return text
		}
		select {
		case <-c.changed:
		case <-deadline:
			c.t.Fatalf("lro %q: the screen never matched %q:\n%s", c.cmd.Args[1:], pattern, c.text())
		}
	}
}

// press types keys.
func (c *console) press(keys string) {
	c.t.Helper()
	if _, err := io.WriteString(c.file, keys); err != nil {
		c.t.Fatal(err)
	}
}

const ctrlC = "\x03"

// end waits for the end of the command and returns its exit status and the last
// screen.
func (c *console) end() (int, string) {
	c.t.Helper()
	select {
	case err := <-c.ended:
		c.reading.Wait()
		if failed, ok := errors.AsType[*exec.ExitError](err); ok {
			if s, ok := failed.Sys().(syscall.WaitStatus); ok && s.Signaled() {
				return 128 + int(s.Signal()), c.text()
			}
			return failed.ExitCode(), c.text()
		}
		if err != nil {
			c.t.Fatal(err)
		}
		return 0, c.text()
	case <-time.After(consolePatience):
		c.t.Fatalf("lro %q did not end:\n%s", c.cmd.Args[1:], c.text())
		return 0, ""
	}
}
