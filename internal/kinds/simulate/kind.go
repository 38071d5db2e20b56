package simulate

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro/internal/pause"
	"github.com/go-lro/lro/lropb"
	"github.com/go-lro/lro/server"
)

// Kind is the declaration of the kind "simulate", with its defaults.
var Kind = Config{}.Kind()

// Config configures the kind.
type Config struct {
	// Concurrency is how many operations run at once. 0 means no limit of the
	// kind's own.
	Concurrency int
}

// kind is the type of the declaration.
type kind = server.Kind[*lropb.SimulateRequest, *lropb.SimulateResponse, *lropb.OperationMetadata]

// Kind returns the declaration of the kind.
func (c Config) Kind() kind {
	return kind{Name: "simulate", Validate: validate, Concurrency: c.Concurrency}
}

// Handle registers the kind with its handler.
func (c Config) Handle() server.Registration {
	return c.Kind().Handle(func(ctx context.Context, t *server.Task[*lropb.OperationMetadata], req *lropb.SimulateRequest) (*lropb.SimulateResponse, error) {
		return run(ctx, t, req)
	})
}

// Limits and defaults of a request; see lropb.SimulateRequest.
const (
	maxDuration  = 24 * time.Hour
	maxSteps     = 10_000
	defaultSteps = 10
)

// validate returns an error without a status where the request is invalid:
// the server makes it one.
func validate(_ context.Context, req *lropb.SimulateRequest) error {
	if d := req.GetDuration(); d != nil {
		if err := d.CheckValid(); err != nil {
			return fmt.Errorf("duration: %w", err)
		}
		if d := d.AsDuration(); d < 0 || d > maxDuration {
			return fmt.Errorf("duration %v is not within 0 and %v", d, maxDuration)
		}
	}
	if n := req.GetSteps(); n < 0 || n > maxSteps {
		return fmt.Errorf("steps %d is not within 0 and %d", n, maxSteps)
	}
	if code := req.GetError().GetCode(); code < 0 || code > int32(codes.Unauthenticated) {
		return fmt.Errorf("error code %d is not within 0 and %d", code, codes.Unauthenticated)
	}
	return nil
}

// task is what the handler uses of [server.Task].
type task interface {
	Attempt() int
	Checkpoint() []byte
	Report(*lropb.OperationMetadata) error
	Save(ctx context.Context, checkpoint []byte) error
}

// saveEvery is how far a crash may set an operation back.
const saveEvery = 500 * time.Millisecond

func run(ctx context.Context, t task, req *lropb.SimulateRequest) (*lropb.SimulateResponse, error) {
	steps := int64(req.GetSteps())
	if steps == 0 {
		steps = defaultSteps
	}
	duration := req.GetDuration().AsDuration()
	meta := &lropb.OperationMetadata{Progress: &lropb.Progress{Total: steps, Unit: "steps"}}

	from := decodeStep(t.Checkpoint(), steps)
	if t.Attempt() > 1 {
		meta.StatusMessage = fmt.Sprintf("resumed after step %d of %d", from, steps)
	}
	begin := time.Now()
	saved := begin
	// Each step has its own due time, so that late timers do not add up.
	due := func(step int64) time.Duration {
		return time.Duration(float64(duration) * float64(step) / float64(steps))
	}
	for step := from; ; step++ {
		meta.Progress.Done = step
		t.Report(meta)
		if step > from && time.Since(saved) >= saveEvery {
			// A failed save costs time after a crash, nothing else; a lost
			// lease ends ctx.
			_ = t.Save(ctx, encodeStep(step))
			saved = time.Now()
		}
		if step == steps {
			break
		}
		if err := pause.For(ctx, due(step+1)-due(from)-time.Since(begin)); err != nil {
			return nil, err
		}
	}
	if st := req.GetError(); st.GetCode() != 0 {
		return nil, status.FromProto(st).Err()
	}
	return &lropb.SimulateResponse{Echo: req.GetEcho(), Attempts: int32(t.Attempt())}, nil
}
