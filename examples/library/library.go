package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/examples/library/librarypb"
)

// library keeps the books of each publisher, in memory, and writes archives into
// dir. It is safe for concurrent use.
type library struct {
	dir  string
	pace time.Duration // spent on each book

	mu         sync.Mutex
	publishers map[string][]*librarypb.Book
}

// newLibrary returns a library with a publisher who has 500 books.
func newLibrary(dir string, pace time.Duration) *library {
	const acme = "publishers/acme"
	l := &library{dir: dir, pace: pace, publishers: map[string][]*librarypb.Book{acme: nil}}
	for i := range 500 {
		title := fmt.Sprintf("Volume %d", i+1)
		if _, err := l.add(acme, &librarypb.Book{Title: title, Text: strings.Repeat(title+". ", 100)}); err != nil {
			panic(err) // the publisher is there
		}
	}
	return l
}

// ListBooks implements the RPC of this name.
func (l *library) ListBooks(_ context.Context, req *librarypb.ListBooksRequest) (*librarypb.ListBooksResponse, error) {
	books, err := l.books(req.GetParent())
	if err != nil {
		return nil, err
	}
	size := int(req.GetPageSize())
	switch {
	case size < 0:
		return nil, status.Errorf(codes.InvalidArgument, "page_size is negative (%d)", size)
	case size == 0:
		size = 50
	}
	from := 0
	if token := req.GetPageToken(); token != "" {
		from, err = strconv.Atoi(token)
		if err != nil || from < 0 || from > len(books) {
			return nil, status.Errorf(codes.InvalidArgument, "page_token %q does not belong to this list", token)
		}
	}
	page := &librarypb.ListBooksResponse{Books: books[from:min(from+min(size, 1000), len(books))]}
	if next := from + len(page.Books); next < len(books) {
		page.NextPageToken = strconv.Itoa(next)
	}
	return page, nil
}

// CreateBook implements the RPC of this name.
func (l *library) CreateBook(_ context.Context, req *librarypb.CreateBookRequest) (*librarypb.Book, error) {
	return l.add(req.GetParent(), req.GetBook())
}

// checkExport refuses exports of publishers that do not exist.
func (l *library) checkExport(_ context.Context, req *librarypb.ExportBooksRequest) error {
	_, err := l.books(req.GetParent())
	return err
}

// books returns the books of a publisher, oldest first. They must not be
// modified.
func (l *library) books(publisher string) ([]*librarypb.Book, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	books, ok := l.publishers[publisher]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "publisher %q does not exist", publisher)
	}
	return slices.Clone(books), nil
}

func (l *library) add(publisher string, book *librarypb.Book) (*librarypb.Book, error) {
	if book.GetTitle() == "" {
		return nil, status.Error(codes.InvalidArgument, "book.title is empty")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	books, ok := l.publishers[publisher]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "publisher %q does not exist", publisher)
	}
	added := &librarypb.Book{
		Name:  fmt.Sprintf("%s/books/%d", publisher, len(books)+1),
		Title: book.GetTitle(),
		Text:  book.GetText(),
	}
	l.publishers[publisher] = append(books, added)
	return added, nil
}
