package lro

import (
	"context"
	"fmt"
	"iter"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Get returns the operation with this name as the service knows it now. Errors
// are the service's own.
func (c *Client) Get(ctx context.Context, name string) (*longrunningpb.Operation, error) {
	var op *longrunningpb.Operation
	err := c.call(ctx, "get operation", name, func(ctx context.Context) (err error) {
		op, err = c.service.GetOperation(ctx, &longrunningpb.GetOperationRequest{Name: name}, c.config.callOptions...)
		if err == nil && op == nil {
			err = errNoAnswer
		}
		return err
	})
	return op, err
}

// Cancel asks the service to cancel the operation with this name, best effort.
// A service without the method is an error of code UNIMPLEMENTED.
func (c *Client) Cancel(ctx context.Context, name string) error {
	return c.call(ctx, "cancel operation", name, func(ctx context.Context) error {
		s, ok := c.service.(canceller)
		if !ok {
			return unimplemented("CancelOperation")
		}
		_, err := s.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: name}, c.config.callOptions...)
		return err
	})
}

// Delete tells the service that nobody is interested in the operation with
// this name any more. It does not cancel it. A service without the method is
// an error of code UNIMPLEMENTED.
func (c *Client) Delete(ctx context.Context, name string) error {
	return c.call(ctx, "delete operation", name, func(ctx context.Context) error {
		s, ok := c.service.(deleter)
		if !ok {
			return unimplemented("DeleteOperation")
		}
		_, err := s.DeleteOperation(ctx, &longrunningpb.DeleteOperationRequest{Name: name}, c.config.callOptions...)
		return err
	})
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

// Pages iterates over the answers to req, asking for each next page when it is
// wanted. req.Name is the parent (AIP-151 has no field of that name), and
// req.PageSize the greatest number of operations in a page; 0 leaves it to the
// service. A page may be empty before the end. A service that sends the same
// page token again ends the iteration with an error instead of going round for
// ever. A service without the method is an error of code UNIMPLEMENTED.
func (c *Client) Pages(ctx context.Context, req *longrunningpb.ListOperationsRequest) iter.Seq2[*longrunningpb.ListOperationsResponse, error] {
	return func(yield func(*longrunningpb.ListOperationsResponse, error) bool) {
		pageToken := req.GetPageToken()
		for {
			page, err := c.page(ctx, req, pageToken)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(page, nil) || page.GetNextPageToken() == "" {
				return
			}
			if page.GetNextPageToken() == pageToken {
				yield(nil, fmt.Errorf("list operations of %q: service repeats page token %q", req.GetName(), pageToken))
				return
			}
			pageToken = page.GetNextPageToken()
		}
	}
}

func (c *Client) page(ctx context.Context, req *longrunningpb.ListOperationsRequest, pageToken string) (*longrunningpb.ListOperationsResponse, error) {
	var page *longrunningpb.ListOperationsResponse
	err := c.call(ctx, "list operations of", req.GetName(), func(ctx context.Context) (err error) {
		s, ok := c.service.(lister)
		if !ok {
			return unimplemented("ListOperations")
		}
		page, err = s.ListOperations(ctx, &longrunningpb.ListOperationsRequest{
			Name:                 req.GetName(),
			Filter:               req.GetFilter(),
			PageSize:             req.GetPageSize(),
			PageToken:            pageToken,
			ReturnPartialSuccess: req.GetReturnPartialSuccess(),
		}, c.config.callOptions...)
		return err
	})
	return page, err
}

// call makes a call that is not part of waiting, within the policy's
// AttemptTimeout.
func (c *Client) call(ctx context.Context, what, name string, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(c.outgoing(ctx, name), c.config.policy.AttemptTimeout)
	defer cancel()
	if err := do(ctx); err != nil {
		return fmt.Errorf("%s %q: %w", what, name, err)
	}
	return nil
}

func unimplemented(method string) error {
	return status.Errorf(codes.Unimplemented, "the service has no %s", method)
}
