package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// client is a way to wait that is compared.
type client struct {
	Name    string // as in the tables
	label   string // letters, digits and '_'
	program string // lro, longrunning, python or node
	variant string // value of the program's flag -client
	waits   bool   // the service has WaitOperation for it
}

var (
	lroLongPoll   = client{"lro, long poll", "lro_long", "lro", "longpoll", true}
	lroPoll       = client{"lro, polling", "lro_poll", "lro", "poll", false}
	lroLearned    = client{"lro, polling, after 20 operations", "lro_learned", "lro", "learned", false}
	lroGroup      = client{"lro Group, polling", "lro_group", "lro", "group", false}
	goLongrunning = client{"Go longrunning", "go", "longrunning", "", false}
	goDeadline    = client{"Go longrunning, ctx with deadline", "go_deadline", "longrunning", "deadline", false}
	pyThreads     = client{"Python google-api-core", "py", "python", "threads", false}
	pyAsyncio     = client{"Python google-api-core, asyncio", "py_aio", "python", "asyncio", false}
	nodeGax       = client{"Node google-gax", "node", "node", "", false}
)

// programs knows how to run the peers.
type programs struct {
	bin     string // folder of the built Go programs
	root    string // of the repository
	clients string // where interop/install.sh put those that are not Go
}

// build builds the peers that are written in Go.
func (p programs) build(ctx context.Context) error {
	for _, name := range []string{"lro", "longrunning"} {
		cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(p.bin, name), "./peers/"+name)
		cmd.Dir = filepath.Join(p.root, "bench")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build peer %s: %w: %s", name, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}

// interop is a file of a client that is not Go.
func (p programs) interop(parts ...string) string {
	return filepath.Join(append([]string{p.clients}, parts...)...)
}

// threadLimit returns why a client cannot wait for n operations on this system,
// "" if it might. To try would leave other programs without processes too.
func (c client) threadLimit(n int) string {
	if c != pyThreads {
		return ""
	}
	for _, file := range []string{"/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"} {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if limit, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && n > limit*3/4 {
			return fmt.Sprintf("needs a thread for each, and %s is %d", file, limit)
		}
	}
	return ""
}

// missing returns why a program cannot run, "" if it can.
func (p programs) missing(program string) string {
	var file string
	switch program {
	case "python":
		file = p.interop("python", "bin", "python")
	case "node":
		file = p.interop("node", "bin", "node")
	default:
		return ""
	}
	if _, err := os.Stat(file); err != nil {
		return fmt.Sprintf("not installed: run interop/install.sh %s", program)
	}
	return ""
}

// command returns how to run a client with the flags of package gopeer.
func (p programs) command(c client, args ...string) *exec.Cmd {
	if c.variant != "" {
		args = append(args, "-client", c.variant)
	}
	peers := filepath.Join(p.root, "bench", "peers")
	switch c.program {
	case "python":
		return exec.Command(p.interop("python", "bin", "python"), append([]string{filepath.Join(peers, "python", "peer.py")}, args...)...)
	case "node":
		cmd := exec.Command(p.interop("node", "bin", "node"), append([]string{filepath.Join(peers, "node", "peer.js")}, args...)...)
		cmd.Env = append(os.Environ(), "NODE_PATH="+p.interop("node", "node_modules"))
		return cmd
	default:
		return exec.Command(filepath.Join(p.bin, c.program), args...)
	}
}
