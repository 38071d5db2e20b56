package oracle

import (
	"fmt"
	"strings"
	"time"
)

// What happens in a history. Callers call [Start] to [List], programs that work on
// an external operation [Report] to [Fail]; the rest is what the server does.
const (
	Start  = "start"
	Get    = "get"
	Wait   = "wait"  // WaitOperation
	Await  = "await" // the future
	Cancel = "cancel"
	Delete = "delete"
	List   = "list"

	Report    = "report"
	Heartbeat = "heartbeat"
	Complete  = "complete"
	Fail      = "fail"

	Claim  = "claim"  // an attempt began
	Save   = "save"   // a checkpoint
	Finish = "finish" // the handler returned
	Die    = "died"   // the process, or it may have lost its leases; from there to where the next one has opened the store
	Drain  = "drain"  // one of the servers of a process was shut down
	Close  = "closed" // the process was shut down
	Backup = "backup"
)

// Outcomes of a call.
const (
	OK       = ""
	Unknown  = "unknown" // it may have happened, or may still happen
	NotFound = "not found"
	Lost     = "lease lost"
	NotEnded = "not ended" // what the engine refuses to do to an operation that runs
	Invalid  = "invalid"   // the request ID had started something else
	Undone   = "undone"    // the transaction of the call was rolled back
	Written  = "written"   // no answer to the commit of its transaction, which was committed: its row is there
	Wrong    = "wrong: "   // and what: an answer that is never right
)

// Killed is the [Event.Arg] of [Die] for a process that can do nothing any more.
const Killed = "process killed"

// What a handler returns, in [Event.Arg], when it returns no result.
const (
	Retry   = "retry"   // an error that is followed by another attempt
	Release = "release" // its server stops; another attempt follows
)

// Event is a call as its caller saw it, or what the world saw of a handler. A
// history of them is all that the oracle knows.
type Event struct {
	Key     int // that it is about; -1 for all
	By      string
	Do      string
	Name    string `json:",omitempty"` // of the operation
	Variant bool   `json:",omitempty"`
	Attempt int    `json:",omitempty"`
	Arg     string `json:",omitempty"` // checkpoint, result, filter
	Row     string `json:",omitempty"` // that the transaction of the call writes besides; empty for no transaction
	Out     string `json:",omitempty"`
	Seen    *View  `json:",omitempty"` // what a call returned

	// Call and Return order events. Return is 0 while there is no answer.
	Call, Return int
	// From and To are when it was under way, since the program began; of calls,
	// at the server. Lived is the number of the server's process.
	From, To time.Duration
	Lived    int

	For  time.Duration `json:",omitempty"` // of wait: the timeout; of finish: what was asked for before the next attempt
	Told time.Duration `json:",omitempty"` // of finish: when the attempt's ctx ended, for whatever cause
	Walk int           `json:",omitempty"` // of list: the pages of one walk have one number
	Last bool          `json:",omitempty"` // of list: the end was reached
	Page []View        `json:",omitempty"`
	Copy []View        `json:",omitempty"` // of backup: what the copy has
}

// View is an operation as a caller sees it.
type View struct {
	Name    string
	State   string
	Attempt int           `json:",omitempty"`
	Cancel  bool          `json:",omitempty"` // was asked for
	Result  string        `json:",omitempty"` // "ok:" and the response, or "err:" and the code
	Text    string        `json:",omitempty"` // the last report
	End     time.Duration `json:",omitempty"` // since the program began
}

// Done reports whether the operation has ended.
func (v *View) Done() bool { return v.Result != "" }

// String is one line.
func (e *Event) String() string {
	var b strings.Builder
	ret := fmt.Sprint(e.Return)
	if e.Return == 0 {
		ret = "-"
	}
	fmt.Fprintf(&b, "[%d %s] %v-%v process %d, %s: %s", e.Call, ret, e.From, e.To, e.Lived, e.By, e.Do)
	if e.Key >= 0 {
		fmt.Fprintf(&b, " slot %d", e.Key)
	}
	if e.Name != "" {
		fmt.Fprintf(&b, " %s", e.Name)
	}
	if e.Variant {
		b.WriteString(" with another request")
	}
	if e.Attempt > 0 {
		fmt.Fprintf(&b, " attempt %d", e.Attempt)
	}
	if e.Arg != "" {
		fmt.Fprintf(&b, " %q", e.Arg)
	}
	if e.Row != "" {
		b.WriteString(" in a transaction")
	}
	if e.Out != "" {
		fmt.Fprintf(&b, " -> %s", e.Out)
	}
	if e.Seen != nil {
		fmt.Fprintf(&b, " -> %+v", *e.Seen)
	}
	return b.String()
}
