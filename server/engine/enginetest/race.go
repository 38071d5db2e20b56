package enginetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/go-lro/lro/internal/oracle"
	"github.com/go-lro/lro/server/engine"
)

var raceTests = []test{
	{name: "one end", run: raceOneEnd},
	{name: "cancel against the end of an attempt", run: raceCancelAttempt},
	{name: "what was seen stays", run: raceMonotonic},
	{name: "linearizable", run: raceLinearizable},
}

// raceOneEnd has many callers end an operation at once: one does, and no reader
// sees another end.
func raceOneEnd(v *env) {
	for range 30 {
		rec := v.start(engine.Spec{External: true})
		lease := rec.Lease()
		var mu sync.Mutex
		var ends []*engine.Record
		saw := func(rec *engine.Record, err error) {
			if err != nil {
				v.wantErr("a call that lost the race", err, engine.ErrFenced)
				return
			}
			if rec.State.Terminal() {
				mu.Lock()
				defer mu.Unlock()
				ends = append(ends, rec)
			}
		}
		var wg sync.WaitGroup
		for i := range 2 {
			wg.Go(func() {
				saw(v.eng.Complete(v.Context(), lease, engine.Completion{Response: text(fmt.Sprint(i))}))
			})
			wg.Go(func() {
				saw(v.eng.Fail(v.Context(), lease, engine.Failure{Error: failed(code.Code_INTERNAL, fmt.Sprint(i))}))
			})
			wg.Go(func() { saw(v.eng.Cancel(v.Context(), rec.Name)) })
			wg.Go(func() { saw(v.eng.Report(v.Context(), lease, engine.Update{Metadata: text("x")})) })
			wg.Go(func() { saw(v.eng.Get(v.Context(), rec.Name)) })
			wg.Go(func() { saw(v.eng.Wait(v.Context(), rec.Name)) })
		}
		wg.Wait()
		want := v.get(rec.Name)
		if !want.State.Terminal() {
			v.Fatalf("state is %v after Complete and Fail, want an end", want.State)
		}
		for _, got := range ends {
			v.wantSame("an end that was seen", got, want)
		}
	}
}

func raceCancelAttempt(v *env) {
	c := v.work()
	for i := range 50 {
		rec := v.start(engine.Spec{})
		var wg sync.WaitGroup
		ran := true
		if i%2 == 0 {
			// Before, while or after it is claimed.
			wg.Go(func() { v.cancelled(rec.Name) })
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, err := v.eng.Wait(v.Context(), rec.Name)
				if err != nil {
					v.Errorf("Wait() = %v", err)
				}
			}()
			select {
			case r := <-c.runs:
				r.end(succeed("response"))
			case <-done:
				ran = false
			}
			<-done
		} else {
			r := c.nextOf(rec)
			wg.Go(func() { v.cancelled(rec.Name) })
			r.end(succeed("response"))
		}
		wg.Wait()
		end := v.wait(rec.Name)
		switch {
		case ran && end.State == engine.Succeeded && read(end.Response) == "response":
		case !ran && end.State == engine.Cancelled:
		default:
			v.Errorf("ended as %v with response %v; an attempt reached the end of its handler: %v", end.State, end.Response, ran)
		}
	}
}

func (v *env) cancelled(name string) {
	if _, err := v.eng.Cancel(v.Context(), name); err != nil {
		v.Errorf("Cancel() = %v", err)
	}
}

// raceMonotonic reads while operations live: once a state was seen, in a page,
// by name or in an answer, no reader sees an older one.
func raceMonotonic(v *env) {
	stop := make(chan struct{})
	var writers, readers sync.WaitGroup
	for range 2 {
		writers.Go(func() {
			for range 25 {
				rec, err := v.eng.Start(v.Context(), engine.Spec{Kind: kind, Parent: parent, External: true})
				if err == nil {
					_, err = v.eng.Report(v.Context(), rec.Lease(), engine.Update{Metadata: text("half")})
				}
				if err == nil {
					_, err = v.eng.Cancel(v.Context(), rec.Name)
				}
				if err == nil {
					_, err = v.eng.Complete(v.Context(), rec.Lease(), engine.Completion{Response: text("")})
				}
				if err != nil {
					v.Errorf("life of an operation: %v", err)
				}
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				p, err := v.eng.List(v.Context(), engine.Query{Parent: parent, Limit: 4})
				if err != nil {
					v.Errorf("List() = %v", err)
					return
				}
				for _, seen := range p.Records {
					got, err := v.eng.Get(v.Context(), seen.Name)
					if err != nil || got.Revision < seen.Revision {
						v.Errorf("Get() = %v, %v; List had shown revision %d", got, err, seen.Revision)
						return
					}
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
}

// The linearizability check: clients call at random, and there must be an
// order of their calls, within the time each took, that the model allows.
// A key is a request ID. All operations are External, so that only calls
// change them.

// started is what a client knows of an operation.
type started struct {
	key   int
	fence int64
}

// client calls the engine at random.
type client struct {
	v     *env
	id    int
	rand  *rand.Rand
	known *sync.Map // name to started, of what was started
	calls []porcupine.Operation
}

// call makes the call that e is about, and completes e.
func (c *client) call(e *oracle.Event, fence int64) {
	v, ctx := c.v, c.v.Context()
	var rec *engine.Record
	var err error
	switch e.Do {
	case oracle.Start:
		rec, err = v.eng.Start(ctx, engine.Spec{Kind: kind, Parent: parent, External: true, RequestID: fmt.Sprint(e.Key)})
		if err == nil {
			c.known.Store(rec.Name, started{e.Key, rec.Fence})
		}
	case oracle.Get:
		rec, err = v.eng.Get(ctx, e.Name)
	case oracle.Cancel:
		rec, err = v.eng.Cancel(ctx, e.Name)
	case oracle.Complete:
		rec, err = v.eng.Complete(ctx, engine.Lease{Name: e.Name, Fence: fence}, engine.Completion{Response: text(e.Arg)})
	case oracle.Delete:
		err = v.eng.Delete(ctx, e.Name)
	}
	switch {
	case errors.Is(err, engine.ErrNotFound):
		e.Out = oracle.NotFound
	case errors.Is(err, engine.ErrNotTerminal):
		e.Out = oracle.NotEnded
	case err != nil:
		v.Errorf("%v = %v", e, err)
	case rec != nil && !slices.Contains([]string{rec.Name, ""}, e.Name):
		v.Errorf("%v returned %q", e, rec.Name)
	case rec != nil:
		e.Seen = &oracle.View{Name: rec.Name, State: rec.State.String(), Attempt: rec.Attempt, Cancel: !rec.CancelTime.IsZero()}
		if rec.Response != nil {
			e.Seen.Result = "ok:" + read(rec.Response)
		}
	}
}

func (c *client) run(keys, n int) {
	for i := range n {
		e := &oracle.Event{Key: c.rand.IntN(keys), By: fmt.Sprintf("client %d", c.id), Do: oracle.Start}
		var fence int64
		if c.rand.IntN(4) > 0 {
			var names []string
			c.known.Range(func(name, s any) bool {
				if s.(started).key == e.Key {
					names = append(names, name.(string))
				}
				return true
			})
			if len(names) > 0 {
				slices.Sort(names)
				// Mostly the latest, which is the one that is there.
				e.Name = names[max(len(names)-1-c.rand.IntN(3), 0)]
				if s, ok := c.known.Load(e.Name); ok {
					fence = s.(started).fence
				}
				ops := []string{oracle.Get, oracle.Get, oracle.Cancel, oracle.Complete, oracle.Delete}
				e.Do = ops[c.rand.IntN(len(ops))]
				if e.Do == oracle.Complete {
					e.Arg = fmt.Sprint(c.id, "/", i)
				}
			}
		}
		call := time.Now().UnixNano()
		c.call(e, fence)
		c.calls = append(c.calls, porcupine.Operation{
			ClientId: c.id, Input: e, Call: call, Return: time.Now().UnixNano(),
		})
	}
}

func raceLinearizable(v *env) {
	seed := rand.Uint64()
	var known sync.Map
	var wg sync.WaitGroup
	clients := make([]*client, 4)
	for i := range clients {
		clients[i] = &client{v: v, id: i, known: &known, rand: rand.New(rand.NewPCG(seed, uint64(i)))}
		wg.Go(func() { clients[i].run(3, 100) })
	}
	wg.Wait()
	byKey := make(map[int][]porcupine.Operation)
	for _, c := range clients {
		for _, op := range c.calls {
			key := op.Input.(*oracle.Event).Key
			byKey[key] = append(byKey[key], op)
		}
	}
	for key, history := range byKey {
		if porcupine.CheckOperations(oracle.Model(oracle.Rules{External: true}), history) {
			continue
		}
		slices.SortFunc(history, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
		for _, op := range history {
			v.Logf("%d to %d: %v", op.Call, op.Return, op.Input)
		}
		v.Errorf("no order of the calls with request ID %d explains their answers (seed %d)", key, seed)
	}
}
