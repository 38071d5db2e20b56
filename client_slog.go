package lro

import (
	"context"
	"errors"
	"log/slog"
	"sync"
)

// SlogObserver returns an observer that logs to l: each poll at level Debug,
// failed ones too, since most of them are retried; starts of operations, and
// the beginning and end of each wait, at Info; and at Warn the end of a wait
// for an operation that failed, or that cannot be waited for any longer. An
// operation that was cancelled, or whose last caller left, is no reason for a
// warning. Metadata of another type than declared is a warning once for each
// method.
//
// Attributes are operation, method (where it has a name), rpc, number, polls,
// elapsed, done, code (the canonical one, as text) and error. The context of
// each record is that of the observed call, so that handlers find the trace in
// it.
//
// With a nil logger it returns nil, which [WithObserver] takes as no observer.
func SlogObserver(l *slog.Logger) *Observer {
	if l == nil {
		return nil
	}
	s := &slogObserver{l: l}
	return &Observer{Started: s.started, WaitStart: s.waitStart, WaitEnd: s.waitEnd, PollEnd: s.pollEnd}
}

type slogObserver struct {
	l      *slog.Logger
	warned sync.Map // methods whose metadata was of another type
}

func (s *slogObserver) started(ctx context.Context, e Started) any {
	if s.l.Enabled(ctx, slog.LevelInfo) {
		s.l.LogAttrs(ctx, slog.LevelInfo, "operation started",
			append(slogSubject(e.Operation, e.Method), slog.String("request_id", e.RequestID))...)
	}
	return nil
}

func (s *slogObserver) waitStart(ctx context.Context, e WaitStart) context.Context {
	if s.l.Enabled(ctx, slog.LevelInfo) {
		s.l.LogAttrs(ctx, slog.LevelInfo, "waiting for operation", slogSubject(e.Operation, e.Method)...)
	}
	return ctx
}

func (s *slogObserver) pollEnd(ctx context.Context, e PollEnd) {
	if e.MetadataErr != nil {
		if _, again := s.warned.LoadOrStore(e.Method, true); !again {
			s.l.LogAttrs(ctx, slog.LevelWarn, "metadata of operation is not of the declared type",
				append(slogSubject(e.Operation, e.Method), slog.Any("error", e.MetadataErr))...)
		}
	}
	if !s.l.Enabled(ctx, slog.LevelDebug) {
		return
	}
	rpc := "GetOperation"
	if e.LongPoll {
		rpc = "WaitOperation"
	}
	attrs := append(slogSubject(e.Operation, e.Method),
		slog.String("rpc", rpc), slog.Int("number", e.Number), slog.Duration("elapsed", e.Elapsed))
	if e.Err != nil {
		attrs = append(attrs, slogError(e.Err)...)
	} else {
		attrs = append(attrs, slog.Bool("done", e.Snapshot.Done()))
	}
	s.l.LogAttrs(ctx, slog.LevelDebug, "operation polled", attrs...)
}

func (s *slogObserver) waitEnd(ctx context.Context, e WaitEnd) {
	level, text, err := slogEnd(e)
	if !s.l.Enabled(ctx, level) {
		return
	}
	attrs := append(slogSubject(e.Operation, e.Method), slog.Int("polls", e.Polls), slog.Duration("elapsed", e.Elapsed))
	if err != nil {
		attrs = append(attrs, slogError(err)...)
	}
	s.l.LogAttrs(ctx, level, text, attrs...)
}

// slogEnd returns the level, the message and the error with which the end of a
// wait is logged.
func slogEnd(e WaitEnd) (slog.Level, string, error) {
	if !e.Snapshot.Done() {
		if e.Err != nil {
			return slog.LevelWarn, "cannot wait for operation any longer", e.Err
		}
		return slog.LevelInfo, "no caller waits for operation any more", nil
	}
	_, err := e.Snapshot.Result()
	if _, failed := errors.AsType[*OperationError](err); !failed {
		// What is wrong with a response is the caller's error: it knows the type.
		return slog.LevelInfo, "operation done", nil
	}
	if e.Snapshot.Cancelled() {
		return slog.LevelInfo, "operation cancelled", err
	}
	return slog.LevelWarn, "operation failed", err
}

func slogSubject(operation, method string) []slog.Attr {
	attrs := make([]slog.Attr, 0, 8)
	attrs = append(attrs, slog.String("operation", operation))
	if method != "" {
		attrs = append(attrs, slog.String("method", method))
	}
	return attrs
}

func slogError(err error) []slog.Attr {
	return []slog.Attr{slog.String("code", codeName(codeOf(err))), slog.Any("error", err)}
}
