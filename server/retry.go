package server

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
)

// Retry controls which failed attempts are retried. An attempt whose process
// died is always retried, up to [Kind].CrashLimit, and one that panicked never.
type Retry struct {
	// MaxAttempts limits the attempts of an operation; attempts that crashed or
	// were handed back while draining do not count. 0 and 1 mean no retry,
	// negative no limit.
	MaxAttempts int
	// Backoff is the pause before the second attempt. It doubles with each further
	// one. 0 means 1 s. A longer RetryInfo in the error's details is honored. A
	// jitter of up to 20 % is added.
	Backoff time.Duration
	// MaxBackoff is the longest pause, before jitter. 0 means 1 min.
	MaxBackoff time.Duration
	// If reports whether the handler's error is retried. Nil means UNAVAILABLE
	// only (AIP-194).
	If func(error) bool
}

const (
	defaultBackoff    = time.Second
	defaultMaxBackoff = time.Minute
	// maxRetryInfo bounds a hint, so that one bad error detail cannot park an
	// operation for years.
	maxRetryInfo = 24 * time.Hour
)

func (r Retry) check() error {
	var errs []error
	if r.Backoff < 0 {
		errs = append(errs, fmt.Errorf("Retry.Backoff is negative (%s)", r.Backoff))
	}
	if r.MaxBackoff < 0 {
		errs = append(errs, fmt.Errorf("Retry.MaxBackoff is negative (%s)", r.MaxBackoff))
	}
	return errors.Join(errs...)
}

// again reports whether err, which became st and with which attempt number
// attempt ended (from 1, without crashes and releases), is followed by another attempt, and
// how much later.
func (r Retry) again(attempt int, err error, st *spb.Status) (time.Duration, bool) {
	if r.MaxAttempts >= 0 && attempt >= max(1, r.MaxAttempts) {
		return 0, false
	}
	if r.If == nil && codes.Code(st.GetCode()) != codes.Unavailable {
		return 0, false
	}
	if r.If != nil && !r.If(err) {
		return 0, false
	}
	wait := max(r.backoff(attempt), retryInfo(st))
	return wait + time.Duration(rand.Float64()*0.2*float64(wait)), true
}

// backoff is the wait after attempt number attempt, without jitter.
func (r Retry) backoff(attempt int) time.Duration {
	wait, limit := r.Backoff, r.MaxBackoff
	if wait == 0 {
		wait = defaultBackoff
	}
	if limit == 0 {
		limit = defaultMaxBackoff
	}
	for n := 1; n < attempt && wait < limit; n++ {
		wait *= 2
	}
	return min(wait, limit)
}

// retryInfo is the pause in the details of st, 0 if there is none.
func retryInfo(st *spb.Status) time.Duration {
	for _, detail := range st.GetDetails() {
		var info errdetails.RetryInfo
		if detail.MessageIs(&info) && detail.UnmarshalTo(&info) == nil {
			return min(info.GetRetryDelay().AsDuration(), maxRetryInfo)
		}
	}
	return 0
}
