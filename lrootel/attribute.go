package lrootel

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/go-lro/lro"
	"github.com/go-lro/lro/internal/rpccode"
)

// Names of attributes; the package's documentation says where each is from.
const (
	operationKey = attribute.Key("gcp.resource.destination.id")
	doneKey      = attribute.Key("gcp.longrunning.done")
	statusKey    = attribute.Key("gcp.longrunning.status_code")
	attemptKey   = attribute.Key("gcp.longrunning.poll_attempt_count")

	rpcMethodKey = attribute.Key("rpc.method")
	rpcCodeKey   = attribute.Key("rpc.response.status_code")
	errorTypeKey = attribute.Key("error.type")

	methodKey  = attribute.Key("lro.method")
	outcomeKey = attribute.Key("lro.outcome")
	pollsKey   = attribute.Key("lro.polls")
)

const operationsService = "google.longrunning.Operations/"

func rpcOf(e lro.PollStart) string {
	if e.LongPoll {
		return "WaitOperation"
	}
	return "GetOperation"
}

// Values of lro.outcome.
const (
	outcomeSucceeded = "succeeded"
	outcomeFailed    = "failed"
	outcomeCancelled = "cancelled"
	outcomeLost      = "lost"
	outcomeLeft      = "left"
)

// end is how a wait ended.
type end struct {
	outcome string
	err     error // of failed and lost
}

func endOf(e lro.WaitEnd) end {
	switch {
	case e.Snapshot.Cancelled():
		return end{outcomeCancelled, nil}
	case e.Snapshot.Done():
		if err := operationError(e.Snapshot); err != nil {
			return end{outcomeFailed, err}
		}
		return end{outcomeSucceeded, nil}
	case e.Err != nil:
		return end{outcomeLost, e.Err}
	}
	return end{outcomeLeft, nil}
}

// operationError is the error that an operation ended with. A response that is
// missing or cannot be read is none: only who waits knows what to expect.
func operationError(s lro.Raw) error {
	_, err := s.Result()
	if failed, ok := errors.AsType[*lro.OperationError](err); ok {
		return failed
	}
	return nil
}

func stateAttributes(s lro.Raw) []attribute.KeyValue {
	attrs := []attribute.KeyValue{doneKey.Bool(s.Done())}
	if s.Done() {
		attrs = append(attrs, statusKey.Int(int(status.Code(operationError(s)))))
	}
	return attrs
}

func setError(span trace.Span, err error) {
	if err == nil {
		return
	}
	span.SetAttributes(errorTypeKey.String(codeName(err)))
	span.SetStatus(otelcodes.Error, err.Error())
}

// codeName returns the canonical code of an error as google/rpc/code.proto
// writes it.
func codeName(err error) string {
	code := status.Code(err)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		code = codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	}
	return rpccode.Name(code)
}
