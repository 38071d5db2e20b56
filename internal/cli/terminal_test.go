//go:build !windows

package cli_test

import (
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-lro/lro/lrotest"
)

// clock matches what depends on when a test runs.
var clock = regexp.MustCompile(`\b(\d+(\.\d+)?(ms|s)|\d+m\d\ds|\d\d:\d\d:\d\d)\b`)

// TestTerminalTwins compares the last screen of every verb in a terminal. The
// scripts in testdata are their twins away from one.
func TestTerminalTwins(t *testing.T) {
	t.Parallel()
	s := serve(t)
	done := s.simulate(`{"echo": "hello"}`)
	s.wait(done)
	failed := s.simulate(`{"error": {"code": 5, "message": "no such\nthing"}}`)
	s.wait(failed)
	running := s.running()
	doomed := s.simulate(`{}`)
	s.wait(doomed)
	tests := []struct {
		name    string
		columns int
		args    []string
		status  int
		want    string
	}{
		{"get", 80, []string{"get", done}, 0, `
name      operations/ID
state     SUCCEEDED
progress  100%  10 of 10 steps
kind      simulate
created   T ago
started   T ago
ended     T ago
took      T
response  lro.v1.SimulateResponse
  {
    "echo": "hello",
    "attempts": 1
  }`},
		{"get failed", 80, []string{"get", failed}, 3, `
name      operations/ID
state     FAILED
error     NOT_FOUND: no such
          thing
progress  100%  10 of 10 steps
kind      simulate
created   T ago
started   T ago
ended     T ago
took      T
detail    google.rpc.ErrorInfo
  {
    "reason": "NOT_FOUND",
    "domain": "github.com/go-lro/lro"
  }`},
		{"list", 100, []string{"list", "--filter", "done:true AND NOT error:*", "--page-size", "1"}, 0, `
NAME                                 STATE      PROGRESS  CREATED  KIND      DETAIL
operations/ID  SUCCEEDED  100%      T ago  simulate
there are more: --all lists them`},
		{"list failed", 110, []string{"list", "--filter", "error:*"}, 0, `
NAME                                 STATE   PROGRESS  CREATED  KIND      DETAIL
operations/ID  FAILED  100%      T ago  simulate  NOT_FOUND: no such\nthing`},
		{"list narrow", 60, []string{"list", "--filter", "error:*"}, 0, `
operations/
NAME                      STATE   PROGRESS  CREATED
ID  FAILED  100%      T ago`},
		{"list very narrow", 30, []string{"list", "--filter", "error:*"}, 0, `
operations/
NAME                    STATE
ID...  FAILED`},
		{"wait done", 80, []string{"wait", done, failed}, 3, `
operations/ID  SUCCEEDED
operations/ID  FAILED  NOT_FOUND: no such\nthing`},
		{"wait timeout", 110, []string{"wait", "--timeout", "1s", running}, 124, `
lro: wait for operation "operations/ID": timed out after T; it may still run
to resume waiting: lro wait operations/ID`},
		{"watch", 110, []string{"watch", "--timeout", "1s", running, done}, 124, `
T  operations/ID  SUCCEEDED
T  operations/ID  RUNNING  0%  0 of 4 steps
lro: wait for operation "operations/ID": timed out after T; it may still run
to resume waiting: lro watch operations/ID`},
		{"cancel", 80, []string{"cancel", done}, 0, `
operations/ID  SUCCEEDED`},
		{"delete", 80, []string{"delete", doomed}, 0, `
operations/ID  deleted`},
		{"start", 80, []string{"start", "simulate"}, 0, `
operations/ID`},
		{"start wrong", 120, []string{"start", "simulate", `{"steps": -1}`}, 1, `
lro: start operation of kind "simulate" at HOST:PORT: INVALID_ARGUMENT: steps -1 is not within 0 and 10000`},
		{"not found", 200, []string{"get", "operations/nonsense"}, 1, `
lro: get operation "operations/nonsense" at HOST:PORT: NOT_FOUND: operation "operations/nonsense" was not found
lro list shows the operations that the service knows`},
		{"doctor", 250, []string{"doctor"}, 0, `
service           HOST:PORT  (gRPC)
GetOperation      yes
ListOperations    yes
WaitOperation     yes
CancelOperation   yes
DeleteOperation   yes
lro.v1.Starter    yes  (checksum, simulate)
reflection        yes  (5 services)
health            yes  (SERVING)
latency           µs median of 5 calls, µs longest
waiting           long poll with WaitOperation, in calls of up to T: the end is seen at once  (the service has it; at most 32 operations at once, the others are polled)`},
	}
	age := regexp.MustCompile(`T ago +`)
	created := regexp.MustCompile(`CREATED +`)
	short := regexp.MustCompile(`(?m)^o[0-9a-z]{5}(\.\.\.)?[0-9a-z]+  `) // below operations/
	micro := regexp.MustCompile(`\d+(\.\d+)?(µs|ms) (median|longest)`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := open(t, tt.columns, append(s.env(), "TZ=UTC"), tt.args...)
			status, screen := c.end()
			got := clock.ReplaceAllString(micro.ReplaceAllString(s.masked(screen), "µs $3"), "T")
			got = age.ReplaceAllString(got, "T ago  ") // older ones are wider
			got = short.ReplaceAllString(got, "ID$1  ")
			got = created.ReplaceAllString(got, "CREATED  ")
			want := strings.TrimPrefix(tt.want, "\n")
			if status != tt.status {
				t.Errorf("lro %q: exit status %d, want %d", tt.args, status, tt.status)
			}
			if tt.name == "watch" || tt.name == "wait done" { // in the order in which they end
				got, want = sortedLines(got, 2), sortedLines(want, 2)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("lro %q: screen (-want +got):\n%s", tt.args, diff)
			}
		})
	}
}

// sortedLines sorts the first n lines, whose order is not promised.
func sortedLines(text string, n int) string {
	lines := strings.SplitN(text, "\n", n+1)
	if len(lines) >= n && lines[0] > lines[1] {
		lines[0], lines[1] = lines[1], lines[0]
	}
	return strings.Join(lines, "\n")
}

func TestTerminalBar(t *testing.T) {
	t.Parallel()
	s := serve(t)
	name := s.running()
	c := open(t, 80, s.env(), "wait", "--interval", "100ms", name)
	c.until(`^  0% \[> {29}\]  0/4 steps  0s$`)
	c.until(`^  0% \[> {29}\]  0/4 steps  1s$`) // it moves
	cancelled := command(t, "cancel", name)
	cancelled.Env = append(os.Environ(), s.env()...)
	if out, err := cancelled.CombinedOutput(); err != nil {
		t.Fatalf("cancel: %v\n%s", err, out)
	}
	status, screen := c.end()
	if status != 4 || !strings.Contains(screen, "state     CANCELLED") || strings.Contains(screen, "[") {
		t.Errorf("lro wait of a cancelled operation: status %d, screen\n%s\nwant 4, the outcome and no bar", status, screen)
	}
}

func TestTerminalBarOfSeveral(t *testing.T) {
	t.Parallel()
	s := serve(t)
	done := s.simulate(`{}`)
	s.wait(done)
	running := s.running()
	c := open(t, 80, s.env(), "wait", running, done)
	screen := c.until(`^operations/\S+  SUCCEEDED\n 50% \[=+> +\]  1/2 operations  \d+s$`)
	if strings.Count(screen, "\n") != 1 {
		t.Errorf("lro wait of two: screen\n%s\nwant one outcome and the bar", screen)
	}
	c.press(ctrlC)
	status, screen := c.end()
	if status != 130 || !strings.Contains(screen, "to resume waiting: lro wait "+running) {
		t.Errorf("after Ctrl-C: status %d, screen\n%s\nwant 130 and the command for the one that is left", status, screen)
	}
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	s := serve(t)
	t.Run("leaves the operation alone", func(t *testing.T) {
		t.Parallel()
		name := s.running()
		c := open(t, 120, s.env(), "wait", name)
		c.until(`0/4 steps`)
		c.press(ctrlC)
		status, screen := c.end()
		want := "lro: wait for operation \"" + name + "\": interrupted; it may still run\nto resume waiting: lro wait " + name
		if status != 130 || !strings.HasSuffix(screen, want) {
			t.Errorf("after Ctrl-C: status %d, screen\n%s\nwant 130 and\n%s", status, screen, want)
		}
		if s.get(name).GetDone() {
			t.Error("Ctrl-C ended the operation")
		}
	})
	t.Run("cancels it with the flag", func(t *testing.T) {
		t.Parallel()
		name := s.running()
		c := open(t, 120, s.env(), "wait", "--cancel-on-interrupt", name)
		c.until(`0/4 steps`)
		c.press(ctrlC)
		status, screen := c.end()
		if status != 4 || !strings.Contains(screen, "cancelling 1 operation; press Ctrl-C again to exit at once") || !strings.Contains(screen, "state     CANCELLED") {
			t.Errorf("after Ctrl-C: status %d, screen\n%s\nwant 4 and what became of it", status, screen)
		}
		if !s.get(name).GetDone() {
			t.Error("Ctrl-C did not cancel the operation")
		}
	})
	t.Run("a second Ctrl-C", func(t *testing.T) {
		t.Parallel()
		srv := &lrotest.Server{}
		srv.Add("operations/x").OnCancel() // deaf
		c := open(t, 120, nil, "wait", "--cancel-on-interrupt", "--addr", serveForeign(t, srv, false), "--plaintext", "operations/x")
		c.until(`^ +\[.*<=>.*\]  \d+s`)
		c.press(ctrlC)
		c.until("cancelling 1 operation; press Ctrl-C again to exit at once")
		// sleep: the signals of two key presses within 100 ms are one
		time.Sleep(200 * time.Millisecond)
		c.press(ctrlC)
		begin := time.Now()
		if status, screen := c.end(); status != 130 || time.Since(begin) > 10*time.Second {
			t.Errorf("after Ctrl-C twice: status %d after %v, screen\n%s\nwant 130 at once", status, time.Since(begin), screen)
		}
	})
	t.Run("while names are typed", func(t *testing.T) {
		t.Parallel()
		c := open(t, 120, s.env(), "wait", "-")
		c.until("^reading names, one a line; Ctrl-D ends it$")
		c.press("operations/x\r")
		c.press(ctrlC)
		if status, screen := c.end(); status != 130 || !strings.Contains(screen, "lro: interrupted") {
			t.Errorf("after Ctrl-C: status %d, screen\n%s\nwant 130", status, screen)
		}
	})
	t.Run("by SIGTERM", func(t *testing.T) {
		t.Parallel()
		name := s.running()
		c := open(t, 120, s.env(), "wait", name)
		c.until(`0/4 steps`)
		if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if status, screen := c.end(); status != 130 || !strings.Contains(screen, ": interrupted by SIGTERM; it may still run") {
			t.Errorf("after SIGTERM: status %d, screen\n%s\nwant 130", status, screen)
		}
	})
}

func TestPlainTerminals(t *testing.T) {
	t.Parallel()
	s := serve(t)
	name := s.running()
	tests := []struct {
		name   string
		env    string
		bar    bool
		colour bool
	}{
		{"smart", "X=1", true, true},
		{"no colour", "NO_COLOR=1", true, false},
		{"dumb", "TERM=dumb", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := open(t, 100, append(s.env(), tt.env), "wait", "--timeout", "3s", name)
			c.end()
			if got := strings.Contains(c.bytes(), "\r\x1b[K"); got != tt.bar {
				t.Errorf("%s: draws a bar: %t, want %t\n%q", tt.env, got, tt.bar, c.bytes())
			}
			if !tt.bar && (strings.Contains(c.bytes(), "\x1b") || !strings.Contains(c.bytes(), "0%  0/4 steps  ")) {
				t.Errorf("%s: wrote %q, want plain lines", tt.env, c.bytes())
			}
			c = open(t, 100, append(s.env(), tt.env), "get", name)
			c.end()
			if got := strings.Contains(c.bytes(), "\x1b[36mRUNNING\x1b[0m"); got != tt.colour {
				t.Errorf("%s: colours the state: %t, want %t\n%q", tt.env, got, tt.colour, c.bytes())
			}
		})
	}
}

func TestDemoTerminal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c", "d"} {
		if err := os.WriteFile(dir+"/"+name, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db := t.TempDir() + "/demo.db"
	c := open(t, 200, nil, "demo", "--db", db, "--pace", "3600s", dir)
	screen := c.until(`^ 25% \[=+> +\]  1/4 files  \d+s  a$|^ 25% \[=+> +\]  1/4 files  \d+s  b$`)
	if !regexp.MustCompile(`(?m)^started operations/\S+: checksums of `).MatchString(screen) {
		t.Errorf("the demo does not say what it started:\n%s", screen)
	}
	c.press(ctrlC)
	status, screen := c.end()
	if want := "to finish it: lro demo --db " + db + " " + dir; status != 130 || !strings.HasSuffix(screen, want) {
		t.Errorf("demo after Ctrl-C: status %d, screen\n%s\nwant 130 and %q", status, screen, want)
	}
}
