package temporal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
	"github.com/go-lro/lro/temporal/internal/statepb"
)

// attempt implements [engine.Attempt].
type attempt struct {
	e      *Engine
	worker *worker
	kind   *kindSlots

	rec        *engine.Record // as it was claimed
	owner      owner          // by its token
	n          int32
	lease      time.Duration
	atMostOnce bool
	doomed     func(context.Context) error // ends the operation; nil if it may run

	ctx    context.Context // of the handler
	cancel context.CancelCauseFunc

	// began is startTime by this process's clock.
	began     time.Time
	startTime time.Time

	sending chan struct{} // holds one while a heartbeat is under way
	kick    chan struct{} // progress has changed

	mu        sync.Mutex
	progress  *statepb.Progress // with all that was reported; replaced, never modified
	persisted int64             // changes that Temporal knows
	expiry    *time.Timer       // ends the lease where no heartbeat gets through; nil before run
	cancelAsk bool              // cancel was requested
	returned  bool              // the handler has returned
	lost      bool              // the lease has ended, as far as this process can tell
	gone      bool              // Temporal says that the operation is not the attempt's
	released  bool              // its place in the worker was given back
}

func newAttempt(w *worker, k *kindSlots, d *described, token []byte, began time.Time) *attempt {
	a := &attempt{
		e: w.e, worker: w, kind: k,
		rec:        d.record(),
		owner:      owner{e: w.e, activityID: d.activityID, runID: d.runID, token: token},
		n:          d.info.GetAttempt(),
		lease:      d.info.GetHeartbeatTimeout().AsDuration(),
		atMostOnce: d.input.GetAtMostOnce(),
		began:      began,
		startTime:  asTime(d.info.GetLastStartedTime()),
		sending:    make(chan struct{}, 1),
		kick:       make(chan struct{}, 1),
	}
	if d.doomed() {
		a.doomed = func(ctx context.Context) error { return w.e.doom(ctx, d) }
	}
	a.progress = &statepb.Progress{
		Metadata:       d.progress.GetMetadata(),
		Checkpoint:     d.progress.Checkpoint,
		Attempt:        a.n,
		FirstStartTime: timestamppb.New(a.rec.StartTime),
		Releases:       d.progress.GetReleases(),
		Retries:        d.progress.GetRetries(),
		TaskToken:      token,
	}
	a.ctx, a.cancel = context.WithCancelCause(w.ctx)
	return a
}

func (a *attempt) Record() *engine.Record { return a.rec }

// now is the time by Temporal's clock, or a little earlier.
func (a *attempt) now() time.Time { return a.startTime.Add(time.Since(a.began)) }

// run executes the attempt to its end.
func (a *attempt) run() {
	defer a.release()
	e := a.e
	if a.doomed != nil {
		if err := a.doomed(e.ctx); err != nil {
			e.opts.Logger.Error("operation that crashes could not be ended, its lease will", "operation", a.rec.Name, "error", err)
		}
		return
	}
	if enginekit.IsClosed(a.worker.stopping) && !a.atMostOnce {
		// It was claimed while the worker stopped.
		a.finish(engine.Outcome{Release: true})
		return
	}
	e.mu.Lock()
	e.attempts[a.rec.Name] = a
	e.mu.Unlock()
	a.mu.Lock()
	a.expiry = time.AfterFunc(time.Until(a.began.Add(a.leaseHere())), a.expire)
	a.mu.Unlock()
	defer a.expiry.Stop()
	ctx, stop := context.WithCancel(e.ctx)
	var helpers sync.WaitGroup
	helpers.Go(func() { a.keep(ctx) })
	helpers.Go(func() { a.watch(ctx) })
	if enginekit.IsClosed(a.worker.draining) {
		a.cancel(engine.ErrDraining)
	}
	outcome := a.worker.Run(a.ctx, a)
	a.mu.Lock()
	a.returned = true
	a.mu.Unlock()
	a.finish(outcome)
	stop()
	helpers.Wait()
	a.cancel(nil)
}

// release gives back the attempt's place, once.
func (a *attempt) release() {
	a.mu.Lock()
	released := a.released
	a.released = true
	a.mu.Unlock()
	if released {
		return
	}
	a.e.mu.Lock()
	if a.e.attempts[a.rec.Name] == a {
		delete(a.e.attempts, a.rec.Name)
	}
	a.e.mu.Unlock()
	w := a.worker
	w.mu.Lock()
	delete(w.attempts, a)
	w.mu.Unlock()
	w.release(a.kind)
	w.running.Done()
}

// lose ends the attempt's context: its lease has ended. gone says that Temporal
// has said so.
func (a *attempt) lose(gone bool) {
	a.mu.Lock()
	a.lost = true
	a.gone = a.gone || gone
	a.mu.Unlock()
	a.cancel(engine.ErrLeaseLost)
}

// leaseHere is how long after a heartbeat was sent the attempt may go on: less
// than the lease, since Temporal's clock began to count it before the attempt's
// task had arrived here.
func (a *attempt) leaseHere() time.Duration { return a.lease - a.lease/10 }

// expire ends the attempt before Temporal gives its operation to another one.
func (a *attempt) expire() {
	a.e.opts.Logger.Error("lease lost: no heartbeat got through", "operation", a.rec.Name, "attempt", a.n, "lease", a.lease)
	a.lose(false)
}

func (a *attempt) isLost() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lost
}

// cancelled tells the handler that cancel was requested.
func (a *attempt) cancelled() {
	a.mu.Lock()
	a.cancelAsk = true
	a.mu.Unlock()
	a.cancel(engine.ErrCancelRequested)
}

// Report implements [engine.Attempt]. Metadata that cannot be
// stored is dropped, with a line in the log.
func (a *attempt) Report(metadata *anypb.Any) {
	if metadata == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.returned || a.lost {
		return
	}
	p := a.change()
	p.Metadata = metadata
	err := engine.Update{Metadata: metadata}.Check(a.e.maxPayload())
	if err == nil {
		err = a.e.checkSize("metadata with checkpoint", p)
	}
	if err != nil {
		a.e.opts.Logger.Warn("progress dropped", "operation", a.rec.Name, "error", err)
		return
	}
	a.progress = p
	select {
	case a.kick <- struct{}{}:
	default:
	}
}

// change returns the progress to be changed once. The caller holds mu.
func (a *attempt) change() *statepb.Progress {
	p := copyProgress(a.progress)
	p.Changes++
	p.UpdateTime = timestamppb.New(a.now())
	return p
}

func copyProgress(p *statepb.Progress) *statepb.Progress {
	return &statepb.Progress{
		Metadata: p.GetMetadata(), Checkpoint: p.Checkpoint, Attempt: p.GetAttempt(), Changes: p.GetChanges(),
		UpdateTime: p.GetUpdateTime(), FirstStartTime: p.GetFirstStartTime(), Releases: p.GetReleases(),
		Retries: p.GetRetries(), TaskToken: p.GetTaskToken(),
	}
}

// Save implements [engine.Attempt].
func (a *attempt) Save(ctx context.Context, checkpoint []byte) error {
	data := bytes.Clone(checkpoint)
	if data == nil {
		data = []byte{}
	}
	if err := a.save(ctx, data); err != nil {
		return fmt.Errorf("save checkpoint of %q: %w", a.rec.Name, err)
	}
	return nil
}

func (a *attempt) save(ctx context.Context, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case a.sending <- struct{}{}:
		defer func() { <-a.sending }()
	case <-ctx.Done():
		return ctx.Err()
	}
	a.mu.Lock()
	if a.returned || a.lost {
		a.mu.Unlock()
		return engine.ErrFenced
	}
	p := a.change()
	// The number is taken, so that no report has the same.
	a.progress = copyProgress(p)
	p.Checkpoint = data
	a.mu.Unlock()
	if err := a.e.checkSize("checkpoint with metadata", p); err != nil {
		return err
	}
	if err := a.heartbeat(ctx, p); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	after := copyProgress(a.progress)
	after.Checkpoint = data
	if after.GetChanges() > p.GetChanges() {
		// What was reported meanwhile was shown without the checkpoint.
		after.Changes++
	}
	a.progress = after
	return nil
}

// heartbeat has Temporal take the progress. The caller holds sending.
func (a *attempt) heartbeat(ctx context.Context, p *statepb.Progress) error {
	sent := time.Now()
	cancelAsked, err := a.owner.heartbeat(ctx, min(rpcTimeout, a.lease/2), p)
	if errors.Is(err, engine.ErrFenced) {
		a.lose(true)
	}
	if err != nil {
		return err
	}
	a.mu.Lock()
	if a.expiry != nil && !a.lost {
		a.expiry.Reset(time.Until(sent.Add(a.leaseHere())))
	}
	a.persisted = max(a.persisted, p.GetChanges())
	a.mu.Unlock()
	if cancelAsked {
		a.cancelled()
	}
	return nil
}

// overlay shows in r what the attempt has reported, if it is in its hands.
func (a *attempt) overlay(r *engine.Record, d *described) {
	if d.info.GetAttempt() != a.n || d.runID != a.owner.runID {
		return
	}
	a.mu.Lock()
	p := a.progress
	a.mu.Unlock()
	if p.GetChanges() <= d.changes() {
		return
	}
	if p.GetMetadata() != nil {
		r.Metadata = p.GetMetadata()
	}
	r.Revision = revision(a.n, d.stage(), p.GetChanges())
	r.UpdateTime = latest(r.UpdateTime, asTime(p.GetUpdateTime()))
}
