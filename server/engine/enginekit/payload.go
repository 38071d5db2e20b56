package enginekit

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/go-lro/lro/server/engine"
)

// ErrMissing is the damage of an operation whose record lacks a part.
var ErrMissing = errors.New("missing")

// EncodeAny returns nil for nil, else a slice that is not nil.
func EncodeAny(a *anypb.Any) ([]byte, error) {
	if a == nil {
		return nil, nil
	}
	return proto.MarshalOptions{Deterministic: true}.MarshalAppend([]byte{}, a)
}

// DecodeAny reads what EncodeAny has made.
func DecodeAny(b []byte) (*anypb.Any, error) {
	if b == nil {
		return nil, nil
	}
	a := new(anypb.Any)
	if err := proto.Unmarshal(b, a); err != nil {
		return nil, err
	}
	if a.GetTypeUrl() == "" && len(a.ProtoReflect().GetUnknown()) > 0 {
		return nil, errors.New("not a google.protobuf.Any")
	}
	return a, nil
}

// EncodeResult returns the response of a record that succeeded, and the error
// of one that ended otherwise.
func EncodeResult(rec *engine.Record) ([]byte, error) {
	if rec.State == engine.Succeeded {
		return EncodeAny(rec.Response)
	}
	return proto.MarshalOptions{}.MarshalAppend([]byte{}, rec.Error)
}

// DecodeResult sets what EncodeResult has returned, by the state of a record.
// A result that cannot be read is [Damage], and DATA_LOSS in its place.
func DecodeResult(rec *engine.Record, b []byte) {
	var err error
	switch rec.State {
	case engine.Succeeded:
		rec.Response, err = DecodeAny(b)
		if err == nil && rec.Response == nil {
			err = ErrMissing
		}
	case engine.Failed, engine.Cancelled:
		rec.Error = new(status.Status)
		err = proto.Unmarshal(b, rec.Error)
	default:
		return
	}
	if err != nil {
		Damage(rec, "result", err)
		rec.Response, rec.Error = nil, DataLoss(rec)
	}
}

// EncodeTrace returns a JSON object, nil for an empty map.
func EncodeTrace(trace map[string]string) ([]byte, error) {
	if len(trace) == 0 {
		return nil, nil
	}
	return json.Marshal(trace)
}

// DecodeTrace sets what EncodeTrace has returned.
func DecodeTrace(rec *engine.Record, text []byte) {
	if len(text) == 0 {
		return
	}
	if err := json.Unmarshal(text, &rec.Trace); err != nil {
		rec.Trace = nil
		Damage(rec, "trace", err)
	}
}

// Damage records that a part of a stored operation cannot be decoded, while the
// rest of the store is sound. The rest of the operation is used, and other
// operations are not affected.
func Damage(rec *engine.Record, what string, err error) {
	text := fmt.Sprintf("%s: %v", what, err)
	if rec.Damaged != "" {
		text = rec.Damaged + "; " + text
	}
	rec.Damaged = strings.ToValidUTF8(text, "\uFFFD")
}

// DataLoss is the error of an operation that ends, or has ended, damaged.
func DataLoss(rec *engine.Record) *status.Status {
	return Status(code.Code_DATA_LOSS, "the stored operation is damaged: "+rec.Damaged)
}
