package lro

import (
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
)

// retry decides about repeating a call that is no poll, by the policy of polls.
type retry struct {
	policy  *Policy
	begin   time.Time
	failing pollState
	late    failure // how a call counts that took too long
}

// after returns the pause after an attempt that failed, or false when another
// does not help. hint is when the service asked to be called again.
func (r *retry) after(err error, hint time.Duration) (time.Duration, bool) {
	elapsed := time.Since(r.begin)
	kind := failureOf(err)
	switch {
	case permanent(err):
		return 0, false
	case hint > 0:
		kind = transient
	case codeOf(err) == codes.DeadlineExceeded:
		kind = r.late
	}
	count, over := r.failing.fail(kind, elapsed)
	switch {
	case kind == final, kind == missing, kind == soft && r.policy.softExceeded(count, over):
		return 0, false
	}
	pause := r.policy.jittered(r.policy.interval(elapsed), 2*rand.Float64()-1)
	return max(hint, pause), true
}

// hints is the header and trailer of a call, in which a service may ask to be
// called again. Its address must not change during the call.
type hints struct {
	header, trailer metadata.MD
}

// options appends the options of the call to buf: opts, and what fills h.
func (h *hints) options(buf, opts []grpc.CallOption) []grpc.CallOption {
	return append(append(buf, opts...), grpc.HeaderCallOption{HeaderAddr: &h.header}, grpc.TrailerCallOption{TrailerAddr: &h.trailer})
}

// of returns when the service asked to be called again; 0 for no word.
func (h *hints) of(err error) time.Duration { return hintOf(err, h.header, h.trailer, time.Now()) }

func (h *hints) judge(err error) error { return judge(err, h.header, h.trailer) }
