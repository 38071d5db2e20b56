package scenarios

import (
	"context"
	"errors"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/proto"

	"github.com/go-lro/lro"
)

// future is an operation of any types.
type future interface {
	result(ctx context.Context) outcome
	exception(ctx context.Context) outcome
	call(ctx context.Context, what string) outcome
	cancel(ctx context.Context) outcome
	delete(ctx context.Context) outcome
	metadata() outcome
	name() string
	proto() *longrunningpb.Operation
	progress(ctx context.Context) outcome
	onDone(ctx context.Context, f func(outcome)) <-chan struct{}
	resume(c *lro.Client) (future, error)
}

type typed[R, M proto.Message] struct {
	method lro.Method[R, M]
	op     *lro.Operation[R, M]
}

func wrap[R, M proto.Message](m lro.Method[R, M], c *lro.Client, op *longrunningpb.Operation) (future, error) {
	wrapped, err := m.Wrap(c, op)
	if err != nil {
		return nil, err
	}
	return typed[R, M]{m, wrapped}, nil
}

func outcomeOf[R proto.Message](r R, err error) outcome {
	if err != nil {
		return failure(err)
	}
	return valueOf(r)
}

func (f typed[R, M]) result(ctx context.Context) outcome { return outcomeOf(f.op.Wait(ctx)) }

func (f typed[R, M]) exception(ctx context.Context) outcome {
	if _, err := f.op.Wait(ctx); err != nil {
		return failure(err)
	}
	return outcome{"outcome": "none"}
}

func (f typed[R, M]) call(ctx context.Context, what string) outcome {
	s, err := f.op.Poll(ctx)
	if err != nil {
		return failure(err)
	}
	switch what {
	case "done":
		return valueOf(s.Done())
	case "running":
		return valueOf(!s.Done())
	}
	return valueOf(s.Cancelled())
}

func (f typed[R, M]) cancel(ctx context.Context) outcome {
	taken, err := f.op.Cancel(ctx)
	if err != nil {
		return failure(err)
	}
	return valueOf(taken)
}

func (f typed[R, M]) delete(ctx context.Context) outcome {
	if err := f.op.Delete(ctx); err != nil {
		return failure(err)
	}
	return outcome{"outcome": "deleted"}
}

func (f typed[R, M]) metadata() outcome { return metadataOf(f.op.Snapshot()) }

func metadataOf[R, M proto.Message](s lro.Snapshot[R, M]) outcome {
	m, ok := s.Metadata()
	switch {
	case ok:
		return valueOf(m)
	case errors.Is(s.MetadataErr(), lro.ErrNoMetadata):
		return outcome{"outcome": "none"}
	}
	return outcome{"outcome": "unreadable"}
}

func (f typed[R, M]) name() string { return f.op.Name() }

func (f typed[R, M]) proto() *longrunningpb.Operation { return f.op.Snapshot().Proto() }

func (f typed[R, M]) progress(ctx context.Context) outcome {
	seen := []any{}
	for s, err := range f.op.Progress(ctx) {
		if err != nil {
			return failure(err)
		}
		seen = append(seen, metadataOf(s))
	}
	return outcome{"outcome": "all", "results": seen}
}

func (f typed[R, M]) onDone(ctx context.Context, fn func(outcome)) <-chan struct{} {
	return f.op.OnDone(ctx, func(o lro.Outcome[R]) { fn(outcomeOf(o.Result, o.Err)) })
}

func (f typed[R, M]) resume(c *lro.Client) (future, error) {
	resumed, err := f.method.Resume(c, f.op.Token())
	if err != nil {
		return nil, err
	}
	return typed[R, M]{f.method, resumed}, nil
}
