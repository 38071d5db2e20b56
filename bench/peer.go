package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/go-lro/lro/bench/host"
)

// line is what a peer prints; see package gopeer.
type line struct {
	Ready    int
	Name     string
	At       int64
	Response string
	Error    string

	Stub, Poll, Control []float64
	Client, Both        float64 // allocations of a poll beside the stub's
}

// peer is a running client.
type peer struct {
	cmd   *exec.Cmd
	in    io.Closer
	lines chan line // closed when it prints no more
	read  sync.WaitGroup

	mu     sync.Mutex
	killed error  // why it was killed
	tail   string // of its standard error
}

// errTooSlow is why a peer is killed that is not done in time.
var errTooSlow = errors.New("killed at the time limit")

// run starts a peer, which is killed when limit is over.
func run(ctx context.Context, cmd *exec.Cmd, limit time.Duration) (*peer, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start peer: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start peer: %w", err)
	}
	errs, err := cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("start peer: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start peer: %w", err)
	}
	p := &peer{cmd: cmd, in: in, lines: make(chan line, 1024)}
	ctx, stop := context.WithTimeoutCause(ctx, limit, errTooSlow)
	kill := context.AfterFunc(ctx, func() { p.kill(context.Cause(ctx)) })
	p.read.Go(func() {
		defer stop()
		defer kill()
		defer close(p.lines)
		decoder := json.NewDecoder(bufio.NewReader(out))
		for {
			var l line
			if err := decoder.Decode(&l); err != nil {
				return
			}
			p.lines <- l
		}
	})
	p.read.Go(func() {
		for lines := bufio.NewScanner(errs); lines.Scan(); {
			if text := strings.TrimSpace(lines.Text()); text != "" {
				p.mu.Lock()
				p.tail = text
				p.mu.Unlock()
			}
		}
		_, _ = io.Copy(io.Discard, errs) // behind a line that is too long
	})
	return p, nil
}

// kill ends the peer. The first reason counts.
func (p *peer) kill(why error) {
	p.mu.Lock()
	if p.killed == nil {
		p.killed = why
	}
	p.mu.Unlock()
	_ = p.cmd.Process.Kill() // fails only when it has ended
}

// wait drops what the peer still prints and returns when it has ended, with
// the reason unless it ended well.
func (p *peer) wait() error {
	for range p.lines {
	}
	p.read.Wait()
	err := p.cmd.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.killed != nil:
		return p.killed
	case err != nil && p.tail != "":
		return fmt.Errorf("%w: %s", err, p.tail)
	default:
		return err
	}
}

// usage is what a process has used so far.
type usage struct {
	resident, peak int64 // bytes
	cpu            time.Duration
}

// used reads what the peer has used.
func (p *peer) used() (u usage, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return u, fmt.Errorf("read memory of peer: %w", err)
	}
	for l := range strings.Lines(string(status)) {
		var kib int64
		if _, err := fmt.Sscanf(l, "VmRSS: %d kB", &kib); err == nil {
			u.resident = kib << 10
		}
		if _, err := fmt.Sscanf(l, "VmHWM: %d kB", &kib); err == nil {
			u.peak = kib << 10
		}
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return u, fmt.Errorf("read CPU time of peer: %w", err)
	}
	// The name in parentheses may have spaces; utime and stime are fields 14
	// and 15, the 12th and 13th behind it.
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return u, fmt.Errorf("read CPU time of peer: %q has too few fields", stat)
	}
	var user, system int64
	if _, err := fmt.Sscan(fields[11], &user); err != nil {
		return u, fmt.Errorf("read CPU time of peer: %w", err)
	}
	if _, err := fmt.Sscan(fields[12], &system); err != nil {
		return u, fmt.Errorf("read CPU time of peer: %w", err)
	}
	u.cpu = time.Duration(user+system) * host.ClockTick
	return u, nil
}
