package main

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/server"
)

// exportBooks is the long-running operation that ExportBooks starts.
var exportBooks = server.Kind[*librarypb.ExportBooksRequest, *librarypb.ExportBooksResponse, *librarypb.ExportBooksMetadata]{
	Name: "export-books",
}

// exporter writes archives into dir.
type exporter struct {
	shelf *shelf
	dir   string
	pace  time.Duration
}

// progress is the checkpoint: what is safely in the archive.
type progress struct {
	Books int
	Bytes int64
}

// booksPerCheckpoint weighs the work lost by a crash against the cost of
// making it durable.
const booksPerCheckpoint = 20

// run executes one attempt. It may be one of several, so it goes on where the
// checkpoint of the one before says.
func (e exporter) run(ctx context.Context, task *server.Task[*librarypb.ExportBooksMetadata], req *librarypb.ExportBooksRequest) (*librarypb.ExportBooksResponse, error) {
	books, err := e.shelf.books(req.GetParent())
	if err != nil {
		return nil, err
	}
	var at progress
	if saved := task.Checkpoint(); saved != nil {
		if err := json.Unmarshal(saved, &at); err != nil {
			return nil, fmt.Errorf("read checkpoint: %w", err)
		}
	}
	final := filepath.Join(e.dir, path.Base(task.Name())+".tar")
	archive, err := openAt(final+".partial", at.Bytes)
	if err != nil {
		return nil, err
	}
	defer archive.Close()

	w := tar.NewWriter(archive)
	for ; at.Books < len(books); at.Books++ {
		if err := e.pause(ctx); err != nil {
			return nil, err // ends as CANCELLED, or runs again, by ctx's cause
		}
		if at.Books%booksPerCheckpoint == 0 {
			if err := w.Flush(); err != nil {
				return nil, err
			}
			if at.Bytes, err = settle(archive); err != nil {
				return nil, err
			}
			checkpoint, err := json.Marshal(at)
			if err != nil {
				return nil, err
			}
			if err := task.Save(ctx, checkpoint); err != nil {
				return nil, err
			}
		}
		if err := write(w, books[at.Books]); err != nil {
			return nil, err
		}
		task.Report(&librarypb.ExportBooksMetadata{
			Parent:          req.GetParent(),
			BooksExported:   int64(at.Books + 1),
			BooksTotal:      int64(len(books)),
			ProgressPercent: int32(100 * (at.Books + 1) / len(books)),
		})
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if at.Bytes, err = settle(archive); err != nil {
		return nil, err
	}
	if err := os.Rename(archive.Name(), final); err != nil {
		return nil, err
	}
	return &librarypb.ExportBooksResponse{File: final, Books: int64(at.Books), Bytes: at.Bytes}, nil
}

func (e exporter) pause(ctx context.Context) error {
	timer := time.NewTimer(e.pace)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// openAt opens an archive to go on after size bytes; what is behind them was
// written after the checkpoint and is written again.
func openAt(name string, size int64) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(size); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := f.Seek(size, io.SeekStart); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// settle makes what was written durable, so that a checkpoint may count on it,
// and returns the size.
func settle(f *os.File) (int64, error) {
	if err := f.Sync(); err != nil {
		return 0, err
	}
	return f.Seek(0, io.SeekCurrent)
}

func write(w *tar.Writer, book *librarypb.Book) error {
	data, err := proto.Marshal(book)
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: book.GetName() + ".binpb", Mode: 0o600, Size: int64(len(data))}); err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}
