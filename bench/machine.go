package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/go-lro/lro/bench/report"
)

// machine describes where this runs. What cannot be learnt stays empty.
func (b *bench) machine(ctx context.Context) report.Machine {
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
	m.Python = strings.TrimPrefix(output(ctx, "", b.programs.interop("python", "bin", "python"), "--version"), "Python ")
	m.Node = strings.TrimPrefix(output(ctx, "", b.programs.interop("node", "bin", "node"), "--version"), "v")
	return m
}

// peers returns the versions of the libraries that are compared.
func (b *bench) peers(ctx context.Context) map[string]string {
	versions := map[string]string{
		"cloud.google.com/go/longrunning": output(ctx, filepath.Join(b.programs.root, "bench"),
			"go", "list", "-m", "-f={{.Version}}", "cloud.google.com/go/longrunning"),
		"grpc-go": output(ctx, filepath.Join(b.programs.root, "bench"), "go", "list", "-m", "-f={{.Version}}", "google.golang.org/grpc"),
	}
	for _, name := range []string{"google-api-core", "grpcio"} {
		versions[name] = output(ctx, "", b.programs.interop("python", "bin", "python"), "-c",
			"import importlib.metadata as m; print(m.version('"+name+"'))")
	}
	for _, name := range []string{"google-gax", "@grpc/grpc-js"} {
		var described struct{ Version string }
		data, err := os.ReadFile(b.programs.interop("node", "node_modules", name, "package.json"))
		if err == nil && json.Unmarshal(data, &described) == nil {
			versions[name] = described.Version
		}
	}
	for name, version := range versions {
		if version == "" {
			versions[name] = "not installed"
		}
	}
	return versions
}

// commit is the one that is checked out.
func (b *bench) commit(ctx context.Context) string {
	head := output(ctx, b.programs.root, "git", "rev-parse", "--short=12", "HEAD")
	if head == "" {
		return "unknown"
	}
	if output(ctx, b.programs.root, "git", "status", "--porcelain", "--untracked-files=no", "--", "*.go", "go.mod", "bench") != "" {
		head += "+changes"
	}
	return head
}

// output is the first line that a program prints, "" if it fails.
func output(ctx context.Context, dir, name string, args ...string) string {
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

// load is the load average of the last minute.
func load() (l float64) {
	data, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		_, _ = fmt.Sscan(string(data), &l) // 0 says that it is not known
	}
	return l
}

// processors is what they have done since the machine started, and what of it
// was for this program and those that it started and that have ended.
type processors struct {
	at         time.Time
	busy, ours time.Duration
}

func readProcessors() (p processors, err error) {
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
	p.busy = time.Duration(user+nice+system+irq+softirq+steal) * clockTick
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			return p, fmt.Errorf("read own CPU times: %w", err)
		}
		p.ours += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return p, nil
}

// others is the part of the processors that was used by others since before.
func (p processors) others(before processors) float64 {
	all := p.at.Sub(before.at) * time.Duration(runtime.NumCPU())
	return max(0, float64((p.busy-before.busy)-(p.ours-before.ours))/float64(all))
}
