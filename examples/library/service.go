package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/server"
)

// library implements the service.
type library struct {
	librarypb.UnimplementedLibraryServer
	shelf      *shelf
	operations *server.Server
}

// ListBooks implements the RPC of this name.
func (l *library) ListBooks(_ context.Context, req *librarypb.ListBooksRequest) (*librarypb.ListBooksResponse, error) {
	books, err := l.shelf.books(req.GetParent())
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
			return nil, status.Errorf(codes.InvalidArgument, "page_token %q is not one of this list", token)
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
	return l.shelf.add(req.GetParent(), req.GetBook())
}

// ExportBooks implements the RPC of this name. The operation is durable when it
// returns.
func (l *library) ExportBooks(ctx context.Context, req *librarypb.ExportBooksRequest) (*longrunningpb.Operation, error) {
	if _, err := l.shelf.books(req.GetParent()); err != nil {
		return nil, err
	}
	return exportBooks.Start(ctx, l.operations, req, &server.StartOptions{
		Parent:    req.GetParent(),
		RequestID: req.GetRequestId(),
	})
}

// shelf keeps the books of each publisher, in memory. It is safe for concurrent
// use.
type shelf struct {
	mu         sync.Mutex
	publishers map[string][]*librarypb.Book
}

// newShelf returns a shelf with a publisher who has 500 books.
func newShelf() *shelf {
	const acme = "publishers/acme"
	s := &shelf{publishers: map[string][]*librarypb.Book{acme: nil}}
	for i := range 500 {
		title := fmt.Sprintf("Volume %d", i+1)
		if _, err := s.add(acme, &librarypb.Book{Title: title, Text: strings.Repeat(title+". ", 100)}); err != nil {
			panic(err) // the publisher is there
		}
	}
	return s
}

// books returns the books of a publisher, oldest first. They must not be
// modified.
func (s *shelf) books(publisher string) ([]*librarypb.Book, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	books, ok := s.publishers[publisher]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "publisher %q does not exist", publisher)
	}
	return slices.Clone(books), nil
}

func (s *shelf) add(publisher string, book *librarypb.Book) (*librarypb.Book, error) {
	if book.GetTitle() == "" {
		return nil, status.Error(codes.InvalidArgument, "book.title is empty")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	books, ok := s.publishers[publisher]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "publisher %q does not exist", publisher)
	}
	added := &librarypb.Book{
		Name:  fmt.Sprintf("%s/books/%d", publisher, len(books)+1),
		Title: book.GetTitle(),
		Text:  book.GetText(),
	}
	s.publishers[publisher] = append(books, added)
	return added, nil
}
