package simulation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/internal/oracle"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
)

// The kinds of operations.
const (
	kindWork    = "work"    // as usual
	kindOnce    = "once"    // at most once
	kindBrief   = "brief"   // is removed soon
	kindNarrow  = "narrow"  // one attempt at a time
	kindTimed   = "timed"   // attempts have a deadline
	kindOutside = "outside" // external
)

// handledKinds are those with a handler.
var handledKinds = []string{kindWork, kindOnce, kindBrief, kindNarrow, kindTimed}

const (
	briefRetention = time.Minute
	outsideLease   = 30 * time.Second
	timedDeadline  = 2 * time.Second
	timedGrace     = time.Second
	laterDelay     = 3 * time.Second
	deafFor        = 15 * time.Second // longer than a server waits that stops
	heedFor        = 5 * time.Minute  // longer than a cancel may take to be heard of
	narrowCrashes  = 2
)

// Words of a script. A duration is a word too: a pause.
const (
	wordReport = "report"
	wordSave   = "save"
	wordOK     = "ok"
	wordFail   = "fail"
	wordRetry  = "retry"  // twice, then ok
	wordLater  = "later"  // the same, each time after a while
	wordDeaf   = "deaf"   // ok, after deafFor and a last checkpoint, whether its ctx ends or not
	wordHeed   = "heed"   // waits for the end of its ctx, for heedFor at most
	wordCommit = "commit" // ends in a transaction that stays open for openFor
	wordLate   = "late"   // the same, after deafFor, whether its ctx ends or not
)

type (
	text    = *wrapperspb.StringValue
	details = *lropb.OperationMetadata
	kind    = server.Kind[text, text, details]
)

// pace divides all times of a program: 1 in virtual time, where none is too long.
type pace int

func (p pace) of(d time.Duration) time.Duration { return d / time.Duration(max(p, 1)) }

func (p pace) kind(name string) kind {
	// A retry has no jitter when its wait is too short to have any.
	k := kind{Name: name, Retry: server.Retry{MaxAttempts: -1, Backoff: 1, MaxBackoff: 1}}
	switch name {
	case kindOnce:
		k.AtMostOnce = true
	case kindBrief:
		k.Retention = p.of(briefRetention)
	case kindNarrow:
		k.Concurrency, k.CrashLimit = 1, narrowCrashes
	case kindTimed:
		k.AttemptTimeout, k.TimeoutGrace = p.of(timedDeadline), p.of(timedGrace)
	case kindOutside:
		k.Lease = p.of(outsideLease)
	}
	return k
}

func rulesOf(kind string) oracle.Rules {
	r := oracle.Rules{
		External: kind == kindOutside, Leased: kind == kindOutside, AtMostOnce: kind == kindOnce,
		Expires: kind == kindBrief, Timed: kind == kindTimed,
	}
	if kind == kindNarrow {
		r.CrashLimit = narrowCrashes
	}
	return r
}

// recorder gets the events of handlers.
type recorder interface {
	claim(e oracle.Event)              // made before its handler began
	call(e oracle.Event) *oracle.Event // begins an event
	done(e *oracle.Event, out string)  // ends it
	now() time.Duration
}

// actor runs the handlers of one process.
type actor struct {
	recorder
	number int         // of the process
	alive  func() bool // no event counts once it is not
	sleep  func(ctx context.Context, d time.Duration)
	pace   pace
	seed   uint64     // of the program
	tx     Transactor // nil where there are no transactions
}

// registrations are the kinds of the process, without the one that is missing.
func (a *actor) registrations(missing string) []server.Registration {
	all := []server.Registration{a.pace.kind(kindOutside).External()}
	for _, name := range handledKinds {
		if name == missing {
			all = append(all, a.pace.kind(name).Declare())
			continue
		}
		k := a.pace.kind(name)
		all = append(all, k.Handle(func(ctx context.Context, task *server.Task[details], req text) (text, error) {
			return a.handle(ctx, k, task, req.GetValue())
		}))
	}
	return all
}

// queue is how long the operations of the kind with a limit take that are known,
// one after another.
func (w *world) queue() (all time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, slot := range w.slots {
		if k := w.program.keys[keyOf(slot)]; k.kind == kindNarrow {
			all += longest(k.script)
		}
	}
	return all
}

// longest is how long a script can take with its retries.
func longest(script string) (all time.Duration) {
	attempts := time.Duration(1)
	for word := range strings.FieldsSeq(script) {
		switch word {
		case wordRetry, wordLater:
			attempts = 3
			all += laterDelay
		case wordDeaf:
			all += deafFor
		case wordHeed:
			all += heedFor
		case wordCommit:
			all += openFor
		case wordLate:
			all += deafFor + openFor
		default:
			pause, _ := time.ParseDuration(word) // other words take no time
			all += pause
		}
	}
	return attempts * all
}

// A request is the slot, a mark that makes it another one, and the script.
func request(slot int, variant bool, script string) string {
	return strings.TrimRight(fmt.Sprintf("%d %t %s", slot, variant, script), " ")
}

func parseRequest(s string) (slot int, script []string) {
	words := strings.Fields(s)
	_, _ = fmt.Sscan(words[0], &slot) // of a damaged request 0, so that slot has an operation too many
	return slot, words[2:]
}

// handle is the handler of all kinds: it follows its script, and notes what it
// sees.
func (a *actor) handle(ctx context.Context, k kind, task *server.Task[details], req string) (text, error) {
	slot, script := parseRequest(req)
	base := oracle.Event{Key: slot, By: "handler", Name: task.Name(), Attempt: task.Attempt(), Lived: a.number}
	claim := base
	claim.Do, claim.Arg = oracle.Claim, string(task.Checkpoint())
	if a.alive() {
		a.claim(claim)
	}

	told := make(chan time.Duration, 1)
	stop := context.AfterFunc(ctx, func() { told <- a.now() })
	result, err := a.follow(ctx, k, task, base, script)
	stop()
	finish := base
	finish.Do, finish.Arg = oracle.Finish, a.outcome(ctx, result, err)
	if script[len(script)-1] == wordLater && finish.Arg == oracle.Retry {
		finish.For = a.pace.of(laterDelay)
	}
	select {
	case finish.Told = <-told:
	default:
	}
	if a.alive() {
		// Whether it is stored the handler never hears.
		a.done(a.call(finish), oracle.Unknown)
	}
	if err != nil {
		return nil, err
	}
	return wrapperspb.String(result), nil
}

// follow returns the response of an attempt, or its error.
func (a *actor) follow(ctx context.Context, k kind, task *server.Task[details], base oracle.Event, script []string) (string, error) {
	last := script[len(script)-1]
	deaf := last == wordDeaf || last == wordLate
	for i, word := range script {
		if ctx.Err() != nil && !deaf {
			return "", ctx.Err()
		}
		at := fmt.Sprintf("%d/%d", base.Attempt, i)
		switch word {
		case wordReport:
			e := base
			e.Do, e.Arg = oracle.Report, at
			if err := a.report(task, e); err != nil {
				return "", err
			}
		case wordSave:
			e := base
			e.Do, e.Arg = oracle.Save, at
			if err := a.saveMaybeIn(ctx, task, e, i); errors.Is(err, server.ErrLeaseLost) {
				return "", err
			}
		case wordOK:
			if a.draw(base, i).IntN(2) > 0 {
				return at, nil
			}
			return a.endIn(ctx, k, task, base, i, 0)
		case wordCommit:
			return a.endIn(ctx, k, task, base, i, openFor)
		case wordLate:
			a.sleep(context.WithoutCancel(ctx), a.pace.of(deafFor))
			return a.endIn(ctx, k, task, base, i, openFor)
		case wordHeed:
			a.sleep(ctx, a.pace.of(heedFor))
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
			return at, nil
		case wordFail:
			return "", status.Error(codes.FailedPrecondition, at)
		case wordRetry:
			if base.Attempt < 3 {
				return "", status.Error(codes.Unavailable, at)
			}
			return at, nil
		case wordLater:
			if base.Attempt < 3 {
				return "", later(at, a.pace.of(laterDelay))
			}
			return at, nil
		case wordDeaf:
			ctx = context.WithoutCancel(ctx)
			a.sleep(ctx, a.pace.of(deafFor))
			e := base
			e.Do, e.Arg = oracle.Save, at
			_ = a.save(ctx, task, e) // it is deaf for that too
			return at, nil
		default:
			pause, err := time.ParseDuration(word)
			if err != nil {
				return "", err
			}
			if deaf {
				ctx = context.WithoutCancel(ctx)
			}
			a.sleep(ctx, a.pace.of(pause))
		}
	}
	return "", errors.New("the script has no end")
}

func (a *actor) report(task *server.Task[details], report oracle.Event) error {
	e := &oracle.Event{}
	if a.alive() {
		e = a.call(report)
	}
	err := task.Report(&lropb.OperationMetadata{StatusMessage: report.Arg})
	a.done(e, oracle.OK)
	return err
}

// later is an error that is retried after a while.
func later(message string, delay time.Duration) error {
	st, err := status.New(codes.Unavailable, message).WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(delay)})
	if err != nil {
		return err
	}
	return st.Err()
}

func (a *actor) save(ctx context.Context, task *server.Task[details], save oracle.Event) error {
	if !a.alive() {
		return task.Save(ctx, []byte(save.Arg)) // of which no caller ever hears
	}
	e := a.call(save)
	err := task.Save(ctx, []byte(save.Arg))
	switch {
	case !a.alive():
		a.done(e, oracle.Unknown)
	case err == nil:
		a.done(e, oracle.OK)
	case errors.Is(err, server.ErrLeaseLost):
		a.done(e, oracle.Lost)
	default:
		a.done(e, oracle.Unknown)
	}
	return err
}

// outcome is what the server should make of what a handler returns.
func (a *actor) outcome(ctx context.Context, result string, err error) string {
	switch {
	case err == nil:
		return "ok:" + result
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), server.ErrCancelRequested) && errors.Is(err, ctx.Err()):
		return "err:CANCELLED"
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded) && errors.Is(err, ctx.Err()):
		return "err:DEADLINE_EXCEEDED"
	case errors.Is(context.Cause(ctx), server.ErrDraining):
		return oracle.Release
	case ctx.Err() != nil || errors.Is(err, server.ErrLeaseLost):
		return "" // nothing comes of it
	case status.Code(err) == codes.Unavailable:
		return oracle.Retry
	default:
		return "err:FAILED_PRECONDITION"
	}
}
