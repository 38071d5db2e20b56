package host

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/go-lro/lro/bench/report"
)

// Machine describes where this runs. What cannot be learnt stays empty.
func Machine() report.Machine {
	m := report.Machine{Cores: runtime.NumCPU(), Go: runtime.Version()}
	m.CPU = field("/proc/cpuinfo", "model name", ":")
	m.OS = strings.Trim(field("/etc/os-release", "PRETTY_NAME", "="), `"`)
	var kib int64
	if _, err := fmt.Sscanf(field("/proc/meminfo", "MemTotal", ":"), "%d kB", &kib); err == nil {
		m.Memory = kib << 10
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(release))
	}
	return m
}

// Commit is the one that is checked out in a repository, with "+changes" if there
// are any.
func Commit(ctx context.Context, root string) string {
	head := Output(ctx, root, "git", "rev-parse", "--short=12", "HEAD")
	if head == "" {
		return "unknown"
	}
	if Output(ctx, root, "git", "status", "--porcelain", "--untracked-files=no", "--", "*.go", "go.mod", "bench") != "" {
		head += "+changes"
	}
	return head
}

// Output is the first line that a program prints, "" if it fails.
func Output(ctx context.Context, dir, name string, args ...string) string {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(first)
}

// field is what stands behind the first name and separator of a file.
func field(path, name, separator string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for l := range strings.Lines(string(data)) {
		key, value, ok := strings.Cut(l, separator)
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// Load is the load average of the last minute.
func Load() (l float64) {
	data, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		_, _ = fmt.Sscan(string(data), &l) // 0 says that it is not known
	}
	return l
}

// ClockTick is the unit of CPU time in /proc: USER_HZ, 100 on all of Linux.
const ClockTick = 10 * time.Millisecond

// Processors is what they have done since the machine started, and what of it
// was for this program and those that it started and that have ended.
type Processors struct {
	at         time.Time
	busy, ours time.Duration
}

// ReadProcessors reads it.
func ReadProcessors() (p Processors, err error) {
	p.at = time.Now()
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return p, fmt.Errorf("read CPU times: %w", err)
	}
	// Without idle and iowait; guests are in user already.
	var user, nice, system, idle, iowait, irq, softirq, steal int64
	if _, err := fmt.Sscanf(string(data), "cpu %d %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal); err != nil {
		return p, fmt.Errorf("read CPU times: %w", err)
	}
	p.busy = time.Duration(user+nice+system+irq+softirq+steal) * ClockTick
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			return p, fmt.Errorf("read own CPU times: %w", err)
		}
		p.ours += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return p, nil
}

// Others is the part of the processors that was used by others since before.
func (p Processors) Others(before Processors) float64 {
	all := p.at.Sub(before.at) * time.Duration(runtime.NumCPU())
	return max(0, float64((p.busy-before.busy)-(p.ours-before.ours))/float64(all))
}
