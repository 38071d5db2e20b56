package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro/internal/cli/host"
	"github.com/go-lro/lro/internal/computeop"
	"github.com/go-lro/lro/lrotest"
)

// TestScripts runs the scripts in testdata over gRPC and over HTTP/JSON: the
// command as people use it, in processes of its own, away from any terminal.
// Each has a server of its own with the kinds of "lro serve". See
// scriptCommands for what they may use besides testscript's own; [grpc] and
// [http] are conditions.
func TestScripts(t *testing.T) {
	t.Parallel()
	bin := filepath.Dir(binary(t))
	for _, transport := range []string{"grpc", "http"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			testscript.Run(t, testscript.Params{
				Dir:   "testdata",
				Setup: func(e *testscript.Env) error { return setUpScript(e, bin, transport) },
				Cmds:  scriptCommands,
				Condition: func(cond string) (bool, error) {
					if cond != "grpc" && cond != "http" {
						return false, fmt.Errorf("unknown condition %q", cond)
					}
					return cond == transport, nil
				},
				RequireExplicitExec: true,
				RequireUniqueNames:  true,
			})
		})
	}
}

func setUpScript(e *testscript.Env, bin, transport string) error {
	addr, err := serveForScript(e)
	if err != nil {
		return err
	}
	e.Setenv("PATH", bin+string(filepath.ListSeparator)+e.Getenv("PATH"))
	e.Setenv("SERVER", addr)
	e.Setenv("PLATFORM", runtime.GOOS+"/"+runtime.GOARCH)
	if transport == "http" {
		e.Setenv("LRO_URL", "http://"+addr)
	} else {
		e.Setenv("LRO_ADDR", addr)
		e.Setenv("LRO_PLAINTEXT", "1")
	}
	e.Setenv("TMPDIR", e.WorkDir)
	return nil
}

// serveForScript runs a server for as long as a script.
func serveForScript(e *testscript.Env) (addr string, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	h, err := host.Open(ctx, host.Config{DB: filepath.Join(e.WorkDir, "script.db"), Drain: -1, Grace: time.Second})
	if err != nil {
		cancel()
		return "", err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		cancel()
		return "", err
	}
	var running sync.WaitGroup
	running.Go(func() { _ = h.Serve(ctx, listener) })
	e.Defer(func() {
		cancel()
		running.Wait()
		_ = h.Close()
	})
	return listener.Addr().String(), nil
}

// signOfLife is what a call that takes a second prints to a stream that is no
// terminal.
var signOfLife = regexp.MustCompile(`^\d+s  calling `)

// scriptCommands are:
//
//	status N lro args...    run a command and check its exit status
//	until REGEXP lro args...  run a command until its standard output matches
//	quiet                   fail if the last standard error has anything but
//	                        signs of life, which a busy machine brings about
//	save NAME [REGEXP]      set $NAME to the first submatch of REGEXP in the
//	                        last standard output, without one to all of it
//	compute                 serve a fake of Compute Engine, and set $COMPUTE to
//	                        its URL
//	json PATH VALUE         check a member of each line of the last standard
//	                        output that has it, such as operation.done true
var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"status": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 2 {
			ts.Fatalf("usage: status N command args...")
		}
		err := ts.Exec(args[1], args[2:]...)
		got := "0"
		if err != nil {
			got = strings.TrimPrefix(err.Error(), "exit status ")
		}
		if got != args[0] {
			ts.Fatalf("%s: exit status %s, want %s", strings.Join(args[1:], " "), got, args[0])
		}
	},
	"until": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 2 {
			ts.Fatalf("usage: until REGEXP command args...")
		}
		pattern := regexp.MustCompile("(?m)" + args[0])
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
			err := ts.Exec(args[1], args[2:]...)
			if err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
				return
			}
		}
		ts.Fatalf("%s: never printed %q", strings.Join(args[1:], " "), args[0])
	},
	"quiet": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) > 0 {
			ts.Fatalf("usage: quiet")
		}
		for line := range strings.Lines(ts.ReadFile("stderr")) {
			if !signOfLife.MatchString(line) {
				ts.Fatalf("stderr has %q, want nothing", line)
			}
		}
	},
	"save": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 1 {
			ts.Fatalf("usage: save NAME [REGEXP]")
		}
		text := strings.TrimSpace(ts.ReadFile("stdout"))
		if len(args) > 1 {
			m := regexp.MustCompile(args[1]).FindStringSubmatch(text)
			if m == nil {
				ts.Fatalf("%q does not match %q", args[1], text)
			}
			text = m[1]
		}
		ts.Setenv(args[0], text)
	},
	"compute": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) > 0 {
			ts.Fatalf("usage: compute")
		}
		server := httptest.NewServer(lrotest.NewComputeHandler(compute()))
		ts.Defer(server.Close)
		ts.Setenv("COMPUTE", server.URL+"/compute/v1")
	},
	"json": func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 2 {
			ts.Fatalf("usage: json PATH VALUE")
		}
		var got []string
		for line := range strings.Lines(ts.ReadFile("stdout")) {
			var v any
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				ts.Fatalf("%q: %v", line, err)
			}
			text, ok := member(v, strings.Split(args[0], "."))
			if ok && text == args[1] {
				return
			}
			if ok {
				got = append(got, text)
			}
		}
		ts.Fatalf("%s is %q, want %q", args[0], got, args[1])
	},
}

// compute has operations of Compute Engine: one of each outcome in a zone, one
// that ends after a moment, and one of an organization.
func compute() *lrotest.Server {
	srv := &lrotest.Server{Filter: func(filter string, op *longrunningpb.Operation) bool {
		return filter == "status != DONE" && !op.GetDone()
	}}
	insert := &computeop.Operation{
		OperationType: new("insert"), TargetLink: new("https://www.googleapis.com/compute/v1/projects/p/zones/z/instances/vm"),
		InsertTime: new("2026-01-02T03:04:05.678-08:00"),
	}
	half := proto.CloneOf(insert)
	half.Progress = new(int32(50))
	full := &computeop.Errors{Code: new("QUOTA_EXCEEDED"), Message: new("Quota 'CPUS' exceeded.")}
	srv.Add("projects/p/zones/z/operations/good", lrotest.Succeeded(insert))
	srv.Add("projects/p/zones/z/operations/bad", lrotest.Failed(codes.PermissionDenied, "no", full).WithMetadata(insert))
	srv.Add("projects/p/zones/z/operations/runs", lrotest.Running(half))
	srv.Add("projects/p/regions/r/operations/soon", lrotest.Running(half).For(100*time.Millisecond), lrotest.Succeeded(insert))
	srv.Add("locations/global/operations/org?parentId=organizations/1", lrotest.Succeeded(nil))
	return srv
}

// member returns the member of a JSON value at a path, as text.
func member(v any, path []string) (string, bool) {
	for _, key := range path {
		switch container := v.(type) {
		case map[string]any:
			inner, ok := container[key]
			if !ok {
				return "", false
			}
			v = inner
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(container) {
				return "", false
			}
			v = container[i]
		default:
			return "", false
		}
	}
	if text, ok := v.(string); ok {
		return text, true
	}
	text, err := json.Marshal(v)
	return fmt.Sprint(string(text)), err == nil
}
