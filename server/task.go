package server

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Task gives a handler access to its operation. It is safe for concurrent use.
// After the handler has returned, reports are dropped and saves refused.
type Task[M proto.Message] struct {
	attempt *attempt
	server  *Server

	mu       sync.Mutex
	reported *anypb.Any // by this attempt; nil when none was
}

// Name returns the operation's full resource name.
func (t *Task[M]) Name() string { return t.attempt.Record().Name }

// Attempt returns the number of this attempt, from 1.
func (t *Task[M]) Attempt() int { return t.attempt.Record().Attempt }

// Checkpoint returns what an earlier attempt saved last, or nil if none did.
// Saves of this attempt do not change it.
func (t *Task[M]) Checkpoint() []byte { return slices.Clone(t.attempt.Record().Checkpoint) }

// Save makes a checkpoint, and the metadata reported so far, durable before it
// returns. [ErrLeaseLost] means that the operation is done or owned by another
// attempt, so the handler should stop; after any other error the earlier
// checkpoint may still be the current one.
func (t *Task[M]) Save(ctx context.Context, checkpoint []byte) error {
	return leaseError(t.attempt.Save(ctx, checkpoint))
}

// Metadata returns a copy of what was reported last, by this attempt or an
// earlier one, or an empty message.
func (t *Task[M]) Metadata() M {
	t.mu.Lock()
	packed := t.reported
	t.mu.Unlock()
	if packed == nil {
		packed = t.attempt.Record().Metadata
	}
	m, err := unpack[M](packed)
	if err != nil {
		// A kind whose metadata type was changed: the old one does not help.
		return newMessage[M]()
	}
	return m
}

// Report shows metadata at once to callers that this process serves, and stores
// it soon after; callers of other processes see it then. It never waits for the
// store, and the message may be changed afterwards; nil changes nothing. A
// message that cannot be encoded, or is over [Config].MaxOperation, is dropped:
// Report returns the reason, which is also logged for handlers that ignore it.
func (t *Task[M]) Report(metadata M) error {
	if isNil(metadata) {
		return nil
	}
	packed, err := pack(metadata)
	if err == nil {
		err = t.server.checkMetadata(packed)
	}
	if err != nil {
		t.server.logger.Warn("metadata dropped", "operation", t.Name(), "error", err)
		return fmt.Errorf("report to operation %q: %w", t.Name(), err)
	}
	// Under the lock, so that what Metadata returns is what readers see last.
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reported = packed
	t.attempt.show(packed)
	return nil
}
