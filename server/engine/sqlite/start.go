package sqlite

import (
	"context"
	"fmt"

	"github.com/go-lro/lro/server/engine"
	"github.com/go-lro/lro/server/engine/enginekit"
)

// Start implements [engine.Engine].
func (e *Engine) Start(ctx context.Context, spec engine.Spec) (*engine.Record, error) {
	spec, request, err := e.checkSpec(spec)
	if err != nil {
		return nil, fmt.Errorf("start operation of kind %q: %w", spec.Kind, err)
	}
	tail := enginekit.Random(enginekit.SeqTail)
	var rec *engine.Record
	err = e.write(ctx, len(request), func(b *batch) error {
		r, err := b.start(&spec, request, tail)
		if err != nil {
			return err
		}
		rec = r.rec
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("start operation of kind %q: %w", spec.Kind, err)
	}
	return rec, nil
}

// checkSpec returns the spec as it is stored, and its marshalled request.
func (e *Engine) checkSpec(spec engine.Spec) (engine.Spec, blobArg, error) {
	spec, err := spec.Checked(e.opts.MaxPayload)
	if err != nil {
		return spec, nil, err
	}
	request, err := marshalAny(spec.Request)
	return spec, request, err
}

// start stages a new operation, or returns the one its request ID has started.
func (b *batch) start(spec *engine.Spec, request blobArg, tail string) (*row, error) {
	var key requestKey
	if spec.RequestID != "" {
		key = newRequestKey(spec.Caller, spec.RequestID)
		r, err := b.findRequestID(spec, request, key)
		if r != nil || err != nil {
			return r, err
		}
	}
	if b.e.nextSeq > enginekit.MaxSeq {
		return nil, fmt.Errorf("%w: the file has used up its names", engine.ErrInvalid)
	}
	r := newRow(spec, b.e.nextSeq, tail)
	b.e.nextSeq++
	if err := b.insert(r, request); err != nil {
		return nil, err
	}
	if spec.RequestID != "" {
		b.addRequestID(key, r.seq)
	}
	return r, nil
}

func newRow(spec *engine.Spec, seq int64, tail string) *row {
	at := now()
	id := enginekit.FormatSeqID(seq, tail)
	r := &row{
		rec: &engine.Record{
			Name: enginekit.FormatName(spec.Parent, id), Kind: spec.Kind, Parent: spec.Parent,
			State: engine.Pending, Request: spec.Request, RequestID: spec.RequestID,
			Metadata: spec.Metadata, External: spec.External, Revision: 1,
			CreateTime: at, UpdateTime: at, Trace: spec.Trace,
		},
		seq: seq, id: id, caller: spec.Caller,
		crashLimit: spec.CrashLimit, retention: spec.Retention, leaseFor: spec.LeaseFor,
	}
	if spec.AtMostOnce {
		r.flags |= flagAtMostOnce
	}
	if spec.External {
		r.flags |= flagExternal
		r.rec.State, r.rec.Attempt, r.rec.Fence, r.rec.StartTime = engine.Running, 1, 1, at
	}
	return r
}

// seqs runs a query that selects sequence numbers.
func (b *batch) seqs(sql string, args ...any) ([]int64, error) {
	stmt, err := b.c.prepared(sql)
	if err != nil {
		return nil, b.fail(err)
	}
	defer stmt.Reset()
	if err := bind(stmt, args); err != nil {
		return nil, b.fail(err)
	}
	var seqs []int64
	for stmt.Step() {
		seqs = append(seqs, stmt.ColumnInt64(0))
	}
	if err := stmt.Err(); err != nil {
		return nil, b.fail(err)
	}
	return seqs, nil
}
