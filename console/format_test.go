package console

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-1: "0 s", 0: "0 ms", 999 * time.Microsecond: "0 ms", 999 * time.Millisecond: "999 ms",
		time.Second: "1.0 s", 9990 * time.Millisecond: "9.9 s", 10 * time.Second: "10 s",
		59*time.Second + 999*time.Millisecond: "59 s", time.Minute: "1 min 00 s", 61 * time.Second: "1 min 01 s",
		time.Hour: "1 h 00 min", 23*time.Hour + 59*time.Minute + 59*time.Second: "23 h 59 min",
		24 * time.Hour: "1 d 0 h", 1001*24*time.Hour + 5*time.Hour: "1,001 d 5 h",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestAge(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Hour: "now", 0: "now", time.Second: "1 s ago", 59 * time.Second: "59 s ago", 90 * time.Second: "1 min ago",
		time.Hour: "1 h ago", 47 * time.Hour: "47 h ago", 48 * time.Hour: "2 d ago",
	} {
		if got := age(d); got != want {
			t.Errorf("age(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", 123456: "123,456", 1234567: "1,234,567",
		-9223372036854775808: "-9,223,372,036,854,775,808",
	} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0 bytes", 1023: "1023 bytes", 1536: "1.5 KiB", 5 << 20: "5.0 MiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestPace(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{2 * time.Second: "2 s", 1500 * time.Millisecond: "1.5 s", 2 * time.Minute: "2 min 00 s"} {
		if got := pace(d); got != want {
			t.Errorf("pace(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestShellQuote(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"operations/o1": "operations/o1", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(rm -rf ~)": "'$(rm -rf ~)'",
		"-flag": "'-flag'", "a\nb": "'a b'", "host:443": "host:443", "a;b": "'a;b'", "x\u202ey": `'x\u202ey'`,
	} {
		if got := shellQuote(in); got != want {
			t.Errorf("shellQuote(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	got := commandsOf(Endpoint{URL: "https://host/v1"}, "operations/o1", false)
	if len(got) != 1 || got[0].Line != "lro get --url https://host/v1 operations/o1" {
		t.Errorf("commands for HTTP/JSON = %v", got)
	}
	got = commandsOf(Endpoint{Address: "host:1", Plaintext: true}, "operations/o1", true)
	if len(got) != 4 || got[2].Line != "lro cancel --addr host:1 --plaintext operations/o1" ||
		got[3].Line != `grpcurl -plaintext -d '{"name": "operations/o1"}' host:1 google.longrunning.Operations/GetOperation` {
		t.Errorf("commands for gRPC = %v", got)
	}
}

func TestSplitName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]string{
		"operations/o1": {"", "o1"}, "projects/p/operations/o1": {"projects/p", "o1"}, "o1": {"", "o1"}, "": {"", ""},
		"projects/p/jobs/o1": {"projects/p/jobs", "o1"}, "operations/": {"", "operations/"}, "/": {"", "/"},
	} {
		if parent, short := splitName(name); parent != want[0] || short != want[1] {
			t.Errorf("splitName(%q) = %q, %q, want %q", name, parent, short, want)
		}
	}
}
