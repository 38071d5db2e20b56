package lrotest

import (
	"fmt"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// RPC is a method of google.longrunning.Operations.
type RPC uint8

// The methods of google.longrunning.Operations.
const (
	GetOperation RPC = iota + 1
	WaitOperation
	CancelOperation
	DeleteOperation
	ListOperations
)

// String returns the method's name, such as GetOperation.
func (r RPC) String() string {
	names := [...]string{
		GetOperation:    "GetOperation",
		WaitOperation:   "WaitOperation",
		CancelOperation: "CancelOperation",
		DeleteOperation: "DeleteOperation",
		ListOperations:  "ListOperations",
	}
	if r < GetOperation || int(r) >= len(names) {
		return fmt.Sprintf("RPC(%d)", uint8(r))
	}
	return names[r]
}

// Call is a call that reached a [Server]. It is shared between all callers of
// Calls, and its fields must not be modified.
type Call struct {
	RPC RPC
	// Name is that of the request: the operation's, or of ListOperations the
	// parent's.
	Name string
	// Request is a copy of the request, such as a
	// *longrunningpb.WaitOperationRequest.
	Request proto.Message
	// Metadata is what came with the call. Over gRPC and HTTP that is more than
	// the client set.
	Metadata metadata.MD
	// Time is when the call arrived.
	Time time.Time
}
