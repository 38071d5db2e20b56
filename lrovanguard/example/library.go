package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/examples/library/librarypb"
	"github.com/go-lro/lro/examples/library/librarypb/librarypbserver"
	"github.com/go-lro/lro/server"
)

// library is a LibraryHandler. It keeps the titles of each publisher in memory.
type library struct {
	kinds *librarypbserver.LibraryKinds

	mu     sync.Mutex
	titles map[string][]string
}

// pace is the time that the export of a book takes.
const pace = 50 * time.Millisecond

func newLibrary() *library {
	l := &library{
		kinds:  librarypbserver.NewLibraryKinds(),
		titles: map[string][]string{"publishers/acme": {"Anvils", "Rockets", "Tunnels"}},
	}
	l.kinds.ExportBooks.Validate = func(_ context.Context, req *librarypb.ExportBooksRequest) error {
		_, err := l.of(req.GetParent())
		return err
	}
	return l
}

// of returns the titles of a publisher.
func (l *library) of(publisher string) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	titles, ok := l.titles[publisher]
	if !ok {
		st, err := status.Newf(codes.NotFound, "there is no publisher %q", publisher).WithDetails(&errdetails.ErrorInfo{
			Reason: "PUBLISHER_NOT_FOUND", Domain: "library.example", Metadata: map[string]string{"publisher": publisher},
		})
		if err != nil {
			return nil, err
		}
		return nil, st.Err()
	}
	return titles, nil
}

// ListBooks lists the books of a publisher.
func (l *library) ListBooks(_ context.Context, req *librarypb.ListBooksRequest) (*librarypb.ListBooksResponse, error) {
	titles, err := l.of(req.GetParent())
	if err != nil {
		return nil, err
	}
	page := &librarypb.ListBooksResponse{}
	for i, title := range titles {
		page.Books = append(page.Books, &librarypb.Book{Name: fmt.Sprintf("%s/books/%d", req.GetParent(), i+1), Title: title})
	}
	first, err := strconv.Atoi("0" + req.GetPageToken())
	if err != nil || first > len(titles) || req.GetPageSize() < 0 {
		return nil, status.Errorf(codes.InvalidArgument, "page_token %q or page_size %d is none of this list", req.GetPageToken(), req.GetPageSize())
	}
	page.Books = page.Books[first:]
	if size := int(req.GetPageSize()); 0 < size && size < len(page.Books) {
		page.Books, page.NextPageToken = page.Books[:size], strconv.Itoa(first+size)
	}
	return page, nil
}

// CreateBook adds a book.
func (l *library) CreateBook(_ context.Context, req *librarypb.CreateBookRequest) (*librarypb.Book, error) {
	if _, err := l.of(req.GetParent()); err != nil {
		return nil, err
	}
	if req.GetBook().GetTitle() == "" {
		return nil, status.Error(codes.InvalidArgument, "book.title is empty")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.titles[req.GetParent()] = append(l.titles[req.GetParent()], req.GetBook().GetTitle())
	return &librarypb.Book{Name: fmt.Sprintf("%s/books/%d", req.GetParent(), len(l.titles[req.GetParent()])), Title: req.GetBook().GetTitle()}, nil
}

// ExportBooks exports the books of a publisher, which takes a while.
func (l *library) ExportBooks(ctx context.Context, task *server.Task[*librarypb.ExportBooksMetadata], req *librarypb.ExportBooksRequest) (*librarypb.ExportBooksResponse, error) {
	titles, err := l.of(req.GetParent())
	if err != nil {
		return nil, err
	}
	for i := range titles {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pace):
		}
		task.Report(&librarypb.ExportBooksMetadata{
			Parent: req.GetParent(), BooksExported: int64(i + 1), BooksTotal: int64(len(titles)), ProgressPercent: int32(100 * (i + 1) / len(titles)),
		})
	}
	return &librarypb.ExportBooksResponse{File: req.GetParent() + ".tar", Books: int64(len(titles))}, nil
}
