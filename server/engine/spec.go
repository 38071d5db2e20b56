package engine

import (
	"time"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// DefaultCrashLimit is the number of deaths of its process after which an
// operation ends as ABORTED: the fifth ends it.
const DefaultCrashLimit = 5

// Spec is an operation to start. Its texts are UTF-8 without control
// characters; see [Spec.Checked].
type Spec struct {
	Kind     string     // required, at most [MaxKind] bytes
	Parent   string     // such as "projects/p/locations/l", at most [MaxParent] bytes; empty for a top-level name
	Request  *anypb.Any // kept as it is, given to each attempt; may be nil
	Metadata *anypb.Any // shown until the first report; may be nil

	// RequestID makes Start idempotent (AIP-155) among operations of the same
	// Caller. Empty means that every Start makes a new operation. It is
	// remembered at least as long as the operation is. At most [MaxRequestID]
	// bytes.
	RequestID string
	// Caller is the scope of RequestID; empty is a scope like any other. At most
	// [MaxCaller] bytes.
	Caller string

	// AtMostOnce ends the operation as ABORTED, instead of running it again, when
	// the process of its attempt dies or loses it.
	AtMostOnce bool
	// CrashLimit is the number of crashes after which the operation ends as
	// ABORTED. 0 means [DefaultCrashLimit].
	CrashLimit int
	// Retention is how long the operation stays after its end. 0 means for
	// ever; at most [MaxRetention].
	Retention time.Duration

	// External means that no worker runs the operation: the program reports
	// progress and outcome with its lease. It starts RUNNING, in its first
	// attempt.
	External bool
	// LeaseFor ends an External operation as ABORTED when it has had no report or
	// heartbeat for this time. 0 means never.
	LeaseFor time.Duration

	// Trace carries the caller's trace context (W3C header names and values)
	// to the attempts, at most [MaxTrace] bytes. May be nil.
	Trace map[string]string
}

// Update is the argument of Report.
type Update struct {
	Metadata *anypb.Any // nil keeps what is there
}

// Completion is a successful end.
type Completion struct {
	Response *anypb.Any // required
	Metadata *anypb.Any // final metadata; nil keeps what is there
}

// Failure is an end with an error.
type Failure struct {
	Error    *status.Status // required
	Metadata *anypb.Any     // final metadata; nil keeps what is there
}
