package await

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/cli/exit"
	"github.com/go-lro/lro/internal/cli/remote"
	"github.com/go-lro/lro/internal/cli/render"
	"github.com/go-lro/lro/internal/cli/term"
)

// board shows the operations of one run: how far they are while they run, and
// how each ended. What polls bring is taken quickly and shown by a goroutine of
// its own, so that a slow terminal or a large message holds no poll up.
type board struct {
	io      *term.IO
	json    bool
	lines   bool // every change is a line on Out
	session *remote.Session
	meter   *term.Meter
	total   int
	end     time.Time // of the time for which is waited; zero for none
	news    chan struct{}
	quit    chan struct{}
	running sync.WaitGroup

	// Of the polls.
	mu      sync.Mutex
	pending map[string]lro.Raw // not shown yet
	trouble error              // what the last poll failed with; nil when it did not
	reached bool               // the service has answered once

	// Of what writes: one at a time.
	show     sync.Mutex
	seed     maphash.Seed
	seen     map[string]uint64   // hash of what was shown last, of those that run
	line     map[string]string   // printed last, of those that run
	percent  map[string]int      // of those that run
	ended    map[string]struct{} // those whose end was shown
	noted    bool                // trouble was shown
	last     term.Progress       // what the meter showed before
	abort    func(error)         // called when Out cannot be written any more
	stopping sync.Once
}

func newBoard(io *term.IO, json, lines bool) *board {
	return &board{
		io: io, json: json, lines: lines && !json,
		news: make(chan struct{}, 1), quit: make(chan struct{}),
		pending: map[string]lro.Raw{}, seed: maphash.MakeSeed(),
		seen: map[string]uint64{}, line: map[string]string{}, percent: map[string]int{}, ended: map[string]struct{}{},
	}
}

// observer returns the hooks that bring what polls see.
func (b *board) observer() *lro.Observer {
	return &lro.Observer{PollEnd: func(ctx context.Context, e lro.PollEnd) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch {
		case e.Err == nil:
			b.reached, b.trouble = true, nil
			b.pending[e.Operation] = e.Snapshot
		case e.LongPoll:
			// A long poll may end with an error for no other reason than its length,
			// by the service or a proxy before it. The poll that follows tells.
		case ctx.Err() == nil && !b.timeIsUp(e.Err):
			b.trouble = e.Err
		}
		select {
		case b.news <- struct{}{}:
		default:
		}
	}}
}

// timeIsUp reports whether a service said that the time for which is waited has
// passed, a moment before it does by the clock here.
func (b *board) timeIsUp(err error) bool {
	return !b.end.IsZero() && time.Until(b.end) < time.Second && status.Code(err) == codes.DeadlineExceeded
}

// start begins to show, for so many operations. abort is called when what is
// shown cannot be written any more.
func (b *board) start(total int, abort func(error)) {
	b.total, b.abort = total, abort
	// A terminal that gets JSON needs no bar between the lines.
	quiet := b.json && (b.io.OutTerminal || !b.io.ErrTerminal) || b.lines && !b.io.ErrTerminal
	b.meter = term.NewMeter(b.io, quiet)
	b.update(term.Progress{Percent: -1, Text: "calling " + b.session.Target})
	b.running.Go(func() {
		for {
			select {
			case <-b.quit:
				return
			case <-b.news:
				b.refresh()
			}
		}
	})
}

// stop ends what start began. Results can still be printed.
func (b *board) stop() {
	b.stopping.Do(func() {
		close(b.quit)
		b.running.Wait()
		b.meter.Stop()
	})
}

// unreached returns what polls failed with when none was ever answered.
func (b *board) unreached() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.reached && b.trouble == nil {
		return errSilence
	}
	if !b.reached {
		return b.trouble
	}
	return nil
}

var errSilence = fmt.Errorf("no answer within %v", firstContact)

// refresh shows what polls have brought since the last time.
func (b *board) refresh() {
	b.mu.Lock()
	pending, trouble := b.pending, b.trouble
	b.pending = map[string]lro.Raw{}
	b.mu.Unlock()

	b.show.Lock()
	defer b.show.Unlock()
	for name, snapshot := range pending {
		if !snapshot.Done() {
			b.progress(name, snapshot.Proto())
		}
	}
	b.note(trouble)
}

// note shows that the service does not answer, once for each time that happens.
func (b *board) note(trouble error) {
	if trouble == nil {
		if b.noted {
			b.noted = false
			b.update(b.last)
			b.sayLocked(b.session.Target + " answers again")
		}
		return
	}
	what := ""
	switch status.Code(trouble) {
	case codes.Unavailable, codes.DeadlineExceeded:
		what = "no answer"
	case codes.Internal, codes.Unknown, codes.Aborted, codes.Canceled, codes.ResourceExhausted:
		what = "no state"
	default:
		// An answer that ends the wait, which then says so; or NOT_FOUND, asked
		// about a few times in case a replica lags.
		return
	}
	if !b.noted {
		b.noted = true
		b.sayLocked(b.session.Explain(context.Background(), what, trouble).Error() + "; trying again")
	}
	b.meter.Note(what + ", trying again")
}

// update moves the meter.
func (b *board) update(p term.Progress) {
	b.last = p
	b.meter.Update(p)
}

// progress shows the progress of an operation. An operation about which nothing
// changed is not shown again, nor is one whose end was shown meanwhile.
func (b *board) progress(name string, op *longrunningpb.Operation) {
	if _, over := b.ended[name]; over || !b.changed(name, op) {
		return
	}
	ctx := context.Background()
	read := render.Of(ctx, b.session.Types, op)
	if b.json {
		b.write(Event{Event: "progress", Time: time.Now().UTC(), Operation: read.JSON(ctx)})
	}
	if b.lines {
		b.printChange(name, read.Change(b.io))
	}
	p := read.Meter()
	b.percent[name] = max(0, p.Percent)
	if b.total == 1 {
		if p.Percent < 0 && p.Total == 0 && p.Unit == "" && p.Text == "" {
			p.Text = read.State // all there is to say
		}
		b.update(p)
		return
	}
	b.summary()
}

// printChange prints a line unless it is the last that was printed: what changed
// may be nothing that a line has.
func (b *board) printChange(name, line string) {
	if b.line[name] == line {
		return
	}
	b.line[name] = line
	b.fail(b.meter.Println(b.io.Out, b.stamped(line)))
}

func (b *board) changed(name string, op *longrunningpb.Operation) bool {
	text, err := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(op)
	if err != nil {
		return true
	}
	hash := maphash.Bytes(b.seed, text)
	if old, ok := b.seen[name]; ok && old == hash {
		return false
	}
	b.seen[name] = hash
	return true
}

// summary shows how far several operations are together.
func (b *board) summary() {
	sum := 100 * len(b.ended)
	for _, p := range b.percent {
		sum += p
	}
	p := term.Progress{Percent: sum / b.total, Done: int64(len(b.ended)), Total: int64(b.total), Unit: "operations"}
	if len(b.ended) == b.total {
		b.last = p
		b.meter.Finish(p)
		return
	}
	b.update(p)
}

// forget drops what is shown of an operation that has ended.
func (b *board) forget(name string) {
	b.mu.Lock()
	delete(b.pending, name)
	b.mu.Unlock()
	delete(b.seen, name)
	delete(b.line, name)
	delete(b.percent, name)
	b.ended[name] = struct{}{}
}

// done shows the outcome of an operation and returns its exit status.
func (b *board) done(ctx context.Context, op *longrunningpb.Operation) int {
	b.show.Lock()
	defer b.show.Unlock()
	b.forget(op.GetName())
	ctx = context.WithoutCancel(ctx) // what came in time is shown
	read := render.Of(ctx, b.session.Types, op)
	code := read.Exit()
	switch {
	case b.json:
		b.write(Event{Event: "done", Time: time.Now().UTC(), Exit: &code, Operation: read.JSON(ctx)})
	case b.lines:
		b.fail(b.meter.Println(b.io.Out, b.stamped(read.Change(b.io))))
	case b.total == 1:
		b.meter.Stop()
		b.fail(read.Text(ctx, b.io))
	default:
		b.fail(b.meter.Println(b.io.Out, read.Line(b.io)))
	}
	if b.total > 1 {
		b.summary()
	}
	return code
}

// stamped is a line about a change with the time of day.
func (b *board) stamped(line string) string {
	now := time.Now()
	stamp := now.UTC().Format(time.RFC3339)
	if b.io.OutTerminal {
		stamp = now.Format(time.TimeOnly)
	}
	return stamp + "  " + line
}

// unknown shows that the outcome of an operation cannot be learnt, and returns
// why in words.
func (b *board) unknown(ctx context.Context, name string, err error) error {
	b.show.Lock()
	defer b.show.Unlock()
	b.forget(name)
	why := b.session.ExplainOperation(ctx, "wait for", name, reason(err))
	if errors.Is(err, lro.ErrGone) {
		why = exit.Hint(why, "it existed before: it was deleted, or has expired")
	}
	if b.json {
		b.write(Event{Event: "unknown", Time: time.Now().UTC(), Exit: new(exit.Unknown), Name: name, Reason: why.Error()})
	}
	if b.total > 1 {
		b.sayLocked("lro: " + why.Error())
		b.summary()
	}
	return why
}

// reason is what a wait ended with, without what the wait says about itself.
func reason(err error) error {
	if stopped, ok := errors.AsType[*lro.WaitError](err); ok && stopped.PollErr != nil {
		return stopped.PollErr
	}
	return err
}

// stopped shows, for programs, the operations whose end was not waited for.
func (b *board) stopped(ctx context.Context, names []string, left map[string]*operation, code int, cause error, resume string) {
	if !b.json {
		return
	}
	b.show.Lock()
	defer b.show.Unlock()
	ctx = context.WithoutCancel(ctx)
	for _, name := range names {
		e := Event{Event: "stopped", Time: time.Now().UTC(), Exit: &code, Name: name, Reason: cause.Error(), Resume: resume}
		if s := left[name].Snapshot(); !s.Time().IsZero() {
			e.Operation = render.Of(ctx, b.session.Types, s.Proto()).JSON(ctx)
		}
		b.write(e)
	}
}

// say prints a line for people.
func (b *board) say(text string) {
	b.show.Lock()
	defer b.show.Unlock()
	b.sayLocked(text)
}

// sayLocked is say for a caller that holds the lock. A failure to write to Err is no
// reason to stop.
func (b *board) sayLocked(text string) { _ = b.meter.Println(b.io.Err, term.Clean(text)) }

func (b *board) write(e Event) { b.fail(render.WriteJSON(b.io.Out, e)) }

func (b *board) fail(err error) {
	if err != nil {
		b.abort(err)
	}
}
