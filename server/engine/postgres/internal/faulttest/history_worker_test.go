//go:build unix

package faulttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/go-lro/lro/internal/oracle"
	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// historyConfig has a worker write a history of what its callers and handlers do.
type historyConfig struct {
	File    string    // appended to, so that what is written outlives a kill
	Callers int       // that call at random
	Begin   time.Time // of the test
}

const (
	historyKind  = "history"
	historySteps = 2
	// keysPeriod is how long callers use two request IDs most, before they go
	// on to the next two: histories stay short.
	keysPeriod = 500 * time.Millisecond
)

// historian is a worker that writes a history. Times are those of the machine's
// clock, which all processes of a test share.
type historian struct {
	handler
	c historyConfig

	mu    sync.Mutex
	file  *os.File
	last  int
	names map[int][]string // by key, oldest first
}

// written is a line of the file. An event has one when it begins, and another one
// with the same ID when it has returned.
type written struct {
	ID    string
	Event oracle.Event
}

func runHistorian(terminated context.Context, h handler, c historyConfig) error {
	file, err := os.OpenFile(c.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	w := &historian{handler: h, c: c, file: file, names: make(map[int][]string)}
	fmt.Println("ready")
	ctx, cancel := context.WithCancelCause(terminated)
	defer cancel(nil)
	var callers sync.WaitGroup
	for i := range c.Callers {
		callers.Go(func() {
			if err := w.calls(ctx, fmt.Sprintf("caller %d of %d", i, os.Getpid())); err != nil {
				cancel(err)
			}
		})
	}
	err = h.e.Work(ctx, engine.Worker{Kinds: map[string]int{historyKind: 0}, Concurrency: 6, Run: w.attempt})
	callers.Wait()
	if terminated.Err() != nil {
		return err
	}
	return errors.Join(err, context.Cause(ctx))
}

// begin writes that an event begins, and end that it has returned.
func (w *historian) begin(e *oracle.Event) (end func()) {
	w.mu.Lock()
	w.last++
	id := fmt.Sprint(os.Getpid(), "/", w.last)
	w.mu.Unlock()
	e.Lived = os.Getpid()
	if e.Call == 0 {
		e.Call = int(time.Now().UnixNano())
	}
	w.write(id, e)
	return func() {
		e.Return = int(time.Now().UnixNano())
		w.write(id, e)
	}
}

func (w *historian) write(id string, e *oracle.Event) {
	line, err := json.Marshal(written{id, *e})
	if err == nil {
		_, err = w.file.Write(append(line, '\n'))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error: write history:", err)
		os.Exit(1)
	}
}

// calls calls at random, until ctx ends.
func (w *historian) calls(ctx context.Context, by string) error {
	for enginekit.Pause(ctx, rand.N(100*time.Millisecond)) {
		period := int(time.Since(w.c.Begin) / keysPeriod)
		e := &oracle.Event{Key: 2*max(period-[]int{0, 0, 0, 1, 2, 4}[rand.IntN(6)], 0) + rand.IntN(2), By: by, Do: oracle.Start}
		w.mu.Lock()
		names := slices.Clone(w.names[e.Key])
		w.mu.Unlock()
		if len(names) > 0 && rand.IntN(4) > 0 {
			// Mostly the latest, which is the one that is there.
			e.Name = names[max(len(names)-1-rand.IntN(3), 0)]
			does := []string{oracle.Get, oracle.Get, oracle.Get, oracle.Wait, oracle.Wait, oracle.Cancel, oracle.Delete}
			e.Do = does[rand.IntN(len(does))]
		}
		end := w.begin(e)
		if err := w.call(ctx, e); err != nil {
			return fmt.Errorf("%v: %w", e, err)
		}
		end()
	}
	return nil
}

// call makes the call that e is about, and notes its answer.
func (w *historian) call(ctx context.Context, e *oracle.Event) error {
	var rec *engine.Record
	var err error
	switch e.Do {
	case oracle.Start:
		id := strconv.Itoa(e.Key)
		rec, err = w.e.Start(ctx, engine.Spec{Kind: historyKind, Request: text(id), RequestID: id, CrashLimit: 1 << 30})
		if err == nil {
			w.know(e.Key, rec.Name)
		}
	case oracle.Get:
		rec, err = w.e.Get(ctx, e.Name)
	case oracle.Wait:
		limited, cancel := context.WithTimeout(ctx, rand.N(time.Second))
		defer cancel()
		rec, err = w.e.Wait(limited, e.Name)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			rec, err = nil, nil
			e.Out = oracle.Unknown
		}
	case oracle.Cancel:
		rec, err = w.e.Cancel(ctx, e.Name)
	case oracle.Delete:
		err = w.e.Delete(ctx, e.Name)
	}
	switch {
	case errors.Is(err, engine.ErrNotFound):
		e.Out = oracle.NotFound
	case err != nil:
		return err
	case rec != nil && !slices.Contains([]string{rec.Name, ""}, e.Name):
		return fmt.Errorf("returned %q", rec.Name)
	case rec != nil:
		e.Seen = viewOf(rec)
	}
	return nil
}

func (w *historian) know(key int, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.names[key], name) {
		w.names[key] = append(w.names[key], name)
	}
}

func viewOf(rec *engine.Record) *oracle.View {
	v := &oracle.View{Name: rec.Name, State: rec.State.String(), Attempt: rec.Attempt, Cancel: !rec.CancelTime.IsZero()}
	if rec.Response != nil {
		v.Result = "ok:" + unpack(rec.Response)
	}
	if rec.Error != nil {
		v.Result = "err:" + code.Code(rec.Error.GetCode()).String()
	}
	return v
}

// attempt goes the steps of an operation, each with a checkpoint and a row in one
// transaction. It heeds a cancel.
func (w *historian) attempt(ctx context.Context, a engine.Attempt) engine.Outcome {
	rec := a.Record()
	key, err := strconv.Atoi(unpack(rec.Request))
	if err != nil {
		return engine.Outcome{Error: &status.Status{Code: int32(code.Code_INTERNAL), Message: err.Error()}}
	}
	base := oracle.Event{Key: key, By: "handler", Name: rec.Name, Attempt: rec.Attempt}
	claim := base
	// The claim was made at some time before the handler began.
	claim.Do, claim.Arg, claim.Call = oracle.Claim, string(rec.Checkpoint), int(rec.UpdateTime.UnixNano())
	w.begin(&claim)()
	out, err := w.steps(ctx, a, base)
	finish := base
	finish.Do, finish.Out, finish.Arg = oracle.Finish, oracle.Unknown, "ok:"+out
	switch {
	case err == nil:
		w.begin(&finish) // it does not learn whether its end is stored
		return engine.Outcome{Response: text(out)}
	case errors.Is(context.Cause(ctx), engine.ErrCancelRequested):
		finish.Arg = "err:" + code.Code_CANCELLED.String()
		w.begin(&finish)
		return engine.Outcome{Error: &status.Status{Code: int32(code.Code_CANCELLED)}}
	}
	// Its lease has ended, on a machine that is too busy. What is written here is
	// refused, and no event of the history.
	lost := base
	lost.Do, lost.Out, lost.Call = oracle.Die, oracle.Unknown, claim.Call
	w.begin(&lost)
	return engine.Outcome{Error: &status.Status{Code: int32(code.Code_INTERNAL), Message: err.Error()}}
}

func (w *historian) steps(ctx context.Context, a engine.Attempt, base oracle.Event) (string, error) {
	step := 0
	if c := string(a.Record().Checkpoint); c != "" {
		if _, err := fmt.Sscan(c[strings.Index(c, "/")+1:], &step); err != nil {
			return "", err
		}
	}
	for step++; step <= historySteps; step++ {
		if !enginekit.Pause(ctx, rand.N(250*time.Millisecond)) {
			return "", context.Cause(ctx)
		}
		save := base
		save.Do, save.Arg = oracle.Save, fmt.Sprint(a.Record().Attempt, "/", step)
		end := w.begin(&save)
		err := w.e.InTx(ctx, func(in context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(in, "INSERT INTO "+w.table("effect")+" VALUES ($1, $2, $3)", a.Record().Name, step, a.Record().Attempt)
			if err != nil {
				return err
			}
			return a.Save(in, []byte(save.Arg))
		})
		switch {
		case errors.Is(err, engine.ErrFenced):
			save.Out = oracle.Lost
			end()
			return "", err
		case err != nil:
			return "", err // it may have happened: no answer
		}
		end()
	}
	return fmt.Sprint(a.Record().Attempt), nil
}

func text(s string) *anypb.Any {
	a, err := anypb.New(wrapperspb.String(s))
	if err != nil {
		panic(err) // a string is always encoded
	}
	return a
}

func unpack(a *anypb.Any) string {
	s := new(wrapperspb.StringValue)
	if err := a.UnmarshalTo(s); err != nil {
		return err.Error()
	}
	return s.GetValue()
}
