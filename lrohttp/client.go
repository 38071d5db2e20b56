package lrohttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/go-lro/lro/internal/anyjson"
	"github.com/go-lro/lro/lropb"
)

// Client calls google.longrunning.Operations, and lro.v1.Starter where the
// service has it, over HTTP/JSON. It has the methods of their gRPC stubs, so
// that lro.NewClient takes it as it is. Every error is an [*Error].
//
// Outgoing gRPC metadata of a call's ctx becomes headers, and headers of the
// answer are what grpc.Header is given, the HTTP trailers grpc.Trailer. Of the
// other call options, grpc.PerRPCCredentials and grpc.MaxCallRecvMsgSize have
// their effect. The deadline of ctx is sent as the header X-Server-Timeout, as
// Google's clients do; a call without one lasts as long as the service takes.
//
// A Client never changes and is safe for concurrent use. It starts no
// goroutines and need not be closed; connections are its http.Client's, by
// default one of its own, which closes them after 90 s without a call.
type Client struct {
	base    *url.URL
	table   *table
	codec   anyjson.Codec
	http    *http.Client
	header  http.Header
	maxBody int64
}

var (
	_ longrunningpb.OperationsClient = (*Client)(nil)
	_ lropb.StarterClient            = (*Client)(nil)
)

// NewClient returns a client of the service at baseURL, such as
// "https://library.googleapis.com". A path in it is put before those of the
// rules. It makes no call. It fails for a URL that is not absolute, has a query
// or another scheme than http and https, and for options that make no sense.
func NewClient(baseURL string, opts ...ClientOption) (*Client, error) {
	config := clientConfig{
		shared: shared{prefix: DefaultPrefix, maxBody: DefaultMaxResponse},
		client: defaultClient(),
		header: http.Header{},
	}
	for _, o := range opts {
		if err := o.applyToClient(&config); err != nil {
			return nil, fmt.Errorf("new client: %w", err)
		}
	}
	base, err := parseBase(baseURL)
	if err != nil {
		return nil, fmt.Errorf("new client: %w", err)
	}
	table, err := newTable(config.prefix, config.rules, true)
	if err != nil {
		return nil, fmt.Errorf("new client: %w", err)
	}
	if err := table.forPaths(); err != nil {
		return nil, fmt.Errorf("new client: %w", err)
	}
	return &Client{
		base:    base,
		table:   table,
		codec:   anyjson.New(config.types),
		http:    withoutRedirects(config.client),
		header:  config.header,
		maxBody: config.maxBody,
	}, nil
}

func parseBase(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		// The error of package url repeats the URL, which may hold a password.
		return nil, errors.New("base URL cannot be parsed")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("base URL %q: scheme is not http or https", u.Redacted())
	case u.Host == "":
		return nil, fmt.Errorf("base URL %q has no host", u.Redacted())
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("base URL %q has a query or fragment", u.Redacted())
	}
	return u, nil
}

func withoutRedirects(c *http.Client) *http.Client {
	if c.CheckRedirect != nil {
		return c
	}
	copied := *c
	copied.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &copied
}

// GetOperation returns the latest state of an operation.
func (c *Client) GetOperation(ctx context.Context, req *longrunningpb.GetOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	op := &longrunningpb.Operation{}
	if err := c.call(ctx, operations["GetOperation"], req, op, opts); err != nil {
		return nil, err
	}
	return op, nil
}

// ListOperations returns a page of the operations under a parent. A request
// without a name, which has no path, asks for the collection "operations".
func (c *Client) ListOperations(ctx context.Context, req *longrunningpb.ListOperationsRequest, opts ...grpc.CallOption) (*longrunningpb.ListOperationsResponse, error) {
	page := &longrunningpb.ListOperationsResponse{}
	if req.GetName() == "" {
		req = &longrunningpb.ListOperationsRequest{
			Name: "operations", Filter: req.GetFilter(), PageSize: req.GetPageSize(),
			PageToken: req.GetPageToken(), ReturnPartialSuccess: req.GetReturnPartialSuccess(),
		}
	}
	if err := c.call(ctx, operations["ListOperations"], req, page, opts); err != nil {
		return nil, err
	}
	return page, nil
}

// CancelOperation asks for an operation to be cancelled.
func (c *Client) CancelOperation(ctx context.Context, req *longrunningpb.CancelOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	return c.empty(ctx, operations["CancelOperation"], req, opts)
}

// DeleteOperation tells the service that an operation is no longer of interest.
func (c *Client) DeleteOperation(ctx context.Context, req *longrunningpb.DeleteOperationRequest, opts ...grpc.CallOption) (*emptypb.Empty, error) {
	return c.empty(ctx, operations["DeleteOperation"], req, opts)
}

// WaitOperation returns the state of an operation when it is done or the
// timeout has passed. Few services offer it over HTTP; one that answers 404
// without a status of its own has no path for it, which is an error of code
// UNIMPLEMENTED, as over gRPC.
func (c *Client) WaitOperation(ctx context.Context, req *longrunningpb.WaitOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	op := &longrunningpb.Operation{}
	if err := c.call(ctx, operations["WaitOperation"], req, op, opts); err != nil {
		return nil, err
	}
	return op, nil
}

// StartOperation starts an operation of any kind that the service has.
func (c *Client) StartOperation(ctx context.Context, req *lropb.StartOperationRequest, opts ...grpc.CallOption) (*longrunningpb.Operation, error) {
	op := &longrunningpb.Operation{}
	if err := c.call(ctx, starter["StartOperation"], req, op, opts); err != nil {
		return nil, err
	}
	return op, nil
}

// ListKinds lists the kinds that StartOperation knows.
func (c *Client) ListKinds(ctx context.Context, req *lropb.ListKindsRequest, opts ...grpc.CallOption) (*lropb.ListKindsResponse, error) {
	kinds := &lropb.ListKindsResponse{}
	if err := c.call(ctx, starter["ListKinds"], req, kinds, opts); err != nil {
		return nil, err
	}
	return kinds, nil
}

// withoutSecrets returns the URL without user and query, for errors.
func withoutSecrets(u *url.URL) string {
	shown := *u
	shown.User, shown.RawQuery = nil, ""
	return shown.String()
}

// withoutQuery returns the text of a URL without what may hold secrets: user,
// query and fragment.
func withoutQuery(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		text, _, _ = strings.Cut(text, "?")
		return text
	}
	shown := *u
	shown.User, shown.RawQuery, shown.ForceQuery, shown.Fragment, shown.RawFragment = nil, "", false, "", ""
	return shown.String()
}

// join returns the URL of an escaped path below the base.
func (c *Client) join(path, query string) (*url.URL, error) {
	u := *c.base
	u.RawPath = strings.TrimRight(c.base.EscapedPath(), "/") + path
	decoded, err := url.PathUnescape(u.RawPath)
	if err != nil {
		return nil, err
	}
	u.Path, u.RawQuery = decoded, query
	return &u, nil
}
