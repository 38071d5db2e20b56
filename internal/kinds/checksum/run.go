package checksum

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"github.com/go-lro/lro/internal/pause"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
)

const (
	// saveEvery is how much work a crash may cost.
	saveEvery = 500 * time.Millisecond
	// saveShare bounds the time spent on checkpoints, which grow with the
	// files: the next comes no earlier than so many times what the last took.
	saveShare = 20
	// reportEvery keeps watchers up to date without a message for each of
	// thousands of small files in a second.
	reportEvery = 50 * time.Millisecond
	// saveGrace is how long the checkpoint of an attempt that was told to stop
	// may take.
	saveGrace = 5 * time.Second
	// maxPartialErrors bounds the metadata.
	maxPartialErrors = 20
	// chunk is how much of a file is read between two looks at the context.
	chunk = 256 << 10
)

// task is what the handler uses of [server.Task].
type task interface {
	Attempt() int
	Checkpoint() []byte
	Metadata() *lropb.OperationMetadata
	Report(*lropb.OperationMetadata) error
	Save(ctx context.Context, checkpoint []byte) error
}

// job is one attempt.
type job struct {
	task     task
	tree     *tree
	pace     time.Duration
	meta     *lropb.OperationMetadata
	state    state
	buffer   []byte
	reported time.Time // when metadata was shown last
	saved    time.Time // when a checkpoint was saved last
	saving   time.Duration
}

func run(ctx context.Context, t task, req *lropb.ChecksumRequest) (*lropb.ChecksumResponse, error) {
	j := &job{
		task:   t,
		pace:   req.GetPace().AsDuration(),
		meta:   &lropb.OperationMetadata{Target: req.GetDir(), PartialErrors: t.Metadata().GetPartialErrors()},
		buffer: make([]byte, chunk),
		saved:  time.Now(),
	}
	resumed := j.resume()
	j.meta.Progress = &lropb.Progress{Unit: "files"}
	j.meta.StatusMessage = "counting files"
	j.report()
	var err error
	if j.tree, err = openTree(req.GetDir()); err != nil {
		return nil, err
	}
	total, err := j.count(ctx)
	if err != nil {
		return nil, err
	}
	j.meta.Progress.Total = total
	j.meta.StatusMessage = resumed
	j.report()

	j.tree.missing = j.skip
	err = j.tree.files(ctx, j.state.last, func(rel string) error { return j.file(ctx, rel) })
	if err != nil {
		j.stopped(ctx)
		return nil, err
	}
	// Files that came or went meanwhile.
	j.meta.Progress.Total = int64(len(j.state.digests))
	j.meta.Progress.Message = ""
	j.report()
	return &lropb.ChecksumResponse{
		Files:  int64(len(j.state.digests)),
		Bytes:  j.state.bytes,
		Digest: j.state.sum(),
	}, nil
}

// resume takes up the last checkpoint and returns a sentence about it; an
// empty one for a first attempt.
func (j *job) resume() string {
	checkpoint := j.task.Checkpoint()
	if checkpoint == nil {
		if j.task.Attempt() > 1 {
			return "started over: the attempt before left no checkpoint"
		}
		return ""
	}
	s, err := decodeState(checkpoint)
	if err != nil {
		return fmt.Sprintf("started over: %v", err)
	}
	j.state = s
	return fmt.Sprintf("resumed from its last checkpoint, after %d files", len(s.digests))
}

// count returns how many files there are, those already read included.
func (j *job) count(ctx context.Context) (int64, error) {
	n := int64(len(j.state.digests))
	err := j.tree.files(ctx, j.state.last, func(string) error {
		n++
		return nil
	})
	return n, err
}

// file reads one file and keeps what came of it.
func (j *job) file(ctx context.Context, rel string) error {
	begin := time.Now()
	j.meta.Progress.Message = printable(rel)
	j.reportSoon()
	sum, size, err := j.hash(ctx, rel)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		j.skip(rel)
		return nil
	case err != nil:
		return err
	}
	j.state.last = rel
	j.state.bytes += size
	j.state.digests = append(j.state.digests, sum)
	j.meta.Progress.Total = max(j.meta.Progress.Total, int64(len(j.state.digests)))
	j.reportSoon()
	if err := j.saveSoon(ctx); err != nil {
		return err
	}
	return pause.For(ctx, j.pace-time.Since(begin))
}

func (j *job) hash(ctx context.Context, rel string) (digest, int64, error) {
	path := filepath.Join(j.tree.root, rel)
	// A file may have become a symbolic link since the walk saw it.
	f, err := os.OpenInRoot(j.tree.root, rel)
	if errors.Is(err, fs.ErrNotExist) {
		return digest{}, 0, err
	}
	if err != nil {
		return digest{}, 0, statusOf("open file", path, err)
	}
	defer f.Close()
	h := sha256.New()
	var size int64
	for {
		if ctx.Err() != nil {
			return digest{}, 0, context.Cause(ctx)
		}
		n, err := f.Read(j.buffer)
		h.Write(j.buffer[:n])
		size += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return digest{}, 0, statusOf("read file", path, err)
		}
	}
	return digest(h.Sum(nil)), size, nil
}

// skip notes a file or directory that is not there any more.
func (j *job) skip(rel string) {
	text := fmt.Sprintf("%q disappeared before it was read", printable(rel))
	for _, known := range j.meta.PartialErrors {
		if known.GetMessage() == text {
			return
		}
	}
	if len(j.meta.PartialErrors) < maxPartialErrors {
		j.meta.PartialErrors = append(j.meta.PartialErrors, &spb.Status{Code: int32(codes.NotFound), Message: text})
	}
}

func (j *job) report() {
	j.reported = time.Now()
	j.meta.Progress.Done = int64(len(j.state.digests))
	j.task.Report(j.meta)
}

func (j *job) reportSoon() {
	if time.Since(j.reported) >= reportEvery {
		j.report()
	}
}

// saveSoon saves a checkpoint when one is due. That one cannot be saved does
// not end the operation: it only costs more work after a crash.
func (j *job) saveSoon(ctx context.Context) error {
	if j.pace < saveEvery && time.Since(j.saved) < max(saveEvery, saveShare*j.saving) {
		return nil
	}
	err := j.save(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, server.ErrLeaseLost):
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	j.meta.StatusMessage = printable(fmt.Sprintf("checkpoint not saved: %v", err))
	return nil
}

func (j *job) save(ctx context.Context) error {
	begin := time.Now()
	j.report()
	err := j.task.Save(ctx, j.state.encode())
	j.saved = time.Now()
	j.saving = j.saved.Sub(begin)
	return err
}

// stopped keeps the work of an attempt that is interrupted because its server
// stops, so that the next one loses nothing.
func (j *job) stopped(ctx context.Context) {
	if !errors.Is(context.Cause(ctx), server.ErrDraining) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveGrace)
	defer cancel()
	// Without this checkpoint the previous one counts; this is not an error.
	_ = j.save(ctx)
}

// printable is path as a protobuf string can hold it.
func printable(path string) string { return strings.ToValidUTF8(path, "\uFFFD") }
