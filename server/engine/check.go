package engine

import (
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Limits of a [Spec], in bytes unless they say otherwise. Every engine takes
// what is within them, except that an engine may take shorter parents and
// declares it.
const (
	MaxKind      = 255
	MaxParent    = 1000
	MaxRequestID = 1000
	MaxCaller    = 1000
	MaxTrace     = 8 << 10 // of all names and values together

	// MaxRetention keeps expiry times within what a store can hold.
	MaxRetention = 100 * 365 * 24 * time.Hour
)

// Checked returns the spec with its defaults filled in and a map of its own,
// or an error that is [ErrInvalid] or [ErrTooLarge] when an engine must refuse
// it. maxPayload limits Request and Metadata, each, in bytes.
func (s Spec) Checked(maxPayload int) (Spec, error) {
	switch {
	case s.Kind == "":
		return s, fmt.Errorf("%w: kind is empty", ErrInvalid)
	case s.CrashLimit < 0:
		return s, fmt.Errorf("%w: crash limit %d is negative", ErrInvalid, s.CrashLimit)
	case s.Retention < 0 || s.Retention > MaxRetention:
		return s, fmt.Errorf("%w: retention %v is not between 0 and %v", ErrInvalid, s.Retention, MaxRetention)
	case s.LeaseFor < 0:
		return s, fmt.Errorf("%w: lease of %v is negative", ErrInvalid, s.LeaseFor)
	case strings.HasPrefix(s.Parent, "/") || strings.HasSuffix(s.Parent, "/") || strings.Contains(s.Parent, "//"):
		return s, fmt.Errorf("%w: parent %q has an empty segment", ErrInvalid, s.Parent)
	}
	for _, text := range []struct {
		what, value string
		limit       int
	}{
		{"kind", s.Kind, MaxKind},
		{"parent", s.Parent, MaxParent},
		{"request ID", s.RequestID, MaxRequestID},
		{"caller", s.Caller, MaxCaller},
	} {
		if len(text.value) > text.limit {
			return s, fmt.Errorf("%w: %s of %d bytes is over %d", ErrInvalid, text.what, len(text.value), text.limit)
		}
		if !utf8.ValidString(text.value) || strings.ContainsFunc(text.value, unicode.IsControl) {
			return s, fmt.Errorf("%w: %s %q has characters that cannot be stored", ErrInvalid, text.what, text.value)
		}
	}
	trace := 0
	for k, v := range s.Trace {
		if err := checkText("trace", k+v); err != nil {
			return s, err
		}
		trace += len(k) + len(v)
	}
	if err := CheckSize("trace", trace, MaxTrace); err != nil {
		return s, err
	}
	if err := checkAny("metadata", s.Metadata, maxPayload); err != nil {
		return s, err
	}
	if err := checkAny("request", s.Request, maxPayload); err != nil {
		return s, err
	}
	// The operation outlives the call, its caller's map may not.
	s.Trace = maps.Clone(s.Trace)
	if len(s.Trace) == 0 {
		s.Trace = nil
	}
	if s.CrashLimit == 0 {
		s.CrashLimit = DefaultCrashLimit
	}
	return s, nil
}

// Check reports an update that cannot be stored, as [ErrInvalid] or
// [ErrTooLarge]. Engines also check what [Attempt.Report] is given as an
// update. maxPayload is in bytes.
func (u Update) Check(maxPayload int) error { return checkAny("metadata", u.Metadata, maxPayload) }

// Check reports a completion that cannot be stored, as [ErrInvalid] or
// [ErrTooLarge]. maxPayload limits each message, in bytes.
func (c Completion) Check(maxPayload int) error {
	if c.Response == nil {
		return fmt.Errorf("%w: response is nil", ErrInvalid)
	}
	if err := checkAny("response", c.Response, maxPayload); err != nil {
		return err
	}
	return checkAny("metadata", c.Metadata, maxPayload)
}

// Check reports a failure that cannot be stored, as [ErrInvalid] or
// [ErrTooLarge]. maxPayload limits each message, in bytes.
func (f Failure) Check(maxPayload int) error {
	if f.Error == nil {
		return fmt.Errorf("%w: error is nil", ErrInvalid)
	}
	if err := checkStatus(f.Error, maxPayload); err != nil {
		return err
	}
	return checkAny("metadata", f.Metadata, maxPayload)
}

// Check reports an outcome that cannot be stored, as [ErrInvalid] or
// [ErrTooLarge]. maxPayload limits each message, in bytes.
func (o Outcome) Check(maxPayload int) error {
	set := 0
	for _, is := range []bool{o.Response != nil, o.Error != nil, o.Release} {
		if is {
			set++
		}
	}
	if set != 1 {
		return fmt.Errorf("%w: the handler ended without exactly one of response, error and release", ErrInvalid)
	}
	if err := checkAny("response", o.Response, maxPayload); err != nil {
		return err
	}
	if err := checkStatus(o.Error, maxPayload); err != nil {
		return err
	}
	return checkAny("metadata", o.Metadata, maxPayload)
}

// CheckSize returns an error that is [ErrTooLarge] when n bytes of what are
// more than limit. Engines use it for checkpoints, which are bytes of any kind.
func CheckSize(what string, n, limit int) error {
	if n > limit {
		return fmt.Errorf("%s of %d bytes: %w, the limit is %d", what, n, ErrTooLarge, limit)
	}
	return nil
}

// checkAny accepts nil. The value is bytes of any kind; the type URL has to be
// text, or the message cannot be encoded.
func checkAny(what string, a *anypb.Any, limit int) error {
	if err := checkText("type URL of "+what, a.GetTypeUrl()); err != nil {
		return err
	}
	return CheckSize(what, proto.Size(a), limit)
}

// checkStatus accepts nil.
func checkStatus(s *status.Status, limit int) error {
	if err := checkText("message of error", s.GetMessage()); err != nil {
		return err
	}
	for _, d := range s.GetDetails() {
		if err := checkText("type URL of error detail", d.GetTypeUrl()); err != nil {
			return err
		}
	}
	return CheckSize("error", proto.Size(s), limit)
}

func checkText(what, s string) error {
	if !utf8.ValidString(s) {
		return fmt.Errorf("%w: %s %q is not UTF-8", ErrInvalid, what, s)
	}
	return nil
}
