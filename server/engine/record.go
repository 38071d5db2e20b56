package engine

import (
	"time"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// Record is one operation as the engine stores it. It is immutable once an
// engine has returned it: neither it nor a message it points to may be
// modified. An engine makes the next state of an operation from a copy. Times
// are UTC, and zero if the event has not happened.
type Record struct {
	Name      string // full resource name, ends in operations/{id}
	Kind      string
	Parent    string // Name without /operations/{id}; empty for a top-level name
	State     State
	Request   *anypb.Any
	RequestID string // empty when none was given

	// Metadata is the last reported, and stays after the end. Nil when none was.
	Metadata *anypb.Any
	// Exactly one of Response and Error is set when State is terminal.
	Response *anypb.Any
	Error    *status.Status

	Checkpoint []byte // last saved; nil when none was
	Attempt    int    // attempts begun, 0 before the first
	Crashes    int    // attempts that ended because their process died
	Releases   int    // attempts that were handed back while draining
	Fence      int64  // grows with every claim; see [Lease]
	External   bool   // its work is done elsewhere

	// Revision grows with every visible change of this operation.
	Revision int64

	CreateTime time.Time
	StartTime  time.Time // of the first attempt
	UpdateTime time.Time // of the last visible change
	EndTime    time.Time
	ExpireTime time.Time // when the engine removes it; zero before the end, or for never
	CancelTime time.Time // when cancel was first asked for

	// Trace is what [Spec.Trace] brought.
	Trace map[string]string

	// Damaged names the parts of the stored operation that could not be read, and
	// are missing here; empty if there are none. The Error of a terminal record
	// whose result is damaged is DATA_LOSS, independent of its State.
	Damaged string
}

// Lease returns the lease of the record's current owner.
func (r *Record) Lease() Lease { return Lease{Name: r.Name, Fence: r.Fence} }

// State is the stage of an operation's life (AIP-216).
type State int8

// The states. Their numbers are stored and never change.
const (
	StateUnspecified State = iota // never stored
	Pending                       // durable, waits to be run
	Running                       // an attempt owns it
	Succeeded                     // ended with a response
	Failed                        // ended with an error
	Cancelled                     // ended with an error of code CANCELLED
)

// Terminal reports whether an operation in this state has ended.
func (s State) Terminal() bool { return s >= Succeeded && s <= Cancelled }

// String returns the AIP-216 name, such as "RUNNING".
func (s State) String() string {
	switch s {
	case Pending:
		return "PENDING"
	case Running:
		return "RUNNING"
	case Succeeded:
		return "SUCCEEDED"
	case Failed:
		return "FAILED"
	case Cancelled:
		return "CANCELLED"
	}
	return "STATE_UNSPECIFIED"
}
