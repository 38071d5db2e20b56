package main

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro/examples/library/librarypb"
)

// archive is a tar file that gets all books of a publisher.
type archive struct {
	publisher string
	books     []*librarypb.Book
	pace      time.Duration
	file      *os.File
	tar       *tar.Writer
	at        position
}

// position is how far an archive is written. A checkpoint is one that is safely
// on the disk.
type position struct {
	Books int
	Bytes int64
}

// booksPerCheckpoint weighs the work lost by a crash against the cost of
// making it durable.
const booksPerCheckpoint = 20

// openArchive opens the archive with this ID, to be continued from a checkpoint,
// or begun if that is nil. What was written after the checkpoint is written
// again.
func (l *library) openArchive(id, publisher string, checkpoint []byte) (*archive, error) {
	books, err := l.books(publisher)
	if err != nil {
		return nil, err
	}
	a := &archive{publisher: publisher, books: books, pace: l.pace}
	if checkpoint != nil {
		if err := json.Unmarshal(checkpoint, &a.at); err != nil {
			return nil, fmt.Errorf("read checkpoint: %w", err)
		}
	}
	a.file, err = os.OpenFile(filepath.Join(l.dir, id+".tar"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	a.tar = tar.NewWriter(a.file)
	if err := a.rewind(); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

// rewind cuts the file off at the position, or begins anew if it is shorter.
func (a *archive) rewind() error {
	info, err := a.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < a.at.Bytes {
		a.at = position{}
	}
	if err := a.file.Truncate(a.at.Bytes); err != nil {
		return err
	}
	_, err = a.file.Seek(a.at.Bytes, io.SeekStart)
	return err
}

func (a *archive) close() error { return a.file.Close() }

// full reports whether all books are in the archive.
func (a *archive) full() bool { return a.at.Books >= len(a.books) }

// progress is what callers see.
func (a *archive) progress() *librarypb.ExportBooksMetadata {
	return &librarypb.ExportBooksMetadata{
		Parent:          a.publisher,
		BooksExported:   int64(a.at.Books),
		BooksTotal:      int64(len(a.books)),
		ProgressPercent: int32(100 * a.at.Books / len(a.books)),
	}
}

// add writes the next book. It returns a checkpoint after a few of them, else nil.
func (a *archive) add(ctx context.Context) (checkpoint []byte, err error) {
	select {
	case <-time.After(a.pace):
	case <-ctx.Done():
		return nil, ctx.Err() // ends as CANCELLED, or runs again, by ctx's cause
	}
	book := a.books[a.at.Books]
	data, err := proto.Marshal(book)
	if err != nil {
		return nil, err
	}
	if err := a.tar.WriteHeader(&tar.Header{Name: book.GetName() + ".binpb", Mode: 0o600, Size: int64(len(data))}); err != nil {
		return nil, err
	}
	if _, err := a.tar.Write(data); err != nil {
		return nil, err
	}
	if a.at.Books++; a.at.Books%booksPerCheckpoint != 0 {
		return nil, nil
	}
	if err := errors.Join(a.tar.Flush(), a.settle()); err != nil {
		return nil, err
	}
	return json.Marshal(a.at)
}

// settle makes what was written durable, so that a checkpoint may count on it.
func (a *archive) settle() (err error) {
	if err := a.file.Sync(); err != nil {
		return err
	}
	a.at.Bytes, err = a.file.Seek(0, io.SeekCurrent)
	return err
}

// finish completes the archive.
func (a *archive) finish() (*librarypb.ExportBooksResponse, error) {
	if err := errors.Join(a.tar.Close(), a.settle()); err != nil {
		return nil, err
	}
	return &librarypb.ExportBooksResponse{File: a.file.Name(), Books: int64(a.at.Books), Bytes: a.at.Bytes}, nil
}
