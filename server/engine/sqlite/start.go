package sqlite

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/server/engine"
)

const (
	maxKind      = 255
	maxParent    = 1000
	maxRequestID = 1000
	maxTrace     = 8 << 10

	// maxRetention keeps expiry times within what the file can hold.
	maxRetention = 100 * 365 * 24 * time.Hour
)

// Start implements [engine.Engine].
func (e *Engine) Start(ctx context.Context, spec engine.Spec) (*engine.Record, error) {
	request, err := e.checkSpec(&spec)
	if err != nil {
		return nil, fmt.Errorf("start operation of kind %q: %w", spec.Kind, err)
	}
	tail := randomTail()
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

// checkSpec validates a spec and returns its marshalled request.
func (e *Engine) checkSpec(spec *engine.Spec) (blobArg, error) {
	switch {
	case spec.Kind == "":
		return nil, fmt.Errorf("%w: kind is empty", engine.ErrInvalid)
	case spec.CrashLimit < 0:
		return nil, fmt.Errorf("%w: crash limit %d is negative", engine.ErrInvalid, spec.CrashLimit)
	case spec.Retention < 0 || spec.Retention > maxRetention:
		return nil, fmt.Errorf("%w: retention %v is not between 0 and %v", engine.ErrInvalid, spec.Retention, maxRetention)
	case spec.LeaseFor < 0:
		return nil, fmt.Errorf("%w: lease of %v is negative", engine.ErrInvalid, spec.LeaseFor)
	case strings.HasPrefix(spec.Parent, "/") || strings.HasSuffix(spec.Parent, "/") || strings.Contains(spec.Parent, "//"):
		return nil, fmt.Errorf("%w: parent %q has an empty segment", engine.ErrInvalid, spec.Parent)
	}
	for _, text := range []struct {
		what, value string
		limit       int
	}{
		{"kind", spec.Kind, maxKind},
		{"parent", spec.Parent, maxParent},
		{"request ID", spec.RequestID, maxRequestID},
		{"caller", spec.Caller, maxRequestID},
	} {
		if len(text.value) > text.limit {
			return nil, fmt.Errorf("%w: %s of %d bytes is over %d", engine.ErrInvalid, text.what, len(text.value), text.limit)
		}
		if !utf8.ValidString(text.value) || strings.ContainsFunc(text.value, unicode.IsControl) {
			return nil, fmt.Errorf("%w: %s %q has characters that cannot be stored", engine.ErrInvalid, text.what, text.value)
		}
	}
	trace := 0
	for k, v := range spec.Trace {
		trace += len(k) + len(v)
	}
	if trace > maxTrace {
		return nil, fmt.Errorf("trace of %d bytes: %w, the limit is %d", trace, engine.ErrTooLarge, maxTrace)
	}
	// The operation outlives the call, its caller's map may not.
	spec.Trace = maps.Clone(spec.Trace)
	if spec.CrashLimit == 0 {
		spec.CrashLimit = engine.DefaultCrashLimit
	}
	if _, err := e.payload("metadata", spec.Metadata); err != nil {
		return nil, err
	}
	return e.payload("request", spec.Request)
}

// payload marshals a payload, or says that it is too large.
func (e *Engine) payload(what string, a *anypb.Any) (blobArg, error) {
	b, err := marshalAny(a)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", engine.ErrInvalid, what, err)
	}
	return b, e.checkSize(what, len(b))
}

func (e *Engine) checkSize(what string, n int) error {
	if n > e.opts.MaxPayload {
		return fmt.Errorf("%s of %d bytes: %w, the limit is %d", what, n, engine.ErrTooLarge, e.opts.MaxPayload)
	}
	return nil
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
	if b.e.nextSeq > maxSeq {
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
	id := formatID(seq, tail)
	r := &row{
		rec: &engine.Record{
			Name: formatName(spec.Parent, id), Kind: spec.Kind, Parent: spec.Parent,
			State: engine.Pending, Request: spec.Request, RequestID: spec.RequestID,
			Metadata: spec.Metadata, External: spec.External, Revision: 1,
			CreateTime: at, UpdateTime: at, Trace: spec.Trace,
		},
		seq: seq, id: id, caller: spec.Caller,
		crashLimit: spec.CrashLimit, retention: spec.Retention, leaseFor: spec.LeaseFor,
	}
	if len(spec.Trace) == 0 {
		r.rec.Trace = nil
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
