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
	narrowCrashes  = 2
)

// Words of a script. A duration is a word too: a pause.
const (
	wordReport = "report"
	wordSave   = "save"
	wordOK     = "ok"
	wordFail   = "fail"
	wordRetry  = "retry" // twice, then ok
	wordLater  = "later" // the same, each time after a while
	wordDeaf   = "deaf"  // ok, after deafFor and a last checkpoint, whether its ctx ends or not
)

type (
	text    = *wrapperspb.StringValue
	details = *lropb.OperationMetadata
)

func kindOf(name string) server.Kind[text, text, details] {
	// A retry has no jitter when its wait is too short to have any.
	k := server.Kind[text, text, details]{Name: name, Retry: server.Retry{MaxAttempts: -1, Backoff: 1, MaxBackoff: 1}}
	switch name {
	case kindOnce:
		k.AtMostOnce = true
	case kindBrief:
		k.Retention = briefRetention
	case kindNarrow:
		k.Concurrency, k.CrashLimit = 1, narrowCrashes
	case kindTimed:
		k.AttemptTimeout, k.TimeoutGrace = timedDeadline, timedGrace
	case kindOutside:
		k.Lease = outsideLease
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

// registrations are the kinds of a process, without the one that is missing.
func (w *world) registrations(p *process, missing string) []server.Registration {
	all := []server.Registration{kindOf(kindOutside).External()}
	for _, name := range handledKinds {
		if name == missing {
			all = append(all, kindOf(name).Declare())
			continue
		}
		all = append(all, kindOf(name).Handle(func(ctx context.Context, task *server.Task[details], req text) (text, error) {
			return w.handle(ctx, p, task, req.GetValue())
		}))
	}
	return all
}

// A request is the slot, a mark that makes it another one, and the script.
func request(slot int, variant bool, script string) string {
	return strings.TrimRight(fmt.Sprintf("%d %t %s", slot, variant, script), " ")
}

func parseRequest(s string) (slot int, script []string) {
	words := strings.Fields(s)
	_, _ = fmt.Sscan(words[0], &slot) // a request that is damaged is of slot 0, which no history explains
	return slot, words[2:]
}

// handle is the handler of all kinds: it follows its script, and notes what it
// sees.
func (w *world) handle(ctx context.Context, p *process, task *server.Task[details], req string) (text, error) {
	slot, script := parseRequest(req)
	base := oracle.Event{Key: slot, By: "handler", Name: task.Name(), Attempt: task.Attempt(), Lived: p.number}
	claim := base
	claim.Do, claim.Arg = oracle.Claim, string(task.Checkpoint())
	w.noteClaim(p, claim)

	told := make(chan time.Duration, 1)
	stop := context.AfterFunc(ctx, func() { told <- w.history.now() })
	result, err := w.follow(ctx, p, task, base, script)
	stop()
	finish := base
	finish.Do, finish.Arg = oracle.Finish, w.outcome(ctx, result, err)
	if script[len(script)-1] == wordLater && finish.Arg == oracle.Retry {
		finish.For = laterDelay
	}
	select {
	case finish.Told = <-told:
	default:
	}
	if p.alive() {
		// Whether it is stored the handler never hears.
		w.history.done(w.history.call(finish), oracle.Unknown)
	}
	if err != nil {
		return nil, err
	}
	return wrapperspb.String(result), nil
}

func (w *world) noteClaim(p *process, claim oracle.Event) {
	if !p.alive() {
		return
	}
	h := w.history
	e := h.call(claim)
	h.mu.Lock()
	e.Call = p.since // it was made at some time before the handler began
	h.mu.Unlock()
	h.done(e, oracle.OK)
	w.know(claim.Name, claim.Key)
}

// follow returns the response of an attempt, or its error.
func (w *world) follow(ctx context.Context, p *process, task *server.Task[details], base oracle.Event, script []string) (string, error) {
	deaf := script[len(script)-1] == wordDeaf
	for i, word := range script {
		if ctx.Err() != nil && !deaf {
			return "", ctx.Err()
		}
		at := fmt.Sprintf("%d/%d", base.Attempt, i)
		switch word {
		case wordReport:
			e := base
			e.Do, e.Arg = oracle.Report, at
			if err := w.report(p, task, e); err != nil {
				return "", err
			}
		case wordSave:
			e := base
			e.Do, e.Arg = oracle.Save, at
			if err := w.save(ctx, p, task, e); errors.Is(err, server.ErrLeaseLost) {
				return "", err
			}
		case wordOK:
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
				return "", later(at)
			}
			return at, nil
		case wordDeaf:
			ctx = context.WithoutCancel(ctx)
			w.clock.sleep(ctx, deafFor)
			e := base
			e.Do, e.Arg = oracle.Save, at
			_ = w.save(ctx, p, task, e) // it is deaf for that too
			return at, nil
		default:
			pause, err := time.ParseDuration(word)
			if err != nil {
				return "", err
			}
			if deaf {
				ctx = context.WithoutCancel(ctx)
			}
			w.clock.sleep(ctx, pause)
		}
	}
	return "", errors.New("the script has no end")
}

func (w *world) report(p *process, task *server.Task[details], report oracle.Event) error {
	e := &oracle.Event{}
	if p.alive() {
		e = w.history.call(report)
	}
	err := task.Report(&lropb.OperationMetadata{StatusMessage: report.Arg})
	w.history.done(e, oracle.OK)
	return err
}

// later is an error that is retried after a while.
func later(message string) error {
	st, err := status.New(codes.Unavailable, message).WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(laterDelay)})
	if err != nil {
		return err
	}
	return st.Err()
}

func (w *world) save(ctx context.Context, p *process, task *server.Task[details], save oracle.Event) error {
	if !p.alive() {
		return task.Save(ctx, []byte(save.Arg)) // of which no caller ever hears
	}
	e := w.history.call(save)
	err := task.Save(ctx, []byte(save.Arg))
	switch {
	case !p.alive():
		w.history.done(e, oracle.Unknown)
	case err == nil:
		w.history.done(e, oracle.OK)
	case errors.Is(err, server.ErrLeaseLost):
		w.history.done(e, oracle.Lost)
	default:
		w.history.done(e, oracle.Unknown)
	}
	return err
}

// outcome is what the server should make of what a handler returns.
func (w *world) outcome(ctx context.Context, result string, err error) string {
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
