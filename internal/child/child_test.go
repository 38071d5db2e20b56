//go:build unix

package child

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-lro/lro/internal/leak"
)

func start(t *testing.T, script string) (*Process, string) {
	t.Helper()
	p, line, err := Start(t.Context(), exec.Command("sh", "-c", script), Prefix("ready "))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p, line
}

func TestStart(t *testing.T) {
	t.Parallel()
	p, line := start(t, "echo first; echo ready here >&2; exec sleep 60")
	if want := "here"; line != want {
		t.Errorf("Start(sh) = %q, want %q", line, want)
	}
	if got, want := p.Output(), "first\nready here"; got != want {
		t.Errorf("Output() = %q, want %q", got, want)
	}
	select {
	case <-p.Ended():
		t.Error("Start(sh): the process has ended")
	default:
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		limit time.Duration
		cmd   *exec.Cmd
		want  string
	}{
		{"no program", time.Minute, exec.Command("/nonexistent"), "no such file"},
		{"ends", time.Minute, exec.Command("sh", "-c", "echo port is taken; exit 3"), "exit status 3); its output:\nport is taken"},
		{"never ready", 50 * time.Millisecond, exec.Command("sh", "-c", "exec sleep 60"), "not ready: context deadline exceeded"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
			defer cancel()
			_, _, err := Start(ctx, tt.cmd, Prefix("ready "))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Start(%v) = %v, want an error with %q", tt.cmd, err, tt.want)
			}
		})
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	p, _ := start(t, "trap 'exit 0' TERM; echo ready; echo ready x; while :; do sleep 0.01; done")
	if err := p.Stop(t.Context()); err != nil {
		t.Errorf("Stop() = %v, want nil", err)
	}

	deaf, _ := start(t, "trap '' TERM; echo ready x; while :; do sleep 0.01; done")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := deaf.Stop(ctx); err == nil {
		t.Error("Stop() of a process that ignores SIGTERM = nil, want an error")
	}
	<-deaf.Ended()
}

func TestKillStopped(t *testing.T) {
	t.Parallel()
	p, _ := start(t, "echo ready x; exec sleep 60")
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	if err := p.Signal(syscall.SIGCONT); err != nil {
		t.Errorf("Signal(SIGCONT) after the end = %v, want nil", err)
	}
}

// orphanEnv makes a copy of the test binary stop a child and wait.
const orphanEnv = "LRO_TEST_ORPHAN"

func TestMain(m *testing.M) {
	if os.Getenv(orphanEnv) != "" {
		p, _, err := Start(context.Background(), exec.Command("sh", "-c", "echo ready x; exec sleep 60"), Prefix("ready "))
		if err == nil {
			err = p.Signal(syscall.SIGSTOP)
		}
		if err != nil {
			panic(err)
		}
		fmt.Println("ready", p.PID())
		select {}
	}
	leak.Main(m)
}

// TestOrphan kills a process that has a stopped child.
func TestOrphan(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("other systems have no signal for the death of the parent")
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), orphanEnv+"=1")
	parent, text, err := Start(t.Context(), cmd, Prefix("ready "))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	parent.Kill()
	deadline := time.After(30 * time.Second)
	for range time.Tick(10 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") { // a zombie waits for init
			return
		}
		select {
		case <-deadline:
			t.Fatalf("child %d is alive after its parent was killed: %s", pid, stat)
		default:
		}
	}
}
