package await

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/go-lro/lro/internal/cli/term"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/lrotest"
)

// learning runs "lro wait" for an operation of a minute, which was created when
// the command begins, and returns how often it was polled.
func learning(t *testing.T, cache string, env map[string]string, args ...string) int {
	t.Helper()
	srv := &lrotest.Server{Without: []lrotest.RPC{lrotest.WaitOperation}}
	meta := &lropb.OperationMetadata{CreateTime: timestamppb.Now(), Verb: "simulate"}
	script := srv.Add("operations/x", lrotest.Running(meta).For(time.Minute), lrotest.Succeeded(nil))
	var out, stderr recorder
	streams := &term.IO{In: strings.NewReader(""), Out: &out, Err: &stderr, CacheDir: cache, Getenv: func(name string) string { return env[name] }}
	if _, err := execute(context.Background(), "wait", &Options{}, srv, streams, append(args, "operations/x")); err != nil {
		t.Fatalf("lro wait: %v; %s", err, stderr.String())
	}
	return len(script.Calls())
}

func files(t *testing.T, cache string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(cache, "lro", "learned", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What one run learns, the next one uses.
func TestWaitRemembers(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	run := func(env map[string]string, args ...string) (polls int) {
		synctest.Test(t, func(t *testing.T) { polls = learning(t, cache, env, args...) })
		return polls
	}
	cold := run(nil)
	all := files(t, cache)
	if len(all) != 1 {
		t.Fatalf("files %q, want one", all)
	}
	if info, err := os.Stat(all[0]); err != nil || info.Mode().Perm() != 0o600 || info.Size() > 4096 {
		t.Errorf("the file is %v, %v; want 4 KiB at most for its owner", info, err)
	}
	for range 5 {
		run(nil)
	}
	if warm := run(nil); warm >= cold {
		t.Errorf("%d polls after runs that learned, %d before", warm, cold)
	}
	before, err := os.ReadFile(all[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, plain := range map[string]func() int{
		"flag":     func() int { return run(nil, "--no-learn") },
		"variable": func() int { return run(map[string]string{"LRO_NO_LEARN": "1"}) },
	} {
		if polls := plain(); polls < cold-2 {
			t.Errorf("%s: %d polls, want about %d", name, polls, cold)
		}
	}
	if after, err := os.ReadFile(all[0]); err != nil || !bytes.Equal(before, after) {
		t.Errorf("runs that do not learn changed the file: %v", err)
	}
	if all := files(t, cache); len(all) != 1 {
		t.Errorf("files left behind: %q", all)
	}
}

// A file that is no use is replaced, and a place where none can be written does
// no harm.
func TestWaitRemembersInSpiteOfFiles(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	run := func(cache string) (polls int) {
		synctest.Test(t, func(t *testing.T) { polls = learning(t, cache, nil) })
		return polls
	}
	run(cache)
	path := files(t, cache)[0]
	for name, text := range map[string]string{"empty": "", "cut off": "lrol1_AAAA", "of a later version": "lrol9_"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		run(cache)
		if after, err := os.ReadFile(path); err != nil || len(after) < 100 {
			t.Errorf("a file that is %s was not replaced: %q, %v", name, after, err)
		}
	}
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	run(blocked)
	run("")
}
