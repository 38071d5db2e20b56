package extop

import (
	"context"
	"maps"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Scope makes the calls for the operations of one service. What may be nil it
// lacks.
type Scope struct {
	Roles
	Fields []string // of requests that say where an operation is, sorted
	Get    Call
	Wait   Call                                                            // may be nil
	Cancel func(ctx context.Context, n Name, opts []grpc.CallOption) error // may be nil
	Delete func(ctx context.Context, n Name, opts []grpc.CallOption) error // may be nil
	List   ListCall                                                        // may be nil
	// Aggregated lists the operations of all scopes of a project; may be nil.
	Aggregated ListCall
	// Outgoing makes the metadata of a call fit for it. requested is the name in
	// the request.
	Outgoing func(ctx context.Context, requested string) context.Context
	// Failure gives the error of a call its status.
	Failure func(err error, opts []grpc.CallOption) error

	noWaitBefore atomic.Int64 // Unix nanoseconds
}

// Call makes a call for the state of an operation.
type Call func(ctx context.Context, n Name, opts []grpc.CallOption) (proto.Message, error)

// ListCall makes the call for a page of operations.
type ListCall func(ctx context.Context, req ListRequest, opts []grpc.CallOption) (Page, error)

// ListRequest is for a page of the operations of a place.
type ListRequest struct {
	Place
	Filter, Token string
	Size          int
}

// Page is what a list returned.
type Page struct {
	Items []Item
	Next  string // empty for the last page
}

// Item is an operation in a list. Place is where it is if its links do not say.
type Item struct {
	Place   Place
	Message proto.Message
}

// waitPause is for how long operations of a scope are polled after its Wait was
// refused although Get works.
const waitPause = 10 * time.Minute

// waits reports whether the scope has Wait, as far as is known.
func (s *Scope) waits() bool {
	return s.Wait != nil && time.Now().UnixNano() >= s.noWaitBefore.Load()
}

// missing is the error of a method that a scope has not.
func (s *Scope) missing(method string) error {
	return status.Errorf(codes.Unimplemented, "there is no %s for operations whose requests have the fields %v", method, s.Fields)
}

// Fill sets the fields of a request about the operation n, whose ID goes into the
// field id.
func Fill(req protoreflect.Message, n Name, id string) {
	values := maps.Clone(n.Fields)
	values[id] = n.ID
	if n.Parent != "" {
		values[ParentField] = n.Parent
	}
	for field, value := range values {
		f := req.Descriptor().Fields().ByName(protoreflect.Name(field))
		if f != nil && f.Kind() == protoreflect.StringKind && !f.IsList() {
			req.Set(f, protoreflect.ValueOfString(value))
		}
	}
}
