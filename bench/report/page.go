package report

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Page returns the whole page of Markdown.
func (r *Report) Page() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Benchmarks\n\n<!-- Made by `make bench` from benchmarks/benchmarks.json. Do not edit. -->\n\n")
	b.WriteString("With this page you can compare lro with other clients, and repeat every figure. All do the same work on the same " +
		"machine in one run: our future, those that Google wrote for Go, Python and Node at their defaults, and our server against " +
		"bare limits. All clients wait on one scripted service in a process of its own, over gRPC on loopback; it records when an " +
		"operation ended, and counts calls. Only \"" + "lro, long poll" + "\" finds `WaitOperation` " +
		"there, with a budget of long polls (`lro.WithLongPolls`) as large as the number of operations; the default is 32. The " +
		"programs are in [bench/peers](../bench/peers).\n\n")
	for _, l := range r.header() {
		fmt.Fprintf(&b, "- %s\n", l)
	}
	b.WriteString("\nTo repeat everything and make this page again, run `make bench`. It installs the other clients and takes about 22 minutes. One part: " +
		"`cd bench && go run . -only lateness`; see `go run . -help`. To compare with another revision, whose runs alternate with those of the checkout: " +
		"`make bench OLD=v0.1.0 BENCHFLAGS=\"-only poll\"`. All numbers: " +
		"[benchmarks.json](benchmarks/benchmarks.json).\n\n")
	for _, t := range r.Tables() {
		if err := t.Markdown(&b); err != nil {
			return nil, err
		}
	}
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n'), nil
}

// Text returns all for a terminal.
func (r *Report) Text() ([]byte, error) {
	var b bytes.Buffer
	for _, l := range r.header() {
		fmt.Fprintln(&b, l)
	}
	for _, t := range r.Tables() {
		if err := t.Text(&b); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func (r *Report) header() []string {
	m := r.Machine
	lines := []string{
		fmt.Sprintf("Machine: %d × %s, %.0f GiB, %s, Linux %s", m.Cores, m.CPU, float64(m.Memory)/(1<<30), m.OS, m.Kernel),
		fmt.Sprintf("Languages: %s, Python %s, Node %s", m.Go, or(m.Python), or(m.Node)),
	}
	var peers []string
	for _, name := range slices.Sorted(maps.Keys(r.Peers)) {
		peers = append(peers, name+" "+r.Peers[name])
	}
	lines = append(lines, "Peers: "+strings.Join(peers, ", "))
	run := fmt.Sprintf("Run: %s, commit %s, in %s, `%s`", r.Run.Begin.UTC().Format("2006-01-02 15:04 UTC"), r.Run.Commit,
		r.Run.Took.Round(time.Second), r.Run.Command)
	if r.Run.Short {
		run += "; SHORT, so that it works, not as a measurement"
	}
	lines = append(lines, run)
	var others []string
	for _, section := range slices.Sorted(maps.Keys(r.Run.Others)) {
		others = append(others, fmt.Sprintf("%s %s", section, percent(r.Run.Others[section])))
	}
	quiet := "Quiet"
	for _, part := range r.Run.Others {
		if part > mostOthers {
			quiet = "NOT QUIET, so provisional"
		}
	}
	return append(lines, fmt.Sprintf("%s: load average %.1f before; part of the processors used by others meanwhile: %s",
		quiet, r.Run.Load, strings.Join(others, ", ")))
}

// mostOthers is which part of the processors others may use before a run counts
// as disturbed.
const mostOthers = 0.1

func or(s string) string {
	if s == "" {
		return "not installed"
	}
	return s
}
