package lro

import (
	"context"
	"fmt"
	"iter"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
)

// Get returns the operation with this name as the service knows it now. Errors
// are the service's own.
func (c *Client) Get(ctx context.Context, name string) (*longrunningpb.Operation, error) {
	var op *longrunningpb.Operation
	_, err := c.call(ctx, "get operation", name, c.config.policy.AttemptTimeout, func(ctx context.Context, opts []grpc.CallOption) (err error) {
		op, err = c.service.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name}, opts...)
		if err == nil && op == nil {
			err = errNoAnswer
		}
		return err
	})
	return op, err
}

// Cancel asks the service to cancel the operation with this name, best effort.
// If the service lacks the method, the error has the code UNIMPLEMENTED.
func (c *Client) Cancel(ctx context.Context, name string) error {
	_, err := c.cancel(ctx, name, c.config.policy.AttemptTimeout)
	return err
}

// cancel is Cancel with a time limit of its own. hint is when the service asked
// to be called again; 0 for no word.
func (c *Client) cancel(ctx context.Context, name string, timeout time.Duration) (hint time.Duration, err error) {
	return c.call(ctx, "cancel operation", name, timeout, func(ctx context.Context, opts []grpc.CallOption) error {
		_, err := c.service.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: name}, opts...)
		return err
	})
}

// Delete tells the service that the operation with this name is no longer of
// interest. It does not cancel the operation. If the service lacks the method,
// the error has the code UNIMPLEMENTED.
func (c *Client) Delete(ctx context.Context, name string) error {
	_, err := c.call(ctx, "delete operation", name, c.config.policy.AttemptTimeout, func(ctx context.Context, opts []grpc.CallOption) error {
		_, err := c.service.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: name}, opts...)
		return err
	})
	return err
}

// List iterates over the operations that match req, page by page as they are
// consumed; see [Client.Pages]. An error comes last. The iterator may be used
// again, and then starts again at req.
func (c *Client) List(ctx context.Context, req *longrunningpb.ListOperationsRequest) iter.Seq2[*longrunningpb.Operation, error] {
	return func(yield func(*longrunningpb.Operation, error) bool) {
		for page, err := range c.Pages(ctx, req) {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, op := range page.GetOperations() {
				if !yield(op, nil) {
					return
				}
			}
		}
	}
}

// Pages iterates over the answers to req. Each next page is requested when the
// loop gets to it. req.Name is the parent (AIP-151 has no field of that name),
// and req.PageSize the greatest number of operations in a page; 0 leaves it to
// the service. A page may be empty before the end. If the service repeats page
// tokens, the iteration ends with an error, after at most two more rounds of
// the same pages. If the service lacks the method, the error has the code
// UNIMPLEMENTED.
func (c *Client) Pages(ctx context.Context, req *longrunningpb.ListOperationsRequest) iter.Seq2[*longrunningpb.ListOperationsResponse, error] {
	return func(yield func(*longrunningpb.ListOperationsResponse, error) bool) {
		pageToken := req.GetPageToken()
		// Brent's search for a cycle: each token is compared with one of those
		// before, which is replaced after 1, 2, 4, 8 pages and so on.
		seen, pages, limit := pageToken, 0, 1
		for {
			page, err := c.page(ctx, req, pageToken)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(page, nil) || page.GetNextPageToken() == "" {
				return
			}
			pageToken = page.GetNextPageToken()
			if pageToken == seen {
				yield(nil, fmt.Errorf("list operations of %q: service repeats page token %q", req.GetName(), pageToken))
				return
			}
			if pages++; pages == limit {
				seen, pages, limit = pageToken, 0, 2*limit
			}
		}
	}
}

func (c *Client) page(ctx context.Context, req *longrunningpb.ListOperationsRequest, pageToken string) (*longrunningpb.ListOperationsResponse, error) {
	var page *longrunningpb.ListOperationsResponse
	_, err := c.call(ctx, "list operations of", req.GetName(), c.config.policy.AttemptTimeout, func(ctx context.Context, opts []grpc.CallOption) (err error) {
		page, err = c.service.ListOperations(ctx, &longrunningpb.ListOperationsRequest{
			Name:                 req.GetName(),
			Filter:               req.GetFilter(),
			PageSize:             req.GetPageSize(),
			PageToken:            pageToken,
			ReturnPartialSuccess: req.GetReturnPartialSuccess(),
		}, opts...)
		return err
	})
	return page, err
}

// call makes a call that is not part of waiting, within timeout. hint is when
// the service asked to be called again; 0 for no word.
func (c *Client) call(ctx context.Context, what, name string, timeout time.Duration, do func(context.Context, []grpc.CallOption) error) (hint time.Duration, err error) {
	ctx, cancel := context.WithTimeout((&routed{}).route(ctx, c, name), timeout)
	defer cancel()
	var h hints
	if err := do(ctx, h.options(nil, c.config.callOptions)); err != nil {
		return h.of(err), fmt.Errorf("%s %q: %w", what, name, h.judge(err))
	}
	return 0, nil
}
