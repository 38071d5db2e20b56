package cli_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/lropb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// demoResult is the output of "lro demo --output json" that docs/cli_json.md
// promises.
type demoResult struct {
	Operation     string  `json:"operation"`
	Dir           string  `json:"dir"`
	Files         int64   `json:"files"`
	Bytes         int64   `json:"bytes"`
	Digest        string  `json:"digest"`
	Attempts      int32   `json:"attempts"`
	Resumed       bool    `json:"resumed"`
	StatusMessage string  `json:"statusMessage"`
	Elapsed       float64 `json:"elapsedSeconds"`
}

// goSource is the Go source tree of this machine.
func goSource(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Skipf("no go command: %v", err)
	}
	src := filepath.Join(strings.TrimSpace(string(out)), "src")
	if _, err := os.Stat(src); err != nil {
		t.Skipf("no Go source tree: %v", err)
	}
	return src
}

// sumTree computes what the demo should, the plain way.
func sumTree(t *testing.T, dir string) (files int64, digest string) {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		lines = append(lines, fmt.Sprintf("%x\n", sha256.Sum256(content)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return int64(len(lines)), fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(lines, ""))))
}

var (
	servingLine = regexp.MustCompile(`^serving operations on (\S+), stored in (.*)$`)
	startedLine = regexp.MustCompile(`^started (operations/\S+): checksums of (.*)$`)
)

// TestDemoKilled kills the demo over the Go source tree with SIGKILL in the
// middle and starts it again.
func TestDemoKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("works through the Go source tree")
	}
	src := goSource(t)
	db := filepath.Join(t.TempDir(), "demo.db")
	// At this pace no machine is done before we look, and none has worked through
	// the files that are waited for before several checkpoints were due.
	first := command(t, "demo", "--db", db, "--pace", "500us")
	stderr := bufio.NewScanner(capture(t, first))
	addr := scanFor(t, stderr, servingLine)[1]
	started := scanFor(t, stderr, startedLine)
	if started[2] != src {
		t.Errorf("demo without DIR works on %q, want the Go source tree %q", started[2], src)
	}
	seen := waitForFiles(t, addr, started[1], 4000)
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := first.Wait(); err == nil {
		t.Fatal("the demo was done before it was killed")
	}

	second := command(t, "demo", "--db", db, "--output", "json")
	var told bytes.Buffer
	second.Stderr = &told
	out, err := second.Output()
	if err != nil {
		t.Fatalf("demo started again: %v\n%s", err, &told)
	}
	var got demoResult
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("demo --output json printed %q: %v", out, err)
	}
	files, digest := sumTree(t, src)
	if got.Operation != started[1] || !got.Resumed || got.Attempts != 2 || got.Dir != src {
		t.Errorf("demo started again = %+v, want a second attempt of %s", got, started[1])
	}
	if got.Files != files || got.Digest != digest {
		t.Errorf("demo = %d files and digest %s, want %d and %s", got.Files, got.Digest, files, digest)
	}
	from := regexp.MustCompile(`^resumed from its last checkpoint, after (\d+) files$`).FindStringSubmatch(got.StatusMessage)
	if from == nil {
		t.Fatalf("demo started again says %q, want where it resumed from", got.StatusMessage)
	}
	// At most half a second of work is lost, and what was not done is not
	// skipped.
	if n, _ := strconv.ParseInt(from[1], 10, 64); n == 0 || n < seen/4 || n >= files {
		t.Errorf("resumed after %d files, want a checkpoint not long before %d of %d", n, seen, files)
	}
	for _, want := range []string{
		"found " + started[1] + " unfinished by an earlier run: resuming " + src + "\n",
		started[1] + " " + got.StatusMessage + "\n",
	} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("demo started again did not say %q but:\n%s", want, &told)
		}
	}
}

// scanFor returns the submatches of the first line that matches.
func scanFor(t *testing.T, s *bufio.Scanner, line *regexp.Regexp) []string {
	t.Helper()
	for s.Scan() {
		if m := line.FindStringSubmatch(s.Text()); m != nil {
			return m
		}
	}
	t.Fatalf("no line matches %s; last %q (%v)", line, s.Text(), s.Err())
	return nil
}

// waitForFiles watches the operation as any client may, until so many files
// are done, and returns how many.
func waitForFiles(t *testing.T, addr, name string, files int64) int64 {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	method := lro.Method[*lropb.ChecksumResponse, *lropb.OperationMetadata]{Policy: &lro.Policy{FirstPoll: 1, MaxInterval: 20e6}}
	op, err := method.Resume(lro.NewClientConn(conn), name)
	if err != nil {
		t.Fatal(err)
	}
	for s, err := range op.Progress(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if m, _ := s.Metadata(); m.GetProgress().GetDone() >= files {
			return m.GetProgress().GetDone()
		}
	}
	t.Fatalf("%s was done before it was seen in the middle", name)
	return 0
}

func TestDemoUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing")
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"demo", missing}, "lro: directory " + strconv.Quote(missing) + " does not exist\n"},
		{[]string{"demo", file}, "lro: " + strconv.Quote(file) + " is not a directory\n"},
		{[]string{"demo", dir, dir}, "lro: demo does not take " + strconv.Quote(dir) + "\n"},
		{[]string{"demo", "--pace", "-1s", dir}, "lro: --pace -1s is negative\n"},
		{[]string{"demo", "--pace", "soon", dir}, "lro: --pace \"soon\": want a number and its unit"},
		{[]string{"demo", "--db", dir, dir}, "lro: --db " + strconv.Quote(dir) + " is a directory"},
		{[]string{"demo", "--db", filepath.Join(missing, "x.db"), dir}, "folder " + strconv.Quote(missing) + " does not exist\n"},
		{[]string{"demo", "--output", "yaml", dir}, "want text or json"},
		{[]string{"demo", "--nonsense"}, "lro: unknown flag: --nonsense\n"},
		{[]string{"nonsense"}, "lro: unknown command \"nonsense\" for \"lro\""},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			t.Parallel()
			got := runCommand(t, nil, tt.args...)
			if got.status != 2 || !strings.Contains(got.err, tt.want) || got.out != "" {
				t.Errorf("lro %q = %+v, want status 2 and %q on standard error", tt.args, got, tt.want)
			}
		})
	}
}
