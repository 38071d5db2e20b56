package checksum

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
)

// fakeTask records what an attempt does.
type fakeTask struct {
	attempt    int
	checkpoint []byte
	metadata   *lropb.OperationMetadata

	reports []*lropb.OperationMetadata
	saves   [][]byte
	saveErr error
	onSave  func()
}

func (f *fakeTask) Attempt() int                       { return max(1, f.attempt) }
func (f *fakeTask) Checkpoint() []byte                 { return f.checkpoint }
func (f *fakeTask) Metadata() *lropb.OperationMetadata { return f.metadata }
func (f *fakeTask) Report(m *lropb.OperationMetadata) error {
	f.reports = append(f.reports, proto.CloneOf(m))
	return nil
}
func (f *fakeTask) Save(ctx context.Context, checkpoint []byte) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f.saves = append(f.saves, slices.Clone(checkpoint))
	if f.onSave != nil {
		f.onSave()
	}
	return f.saveErr
}

func (f *fakeTask) last() *lropb.OperationMetadata { return f.reports[len(f.reports)-1] }

// plant makes a tree of the given files, whose content is their path.
func plant(t *testing.T, paths ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range paths {
		full := filepath.Join(dir, filepath.FromSlash(p))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(p), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// sumOf is the digest of files whose content is contents, computed the way the
// documentation describes it.
func sumOf(contents ...string) string {
	lines := make([]string, len(contents))
	for i, c := range contents {
		lines[i] = fmt.Sprintf("%x\n", sha256.Sum256([]byte(c)))
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:])
}

// unsorted has names whose order in a walk differs from that of their paths.
var unsorted = []string{"a-b", "a/z", "a/b/c", "a.go", "b", "ä/ö", "a/b.c", "0"}

func TestRun(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		dir  string
		want *lropb.ChecksumResponse
	}{
		{name: "empty", dir: plant(t), want: &lropb.ChecksumResponse{Digest: sumOf()}},
		{name: "one", dir: plant(t, "f"), want: &lropb.ChecksumResponse{Files: 1, Bytes: 1, Digest: sumOf("f")}},
		{name: "deep", dir: plant(t, unsorted...), want: &lropb.ChecksumResponse{
			Files: int64(len(unsorted)), Bytes: int64(len(strings.Join(unsorted, ""))), Digest: sumOf(unsorted...),
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			task := &fakeTask{}
			got, err := run(t.Context(), task, &lropb.ChecksumRequest{Dir: tt.dir})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("run(%q) (-want +got):\n%s", tt.dir, diff)
			}
			wantMeta := &lropb.OperationMetadata{
				Target:   tt.dir,
				Progress: &lropb.Progress{Done: tt.want.Files, Total: tt.want.Files, Unit: "files"},
			}
			if diff := cmp.Diff(wantMeta, task.last(), protocmp.Transform()); diff != "" {
				t.Errorf("last metadata (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSameAsCoreutils compares with the commands in the package comment.
func TestSameAsCoreutils(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs coreutils")
	}
	dir := plant(t, unsorted...)
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "find . -type f -exec sha256sum {} + | cut -d' ' -f1 | LC_ALL=C sort | sha256sum")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want, _, _ := strings.Cut(string(out), " ")
	got, err := run(t.Context(), &fakeTask{}, &lropb.ChecksumRequest{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if got.GetDigest() != want {
		t.Errorf("run(%q) = digest %q, sha256sum says %q", dir, got.GetDigest(), want)
	}
}

func TestResumeFromEveryCheckpoint(t *testing.T) {
	t.Parallel()
	dir := plant(t, unsorted...)
	req := &lropb.ChecksumRequest{Dir: dir, Pace: durationpb.New(time.Second)}
	// A pace this long saves after each file; the bubble makes it free.
	synctest.Test(t, func(t *testing.T) {
		first := &fakeTask{}
		want, err := run(t.Context(), first, req)
		if err != nil {
			t.Fatal(err)
		}
		if len(first.saves) != len(unsorted) {
			t.Fatalf("run saved %d checkpoints, want one for each of %d files", len(first.saves), len(unsorted))
		}
		for i, checkpoint := range first.saves {
			task := &fakeTask{attempt: 2, checkpoint: checkpoint}
			got, err := run(t.Context(), task, req)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("run after checkpoint %d (-want +got):\n%s", i, diff)
			}
			if got, want := len(task.saves), len(unsorted)-i-1; got != want {
				t.Errorf("run after checkpoint %d read %d files, want %d", i, got, want)
			}
			wantStatus := fmt.Sprintf("resumed from its last checkpoint, after %d files", i+1)
			if got := task.last().GetStatusMessage(); got != wantStatus {
				t.Errorf("run after checkpoint %d: status message %q, want %q", i, got, wantStatus)
			}
			if got := task.reports[1].GetProgress(); got.GetDone() != int64(i+1) || got.GetTotal() != int64(len(unsorted)) {
				t.Errorf("run after checkpoint %d began with progress %v, want done %d of %d", i, got, i+1, len(unsorted))
			}
		}
	})
}

func TestStartsOver(t *testing.T) {
	t.Parallel()
	dir := plant(t, "a", "b")
	for checkpoint, want := range map[string]string{
		"":          "started over: the attempt before left no checkpoint",
		"\x01\xff":  "started over: checkpoint is of another version or damaged",
		"\x02later": "started over: checkpoint is of another version or damaged",
	} {
		task := &fakeTask{attempt: 3}
		if checkpoint != "" {
			task.checkpoint = []byte(checkpoint)
		}
		got, err := run(t.Context(), task, &lropb.ChecksumRequest{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if got.GetDigest() != sumOf("a", "b") {
			t.Errorf("run from checkpoint %q = %v, want digest %q", checkpoint, got, sumOf("a", "b"))
		}
		if got := task.last().GetStatusMessage(); got != want {
			t.Errorf("run from checkpoint %q: status message %q, want %q", checkpoint, got, want)
		}
	}
}

func TestCheckpointsAreCalm(t *testing.T) {
	t.Parallel()
	var paths []string
	for i := range 100 {
		paths = append(paths, fmt.Sprintf("%03d", i))
	}
	dir := plant(t, paths...)
	synctest.Test(t, func(t *testing.T) {
		task := &fakeTask{}
		_, err := run(t.Context(), task, &lropb.ChecksumRequest{Dir: dir, Pace: durationpb.New(20 * time.Millisecond)})
		if err != nil {
			t.Fatal(err)
		}
		// 100 files in 2 s.
		if n := len(task.saves); n < 3 || n > 4 {
			t.Errorf("run saved %d checkpoints in 2 s, want one each 500 ms", n)
		}
		if n := len(task.reports); n < 20 || n > 50 {
			t.Errorf("run reported %d times in 2 s, want at most one each 50 ms", n)
		}
	})
}

func TestStop(t *testing.T) {
	t.Parallel()
	dir := plant(t, "a", "b", "c")
	req := &lropb.ChecksumRequest{Dir: dir, Pace: durationpb.New(400 * time.Millisecond)}
	for _, tt := range []struct {
		cause error
		saves int
	}{
		{server.ErrDraining, 1},
		{server.ErrCancelRequested, 0},
		{server.ErrLeaseLost, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(100*time.Millisecond, func() { cancel(tt.cause) })
			begin := time.Now()
			task := &fakeTask{}
			_, err := run(ctx, task, req)
			if !errors.Is(err, tt.cause) {
				t.Errorf("run stopped by %q = %v, want that cause", tt.cause, err)
			}
			if took := time.Since(begin); took != 100*time.Millisecond {
				t.Errorf("run stopped by %q took %v, want it to stop at once", tt.cause, took)
			}
			if len(task.saves) != tt.saves {
				t.Errorf("run stopped by %q saved %d checkpoints, want %d", tt.cause, len(task.saves), tt.saves)
			}
			if tt.saves > 0 {
				s, err := decodeState(task.saves[0])
				if err != nil || s.last != "a" || len(s.digests) != 1 {
					t.Errorf("checkpoint = %+v, %v, want file %q", s, err, "a")
				}
			}
		})
	}
}

func TestSaveFails(t *testing.T) {
	t.Parallel()
	dir := plant(t, "a", "b", "c")
	req := &lropb.ChecksumRequest{Dir: dir, Pace: durationpb.New(time.Second)}
	synctest.Test(t, func(t *testing.T) {
		task := &fakeTask{saveErr: errors.New("disk full")}
		if _, err := run(t.Context(), task, req); err != nil {
			t.Errorf("run without checkpoints = %v, want it to go on", err)
		}
		if got, want := task.last().GetStatusMessage(), "checkpoint not saved: disk full"; got != want {
			t.Errorf("status message %q, want %q", got, want)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		task := &fakeTask{saveErr: fmt.Errorf("save: %w", server.ErrLeaseLost)}
		if _, err := run(t.Context(), task, req); !errors.Is(err, server.ErrLeaseLost) {
			t.Errorf("run after losing its lease = %v, want %v", err, server.ErrLeaseLost)
		}
		if len(task.saves) != 1 {
			t.Errorf("run after losing its lease saved %d times, want 1", len(task.saves))
		}
	})
}

func TestVanishedFile(t *testing.T) {
	t.Parallel()
	dir := plant(t, "a", "b/x", "b/y", "c")
	synctest.Test(t, func(t *testing.T) {
		task := &fakeTask{}
		task.onSave = func() {
			if len(task.saves) != 1 {
				return
			}
			if err := os.Remove(filepath.Join(dir, "c")); err != nil {
				t.Error(err)
			}
			if err := os.RemoveAll(filepath.Join(dir, "b")); err != nil {
				t.Error(err)
			}
		}
		got, err := run(t.Context(), task, &lropb.ChecksumRequest{Dir: dir, Pace: durationpb.New(time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		if got.GetFiles() != 1 || got.GetDigest() != sumOf("a") {
			t.Errorf("run = %v, want the one file that stayed", got)
		}
		var texts []string
		for _, st := range task.last().GetPartialErrors() {
			texts = append(texts, st.GetMessage())
		}
		want := []string{`"b" disappeared before it was read`, `"c" disappeared before it was read`}
		if diff := cmp.Diff(want, texts); diff != "" {
			t.Errorf("partial errors (-want +got):\n%s", diff)
		}
		if p := task.last().GetProgress(); p.GetDone() != p.GetTotal() {
			t.Errorf("last progress = %v, want all done", p)
		}
	})
}

func TestUnreadableFile(t *testing.T) {
	t.Parallel()
	dir := plant(t, "a", "b")
	path := filepath.Join(dir, "b")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open(path); err == nil {
		f.Close()
		t.Skip("this user may read every file")
	}
	_, err := run(t.Context(), &fakeTask{}, &lropb.ChecksumRequest{Dir: dir})
	if status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), path) {
		t.Errorf("run with an unreadable file = %v, want PERMISSION_DENIED that names %q", err, path)
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	dir := plant(t, "real/f")
	for link, to := range map[string]string{"real/loop": "..", "real/g": "f", "dir": "real", "real/dangling": "nowhere"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Skip(err)
		}
	}
	for _, root := range []string{dir, filepath.Join(dir, "dir"), filepath.Join(dir, "real")} {
		got, err := run(t.Context(), &fakeTask{}, &lropb.ChecksumRequest{Dir: root})
		if err != nil {
			t.Fatal(err)
		}
		if got.GetFiles() != 1 || got.GetDigest() != sumOf("real/f") {
			t.Errorf("run(%q) = %v, want the one regular file", root, got)
		}
	}
}

func TestGone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "gone")
	_, err := run(t.Context(), &fakeTask{attempt: 2}, &lropb.ChecksumRequest{Dir: dir})
	if status.Code(err) != codes.NotFound || !strings.Contains(err.Error(), dir) {
		t.Errorf("run in a directory that is gone = %v, want NOT_FOUND that names %q", err, dir)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	dir := plant(t, "f")
	tests := []struct {
		name string
		req  *lropb.ChecksumRequest
		code codes.Code // Unknown stands for an error without a status
		text string
	}{
		{"good", &lropb.ChecksumRequest{Dir: dir, Pace: durationpb.New(time.Second)}, codes.OK, ""},
		{"no dir", &lropb.ChecksumRequest{}, codes.Unknown, "dir is required"},
		{"relative", &lropb.ChecksumRequest{Dir: "."}, codes.Unknown, `"." is not an absolute path`},
		{"missing", &lropb.ChecksumRequest{Dir: dir + "/no"}, codes.NotFound, "/no\" does not exist"},
		{"file", &lropb.ChecksumRequest{Dir: filepath.Join(dir, "f")}, codes.Unknown, "is not a directory"},
		{"negative pace", &lropb.ChecksumRequest{Dir: dir, Pace: durationpb.New(-1)}, codes.Unknown, "pace -1ns"},
		{"long pace", &lropb.ChecksumRequest{Dir: dir, Pace: durationpb.New(2 * time.Hour)}, codes.Unknown, "pace 2h0m0s"},
		{"invalid pace", &lropb.ChecksumRequest{Dir: dir, Pace: &durationpb.Duration{Nanos: -1, Seconds: 1}}, codes.Unknown, "pace: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := Config{}.validate(t.Context(), tt.req)
			if got := status.Code(err); got != tt.code || err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("validate(%v) = %v, want code %v and %q", tt.req, err, tt.code, tt.text)
			}
		})
	}
}
