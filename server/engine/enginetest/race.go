package enginetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
	"google.golang.org/genproto/googleapis/rpc/code"

	"github.com/go-lro/lro/server/engine"
)

var raceTests = []test{
	{name: "one end", run: raceOneEnd},
	{name: "cancel against the end of an attempt", run: raceCancelAttempt},
	{name: "what was seen stays", run: raceMonotonic},
	{name: "linearizable", run: raceLinearizable},
}

// raceOneEnd has everybody end an operation at once: one does, and nobody sees
// another end.
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
// by name or in an answer, nobody sees an older one.
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

type callInput struct {
	op    string // start, get, cancel, complete, delete
	key   int
	name  string // of what an earlier start returned; empty for start
	fence int64  // for complete
	arg   string // response of complete
}

type callOutput struct {
	name      string
	state     engine.State
	response  string
	cancelled bool
	err       error // one of the contract's, or nil
}

// slot is the model of one key.
type slot struct {
	name      string // operation that the key leads to; empty for none
	state     engine.State
	response  string
	cancelled bool
	hidden    string // names of deleted operations that run, each with a comma
}

func (s slot) output() callOutput {
	return callOutput{name: s.name, state: s.state, response: s.response, cancelled: s.cancelled}
}

// step returns whether out can be the answer to in, and the slot after it.
func (s slot) step(in callInput, out callOutput) (bool, slot) {
	if in.op == "start" {
		if s.name == "" {
			s.name, s.state, s.response, s.cancelled = out.name, engine.Running, "", false
		}
		return out == s.output(), s
	}
	if in.op == "complete" && strings.Contains(s.hidden, in.name+",") {
		s.hidden = strings.ReplaceAll(s.hidden, in.name+",", "")
		return out.err == nil && out.state == engine.Succeeded, s
	}
	if in.name != s.name {
		return out.err == engine.ErrNotFound, s
	}
	switch in.op {
	case "cancel":
		s.cancelled = s.cancelled || s.state == engine.Running
	case "complete":
		if s.state == engine.Running {
			s.state, s.response = engine.Succeeded, in.arg
		}
	case "delete":
		if out.err == engine.ErrNotTerminal {
			return s.state == engine.Running, s
		}
		if s.state == engine.Running {
			s.hidden += s.name + ","
		}
		return out.err == nil, slot{hidden: s.hidden}
	}
	return out == s.output(), s
}

func model() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byKey := make(map[int][]porcupine.Operation)
			for _, op := range history {
				key := op.Input.(callInput).key
				byKey[key] = append(byKey[key], op)
			}
			parts := make([][]porcupine.Operation, 0, len(byKey))
			for _, part := range byKey {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() any { return slot{} },
		Step: func(state, in, out any) (bool, any) {
			return state.(slot).step(in.(callInput), out.(callOutput))
		},
		DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %+v", in, out) },
	}
}

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

func (c *client) call(in callInput) callOutput {
	v, ctx := c.v, c.v.Context()
	var rec *engine.Record
	var err error
	switch in.op {
	case "start":
		rec, err = v.eng.Start(ctx, engine.Spec{Kind: kind, Parent: parent, External: true, RequestID: fmt.Sprint(in.key)})
		if err == nil {
			c.known.Store(rec.Name, started{in.key, rec.Fence})
		}
	case "get":
		rec, err = v.eng.Get(ctx, in.name)
	case "cancel":
		rec, err = v.eng.Cancel(ctx, in.name)
	case "complete":
		rec, err = v.eng.Complete(ctx, engine.Lease{Name: in.name, Fence: in.fence}, engine.Completion{Response: text(in.arg)})
	case "delete":
		err = v.eng.Delete(ctx, in.name)
	}
	var out callOutput
	if rec != nil {
		out = callOutput{name: rec.Name, state: rec.State, response: read(rec.Response), cancelled: !rec.CancelTime.IsZero()}
	}
	for _, known := range []error{engine.ErrNotFound, engine.ErrNotTerminal} {
		if errors.Is(err, known) {
			return callOutput{err: known}
		}
	}
	if err != nil {
		v.Errorf("%+v = %v", in, err)
	}
	return out
}

func (c *client) run(keys, n int) {
	for i := range n {
		in := callInput{op: "start", key: c.rand.IntN(keys)}
		if ops := []string{"start", "get", "get", "cancel", "complete", "delete"}; c.rand.IntN(4) > 0 {
			var names []string
			c.known.Range(func(name, s any) bool {
				if s.(started).key == in.key {
					names = append(names, name.(string))
				}
				return true
			})
			if len(names) > 0 {
				slices.Sort(names)
				// Mostly the latest, which is the one that is there.
				in.name = names[max(len(names)-1-c.rand.IntN(3), 0)]
				if s, ok := c.known.Load(in.name); ok {
					in.fence = s.(started).fence
				}
				in.op = ops[1+c.rand.IntN(len(ops)-1)]
				in.arg = fmt.Sprint(c.id, "/", i)
			}
		}
		call := time.Now().UnixNano()
		out := c.call(in)
		c.calls = append(c.calls, porcupine.Operation{
			ClientId: c.id, Input: in, Output: out, Call: call, Return: time.Now().UnixNano(),
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
	var history []porcupine.Operation
	for _, c := range clients {
		history = append(history, c.calls...)
	}
	if porcupine.CheckOperations(model(), history) {
		return
	}
	slices.SortFunc(history, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	for _, op := range history {
		v.Logf("client %d: %d to %d: %s", op.ClientId, op.Call, op.Return, model().DescribeOperation(op.Input, op.Output))
	}
	v.Errorf("no order of the calls explains their answers (seed %d)", seed)
}
