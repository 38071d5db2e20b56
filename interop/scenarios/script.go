package scenarios

import (
	"context"
	"errors"
	"sync"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	spb "google.golang.org/genproto/googleapis/rpc/status"
)

// play is where a scripted server is in its script. It is safe for concurrent
// use.
type play struct {
	scenario *Scenario
	name     string // of the operation

	mu       sync.Mutex
	replies  []answer // at least one
	at       int
	since    time.Time
	answered int            // by the current one
	calls    map[string]int // by method
	headers  []map[string][]string
	paths    []string
}

// answer is a Reply whose messages are decoded.
type answer struct {
	Reply
	op  *longrunningpb.Operation
	err *spb.Status
}

func newPlay(s *Scenario) (*play, error) {
	op, err := operationOf(s.Operation)
	if err != nil {
		return nil, err
	}
	replies, err := answers(s.Server.Get)
	if err != nil {
		return nil, err
	}
	if len(replies) == 0 {
		replies = []answer{{op: op}}
	}
	return &play{scenario: s, name: op.GetName(), replies: replies, since: time.Now(), calls: map[string]int{}}, nil
}

func answers(replies []Reply) ([]answer, error) {
	var all []answer
	for _, r := range replies {
		a := answer{Reply: r}
		var err error
		switch {
		case r.Operation != nil:
			a.op, err = operationOf(r.Operation)
		case r.Error != nil:
			a.err, err = r.Error.proto()
		case !r.Drop && r.HTTP == nil:
			err = errors.New("read reply: it is nothing")
		}
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// count records a call, with those of its headers that the scenario asks for.
func (p *play) count(method, path string, header func(string) []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[method]++
	if method != "get" {
		return
	}
	seen := map[string][]string{}
	for _, k := range p.scenario.Server.RecordHeaders {
		seen[k] = append([]string{}, header(k)...)
	}
	p.headers = append(p.headers, seen)
	if path != "" {
		p.paths = append(p.paths, path)
	}
}

// next returns the reply to a question, and waits as long as it says.
func (p *play) next(ctx context.Context) answer {
	p.mu.Lock()
	p.advanceLocked()
	a := p.replies[p.at]
	p.answered++
	if a.For == nil && p.answered >= max(a.Times, 1) && p.at < len(p.replies)-1 {
		p.at, p.since, p.answered = p.at+1, time.Now(), 0
	}
	p.mu.Unlock()
	sleep(ctx, time.Duration(a.Delay))
	return a
}

// held reports whether a WaitOperation is to be held back now.
func (p *play) held() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.advanceLocked()
	a := p.replies[p.at]
	return a.op != nil && !a.op.GetDone() && (a.For != nil || p.at == len(p.replies)-1)
}

func (p *play) advanceLocked() {
	for p.at < len(p.replies)-1 {
		current := p.replies[p.at]
		if current.For == nil || time.Since(p.since) < time.Duration(*current.For) {
			return
		}
		p.at, p.since, p.answered = p.at+1, p.since.Add(time.Duration(*current.For)), 0
	}
}

// cancel does what CancelOperation does, and returns its error.
func (p *play) cancel() (*spb.Status, error) {
	c := p.scenario.Server.Cancel
	switch {
	case c == nil:
		return nil, nil
	case c.Error != nil:
		return c.Error.proto()
	}
	replies, err := answers(c.Get)
	if err != nil || len(replies) == 0 {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.replies, p.at, p.since, p.answered = replies, 0, time.Now(), 0
	return nil, nil
}

// seen returns the field calls of a Record.
func (p *play) seen() map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := map[string]any{"get": 0, "cancel": 0, "delete": 0, "list": 0, "wait": 0}
	for k, n := range p.calls {
		calls[k] = n
	}
	calls["get_headers"] = p.headers
	calls["get_paths"] = p.paths
	return calls
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
